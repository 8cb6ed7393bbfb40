"""A lock for the end of a process, when the threads that may hold it never run again."""

import sys
from threading import RLock
from types import TracebackType


class LastLock:
    """A reentrant lock that nobody waits for once the interpreter is finalising.

    From then on only one thread runs. A daemon thread that was stopped while it held the lock would hold it for ever,
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
