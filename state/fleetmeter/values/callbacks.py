"""Gauges whose values come from functions. Each replica calls its own functions, in a thread that does nothing else."""

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty
from time import monotonic
from typing import Any

from fleetmeter.schema.definition import Definition
from fleetmeter.values.accumulator import Accumulator
from fleetmeter.values.parking import Parking, is_native

log = logging.getLogger("fleetmeter")

EVERY = 5.0
"""Seconds between two calls of a function, as between two signs of life."""

PATIENCE = 0.25
"""Seconds that a flush waits for the functions, at most: counts must not wait for a function that blocks."""

STOP = 0.1
"""Seconds to wait for the end of the thread. If it is inside a function, it ends by itself after that."""

Asked = queue.SimpleQueue[queue.SimpleQueue[None] | None]
"""Wakes the thread. A caller that puts a queue in gets one item when every function has been called."""


class Callbacks:
    """Calls the functions every `EVERY` seconds once the process has recorded, and whenever it is asked to.

    No lock is held meanwhile. The value that a function returns is recorded like any other, and goes with the next
    batch. If a function raises, `failed` is called, and the gauge keeps its last good value. A function that blocks
    delays the other functions of this process, and nothing else.
    """

    def __init__(self, accumulator: Accumulator, failed: Callable[[Definition, BaseException], None]) -> None:
        self._accumulator = accumulator
        self._failed = failed
        self._starting = threading.Lock()
        self._asked: Asked = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._ident: int | None = None
        self._busy_since: float | None = None
        self._due = 0.0
        self._parking = Parking()
        self._parked = self._was_running = self._wanted = False

    def wake(self) -> None:
        """Start the thread if there are functions. A new function is called at once. Never raises."""
        cells = self._accumulator.functions
        if not cells or not self._accumulator.awake:
            return
        if not self._running():
            self._start()
        elif any(cell.hidden for cell in cells):
            self._asked.put(None)

    def ask(self, timeout: float) -> None:
        """Have every function called now, and wait for that: `timeout` seconds, and never more than `PATIENCE`.

        If a function does not return, only the first caller waits in vain; later callers do not wait for it again.
        """
        if not self._accumulator.functions or not self._running():
            return
        if threading.get_ident() == self._ident:  # a function that flushes
            return
        since = self._busy_since
        if since is not None and monotonic() - since > PATIENCE:
            return
        asked = self._asked
        done: queue.SimpleQueue[Any] = type(asked)()  # of the kind that the thread can put into
        asked.put(done)
        with suppress(Empty):
            done.get(timeout=max(0.0, min(timeout, PATIENCE)))

    def park(self) -> None:
        """End the thread before a fork, until `unpark`. If it is inside a function, it stays."""
        self._parked = True
        thread, asked = self._thread, self._asked
        if thread is None or threading.get_ident() == self._ident or not (self._running() and is_native(asked)):
            return
        if self._parking.call_in(thread, lambda: asked.put(None)):
            self._thread, self._was_running = None, True

    def unpark(self) -> None:
        """Let the parked thread go on."""
        self._parked = False
        if self._was_running or self._wanted:
            self._start()

    def stop(self) -> None:
        """End the thread; `wake` starts a new one."""
        asked, self._asked = self._asked, queue.SimpleQueue()
        thread, self._thread = self._thread, None
        asked.put(None)
        if thread is not None and thread.is_alive() and threading.get_ident() != self._ident:
            thread.join(STOP)

    def _running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _start(self) -> None:
        if not self._starting.acquire(blocking=False):  # somebody does, perhaps the code that a handler interrupted
            return
        try:
            self._wanted = self._parked
            if not (self._running() or self._parked):
                # gevent may have replaced threads and queues since the import or the fork, and needs both or neither
                asked: Asked = queue.SimpleQueue()
                self._asked = asked
                self._due = self._due if self._was_running else monotonic()
                self._was_running = False
                self._thread = threading.Thread(
                    target=self._run, args=(asked,), name="fleetmeter-callbacks", daemon=True
                )
                self._thread.start()
        except RuntimeError as error:  # no thread can be had, as at the interpreter's end
            log.debug("the system gives no thread for gauge functions: %s", error)
        finally:
            self._starting.release()

    def _run(self, asked: Asked) -> None:
        self._ident = threading.get_ident()
        waiting: list[queue.SimpleQueue[None]] = []
        woken = False
        while self._asked is asked:  # else it was stopped
            if woken or monotonic() >= self._due:
                self._due = monotonic() + EVERY
                self._call_all(asked)
            for done in waiting:
                done.put(None)
            if self._parking.called():
                return
            woken, waiting = _pause(asked, self._due - monotonic())
            if not waiting and self._parking.called():
                return

    def _call_all(self, asked: Asked) -> None:
        for cell in self._accumulator.functions:
            if self._asked is not asked:
                return
            function = cell.function
            self._busy_since = monotonic()
            try:
                value = float(function())
            except (Exception, SystemExit) as error:  # noqa: BLE001  whatever it is, it is not the application's to see
                self._failed(cell.definition, error)
            else:
                if self._asked is asked:  # else it blocked beyond the end
                    cell.take_in(function, value)
            finally:
                self._busy_since = None


def _pause(asked: Asked, pause: float) -> "tuple[bool, list[queue.SimpleQueue[None]]]":
    """Wait, in seconds, or until a caller asks. Returns whether one did, and the queues of those that wait."""
    waiting = []
    with suppress(Empty):
        waiting.append(asked.get(timeout=max(0.0, pause)))
        while True:  # several that ask are served by one round
            waiting.append(asked.get_nowait())
    return bool(waiting), [done for done in waiting if done is not None]
