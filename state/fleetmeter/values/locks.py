"""A lock for the end of a process, when a thread that holds it may never run again."""

import sys
from threading import RLock
from types import TracebackType


class LastLock:
    """A reentrant lock that does not make anybody wait while the interpreter is finalising.

    From then on only one thread runs. If a daemon thread was stopped while it held the lock, it would hold it for ever,
    and a finalizer that records would hang.
    """

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._finalising = sys.is_finalizing  # kept here: a module's own names may be gone by then

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, as `RLock.acquire` does; at once when the interpreter is finalising."""
        return self._finalising() or self._lock.acquire(blocking, timeout)

    def release(self) -> None:
        """Give the lock back."""
        if not self._finalising():
            self._lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
