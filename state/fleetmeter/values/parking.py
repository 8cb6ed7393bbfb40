"""Ends a thread of ours before a fork, so that no thread runs beside the fork.

A fork copies only the thread that forks. A lock that another thread holds stays locked in the child for ever, and from
3.12 on Python warns if a process with several threads forks.
"""

import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic, sleep

PATIENCE = 0.1
"""Seconds that a fork waits, at most, for a thread of ours. In a call to a slow store, the thread goes on beside it."""

_GONE = 0.01
"""Seconds that the system may take, at most, to remove a thread that has ended."""


class Parking:
    """The place where one thread ends: between two pieces of work it looks whether it was called in."""

    def __init__(self) -> None:
        self._calls: deque[None] = deque()  # whoever takes the one item out of it decides

    def called(self) -> bool:
        """Whether the thread was called in. If so, it must end now."""
        try:
            self._calls.pop()
        except IndexError:
            return False
        return True

    def call_in(self, thread: threading.Thread, nudge: Callable[[], None]) -> bool:
        """Wake a thread by `nudge` to end it. Returns whether it ended: if it is busy for too long, it goes on."""
        self._calls.append(None)
        nudge()
        try:
            thread.join(PATIENCE)
        except BaseException:  # of a signal handler
            self.called()
            raise
        if thread.is_alive() and self.called():
            return False
        thread.join()  # it has taken the call, and ends
        _wait_until_gone(thread)
        return True


def is_native(made: object) -> bool:
    """Whether a queue is the interpreter's own, and so the thread that was made with it. gevent has others."""
    return type(made).__module__ == "_queue" and queue.SimpleQueue.__module__ == "_queue"


def _wait_until_gone(thread: threading.Thread) -> None:
    """Wait until the system has removed a thread that has ended: Python 3.12 still counts it when it forks."""
    place, deadline = f"/proc/self/task/{thread.native_id}", monotonic() + _GONE
    while os.path.exists(place) and monotonic() < deadline:  # noqa: PTH110  one call, many times
        sleep(0)
