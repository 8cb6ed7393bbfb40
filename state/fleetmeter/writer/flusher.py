"""The thread that hands over what was recorded, one batch at a time."""

import os
import queue
import threading
from contextlib import suppress
from queue import Empty
from time import monotonic

from fleetmeter.errors import StoreError
from fleetmeter.schema.rows import HEARTBEAT
from fleetmeter.values.accumulator import Accumulator
from fleetmeter.values.parking import PATIENCE, Parking, is_native
from fleetmeter.writer.exchange import Exchange
from fleetmeter.writer.farewell import Farewell
from fleetmeter.writer.pace import Pace
from fleetmeter.writer.receipts import Receipt, Receipts, Request
from fleetmeter.writer.telemetry import Telemetry, log

START_PAUSE = 1.0
"""Seconds until a thread that could not be had is asked for again."""


class Flusher:
    """Sends the accumulator's content to the store, from a thread of its own.

    Only that thread talks to the store. A signal handler that raises, as Ctrl-C does, runs in the main thread, so it
    can never cut off a call half-way. `interval` is in seconds.
    """

    def __init__(self, accumulator: Accumulator, exchange: Exchange, telemetry: Telemetry, interval: float) -> None:
        self._accumulator = accumulator
        self._exchange = exchange
        self._telemetry = telemetry
        self._interval = interval
        self._pace = Pace(interval)
        self._starting = threading.Lock()
        self._signals: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._receipts = Receipts()
        self._farewell = Farewell(accumulator, exchange, self._receipts)
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()  # a copy of this process, forked in C, has the thread's object and not the thread
        self._due = 0.0
        self._parking = Parking()
        self._parked = self._was_running = False
        self.trouble: StoreError | None = None
        """Why the last call failed; None when it did not."""
        self._next_start = 0.0
        self._signalled = False
        self._leaving = False

    def wake(self) -> None:
        """Start the thread; if it runs already, let it look for work. Never raises: what is recorded is kept."""
        if self.running():
            self._signals.put(None)
            return
        if self._parked:  # a fork is under way; `unpark` finds the work
            return
        if monotonic() < self._next_start:
            self._accumulator.rest()
            return
        if not self._starting.acquire(blocking=False):  # it is being started, perhaps by interrupted code
            return
        try:
            if not (self.running() or self._parked):
                # gevent may have replaced threads and queues since the import or the fork; both must be of one kind
                signals: queue.SimpleQueue[None] = queue.SimpleQueue()
                self._signals = signals
                self._due = self._due if self._was_running else monotonic() + self._interval
                self._was_running = False
                self._thread = threading.Thread(target=self._run, args=(signals,), name="fleetmeter-flush", daemon=True)
                self._thread.start()
                if self._pace.hurried or self._receipts:  # asked for when there was no thread
                    signals.put(None)
        except RuntimeError as error:  # no thread can be had, as at the interpreter's end
            log.debug("no flush thread: %s", error)
            self._next_start = monotonic() + START_PAUSE
            self._accumulator.rest()  # so that a later record tries again
        finally:
            self._starting.release()

    def park(self) -> None:
        """End the thread before a fork, until `unpark`. A thread that is in a call for too long stays.

        The reason stands in `values/parking.py`.
        """
        self._parked = True
        if self._starting.acquire(timeout=PATIENCE):  # no start is half done now, and a later one sees `_parked`
            self._starting.release()
        thread, signals = self._thread, self._signals
        if thread is None or thread is threading.current_thread() or not (self.running() and is_native(signals)):
            return
        if self._parking.call_in(thread, lambda: signals.put(None)):
            self._thread, self._was_running = None, True

    def unpark(self) -> None:
        """Let the parked thread go on. A thread is also started if something was recorded meanwhile."""
        self._parked = False
        if not self.running() and (self._was_running or self.has_work):
            self.wake()

    def stop(self, timeout: float) -> None:
        """End the thread, after the call that it is in."""
        signals = self._signals
        thread, self._thread = self._thread, None
        signals.put(None)
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            thread.join(timeout)

    def hurry(self) -> None:
        """Send each record at once from now on. Takes no lock: signal handlers call it."""
        self._pace.hurried = True
        self._signals.put(None)

    def running(self) -> bool:
        """Whether there is a thread that sends."""
        return self._thread is not None and self._pid == os.getpid() and self._thread.is_alive()

    @property
    def has_work(self) -> bool:
        """Whether something was recorded in this process that the store has not acknowledged."""
        return self._pid == os.getpid() and self._exchange.has_work

    @property
    def calling(self) -> bool:
        """Whether a call to the store is under way."""
        return self._exchange.calling

    def ask(self, *, goodbye: bool = False, replicas: int = 0, last: bool = False) -> Receipt:
        """Ask for everything recorded before the call to be handed over. Takes no lock: signal handlers call it.

        The receipt gets one item when that is done, and when that many store replicas have it. A caller that
        stops waiting gives the receipt to `forget`. With `goodbye` the store is also told that this process is no
        replica any more, unless it records again. With `last`, goodbye is said and nothing can be recorded until the
        receipt is given to `forget`: for a process that ends as soon as it has the receipt.
        """
        self._leaving = self._leaving or goodbye
        receipt: Receipt = type(self._signals)()  # of the kind that the thread can put into
        self._receipts.ask(receipt, Request(replicas, goodbye, last))
        self._signals.put(None)
        return receipt

    def forget(self, receipt: Receipt) -> None:
        """Let go of a receipt that nobody waits for any more."""
        self._receipts.forget(receipt)

    def flush(self, timeout: float, *, goodbye: bool = False, replicas: int = 0) -> bool:
        """Hand over everything recorded before the call; whether the store acknowledged it in time (seconds).

        With `replicas`, that many store replicas must have it, too.
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

    def take_leave(self) -> None:
        """Say goodbye from the calling thread, if a record has made this process a replica again meanwhile."""
        if not self.running() and self._exchange.living:
            self._send_here(goodbye=True, replicas=0)

    def _send_here(self, *, goodbye: bool, replicas: int) -> bool:
        """Hand over from the calling thread; whether the store acknowledged it."""
        try:
            self._farewell.send_here(goodbye=goodbye, replicas=replicas)
        except StoreError as error:
            self._failed(error)
            return False
        return True

    def _run(self, signals: "queue.SimpleQueue[None]") -> None:
        while self._go_on_after(signals, min(self._due - monotonic(), HEARTBEAT)):
            asked = self._receipts.asked()
            try:
                if self._pace.hurried and not self._pace.failures:
                    self._accumulator.rest()  # so that the next record wakes this thread
                if not self._signalled and monotonic() < self._due:
                    self._exchange.beat()
                    continue
                # requests made during the call wait for the next round: their caller may have recorded since this began
                leaving = self._leaving or any(request.goodbye for _, request in asked)
                self._exchange.hand_over()
                self._pace.went_well()
                self.trouble = None
                if leaving:
                    self._leaving = False
                    self._exchange.say_goodbye()
                self._settle(asked)
            except StoreError as error:
                self._failed(error)
            except Exception as error:  # noqa: BLE001  a defect of ours must not end the thread, nor reach the application
                self._pace.failed()
                self._accumulator.send_all_again()
                self._telemetry.failed("internal", "an unexpected error in the flush thread", error)
            self._due = monotonic() + self._pace.pause(self._exchange.duration, awaited=bool(self._receipts))

    def _settle(self, asked: list[tuple[Receipt, Request]]) -> None:
        """Give receipts to those who wait."""
        reached = 0
        for receipt, request in asked:
            if request.last:
                self._farewell.say_last_word(receipt)
                continue
            if request.replicas > reached:
                reached = self._exchange.replicate(request.replicas)
            self._receipts.give(receipt)

    def _go_on_after(self, signals: "queue.SimpleQueue[None]", pause: float) -> bool:
        """Wait, in seconds, or until somebody signals; False when the thread shall end."""
        self._signalled = False
        with suppress(Empty):
            signals.get(timeout=max(0.0, pause))
            self._signalled = True
            while True:  # several signals are one
                signals.get_nowait()
        return self._thread is not None and self._signals is signals and not self._parking.called()

    def _failed(self, error: StoreError) -> None:
        self._pace.failed()
        self.trouble = error
        self._telemetry.failed(error.reason, str(error))
