"""The thread that hands over what was recorded, one batch at a time."""

import queue
import threading
from contextlib import suppress
from queue import Empty
from time import monotonic

from fleetmeter.errors import StoreError
from fleetmeter.schema.rows import HEARTBEAT
from fleetmeter.values.accumulator import Accumulator
from fleetmeter.writer.exchange import Exchange
from fleetmeter.writer.telemetry import Telemetry, log

LONGEST_PAUSE = 2.0
"""Seconds between two tries while the store is away, at most."""

STRETCH = 20
"""A call that took so long is followed by a pause of so many times its duration, so that a busy store is asked less."""

HURRY = 0.01
"""Seconds between two looks for something to send once the process was told to end; a record is sent at once then."""

RETRY = 0.05
"""Seconds to the next try when a call failed while somebody waits in `flush`; doubled with each further failure."""

START_PAUSE = 1.0
"""Seconds until a thread that could not be had is asked for again."""

Receipt = queue.SimpleQueue[None]
"""Gets one item when what was asked for is in the store. It can be waited for without any lock of Python's."""


def flush_pause(interval: float, call_seconds: float) -> float:
    """Seconds from one flush to the next: the interval, or longer if the store is slow.

    With an interval of 0.25 s and calls of 1 ms it is 0.25 s; with calls of 50 ms it is 1 s.
    """
    return max(interval, STRETCH * call_seconds)


class Flusher:
    """Sends the accumulator's content to the store, from a thread of its own.

    Only that thread talks to the store: a signal handler that raises, as Ctrl-C does, can then never cut off a
    call half-way. `interval` is in seconds.
    """

    def __init__(self, accumulator: Accumulator, exchange: Exchange, telemetry: Telemetry, interval: float) -> None:
        self._accumulator = accumulator
        self._exchange = exchange
        self._telemetry = telemetry
        self._interval = interval
        self._starting = threading.Lock()
        self._signals: queue.SimpleQueue[None] = queue.SimpleQueue()
        # and how many replicas of the store shall have what it is for, and whether goodbye shall be said by then
        self._receipts: dict[Receipt, tuple[int, bool]] = {}
        self._thread: threading.Thread | None = None
        self._failures = 0
        self.trouble: StoreError | None = None
        """Why the last call failed; None when it did not."""
        self._hurried = False
        self._next_start = 0.0
        self._signalled = False
        self._leaving = False

    def wake(self) -> None:
        """Start the thread; where it runs, let it look for work. Never raises: what is recorded is kept."""
        if self.running():
            self._signals.put(None)
            return
        if monotonic() < self._next_start:
            self._accumulator.rest()
            return
        if not self._starting.acquire(blocking=False):  # somebody does, perhaps the code that a handler interrupted
            return
        try:
            if not self.running():
                # gevent may have replaced threads and queues since the import or the fork, and needs both or neither
                signals: queue.SimpleQueue[None] = queue.SimpleQueue()
                self._signals = signals
                self._thread = threading.Thread(target=self._run, args=(signals,), name="fleetmeter-flush", daemon=True)
                self._thread.start()
                if self._hurried or self._receipts:  # asked for when there was no thread
                    signals.put(None)
        except RuntimeError as error:  # no thread can be had, as at the interpreter's end
            log.debug("no flush thread: %s", error)
            self._next_start = monotonic() + START_PAUSE
            self._accumulator.rest()  # so that a later record tries again
        finally:
            self._starting.release()

    def stop(self, timeout: float) -> None:
        """End the thread, after the call that it is in."""
        signals = self._signals
        thread, self._thread = self._thread, None
        signals.put(None)
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            thread.join(timeout)

    def hurry(self) -> None:
        """Send each record at once from now on. Takes no lock: signal handlers call it."""
        self._hurried = True
        self._signals.put(None)

    def running(self) -> bool:
        """Whether there is a thread that sends."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def has_work(self) -> bool:
        """Whether something was recorded that the store has not acknowledged."""
        return self._exchange.has_work

    @property
    def calling(self) -> bool:
        """Whether a call to the store is under way."""
        return self._exchange.calling

    def ask(self, *, goodbye: bool = False, replicas: int = 0) -> Receipt:
        """Ask for everything recorded before the call to be handed over. Takes no lock: signal handlers call it.

        The receipt gets one item when that is done, and so many replicas of the store have it; whoever waits no longer
        gives it to `forget`. With `goodbye` the
        store is told, too, that this process is no replica any more, unless it records again.
        """
        self._leaving = self._leaving or goodbye
        receipt: Receipt = type(self._signals)()  # of the kind that the thread can put into
        self._receipts[receipt] = replicas, goodbye
        self._signals.put(None)
        return receipt

    def forget(self, receipt: Receipt) -> None:
        """Let go of a receipt that nobody waits for any more."""
        self._receipts.pop(receipt, None)

    def flush(self, timeout: float, *, goodbye: bool = False, replicas: int = 0) -> bool:
        """Hand over everything recorded before the call; whether the store acknowledged it in time (seconds).

        With `replicas`, so many replicas of the store must have it, too.
        """
        if not self.running():
            if not (self.has_work or replicas):
                return True
            self.wake()
            if not self.running():
                return self._send_here(goodbye=goodbye, replicas=replicas)
        receipt = self.ask(goodbye=goodbye, replicas=replicas)
        try:
            receipt.get(timeout=max(0.0, timeout))
        except Empty:
            return False
        finally:
            self.forget(receipt)
        return True

    def _send_here(self, *, goodbye: bool, replicas: int) -> bool:
        """Hand over from the calling thread, for want of one of our own."""
        try:
            self._exchange.hand_over()
            if replicas:
                self._exchange.replicate(replicas)
            if goodbye:
                self._exchange.say_goodbye()
        except StoreError as error:
            self._failed(error)
            return False
        return True

    def _run(self, signals: "queue.SimpleQueue[None]") -> None:
        due = monotonic() + self._interval
        while self._go_on_after(signals, min(due - monotonic(), HEARTBEAT)):
            asked = list(self._receipts.items())
            try:
                if self._hurried and not self._failures:
                    self._accumulator.rest()  # so that the next record wakes this thread
                if not self._signalled and monotonic() < due:
                    self._exchange.beat()
                    continue
                # who asks during the call is not answered by this round, and may have recorded since it began
                leaving = self._leaving or any(goodbye for _, (_, goodbye) in asked)
                self._exchange.hand_over()
                self._failures, self.trouble = 0, None
                if leaving:
                    self._leaving = False
                    self._exchange.say_goodbye()
                self._settle(asked)
            except StoreError as error:
                self._failed(error)
            except Exception as error:  # noqa: BLE001  a defect of ours must not end the thread, nor reach the application
                self._failures = min(self._failures + 1, 8)
                self._accumulator.send_all_again()
                self._telemetry.failed("internal", "an unexpected error in the flush thread", error)
            due = monotonic() + self._pause()

    def _settle(self, asked: list[tuple[Receipt, tuple[int, bool]]]) -> None:
        """Give those who asked their receipts; the longer ones are waited for last."""
        reached = 0
        for receipt, (replicas, _) in sorted(asked, key=lambda item: item[1]):
            if replicas > reached:
                reached = self._exchange.replicate(replicas)
            receipt.put(None)
            self.forget(receipt)

    def _go_on_after(self, signals: "queue.SimpleQueue[None]", pause: float) -> bool:
        """Wait, in seconds, or until somebody signals; False when the thread shall end."""
        self._signalled = False
        with suppress(Empty):
            signals.get(timeout=max(0.0, pause))
            self._signalled = True
            while True:  # several signals are one
                signals.get_nowait()
        return self._thread is not None and self._signals is signals

    def _pause(self) -> float:
        """Seconds until the next round, if nobody signals."""
        if self._hurried:
            return HURRY
        if self._failures:
            first = RETRY if self._receipts else self._interval
            return min(LONGEST_PAUSE, first * 2.0**self._failures)
        return flush_pause(self._interval, self._exchange.duration)

    def _failed(self, error: StoreError) -> None:
        self._failures = min(self._failures + 1, 8)
        self.trouble = error
        self._telemetry.failed(error.reason, str(error))
