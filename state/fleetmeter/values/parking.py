"""Lets a thread of ours end before a fork, so that there is none beside it."""

import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic, sleep

PATIENCE = 0.1
"""Seconds that a fork waits, at most, for a thread of ours: one that is in a call to a slow store goes on beside it."""

_GONE = 0.01
"""Seconds that the system may take, at most, to let a thread go that has ended."""


class Parking:
    """One thread's place to end at: it looks whether it was called in, between two pieces of work."""

    def __init__(self) -> None:
        self._calls: deque[None] = deque()  # whoever takes the one item out of it decides

    def called(self) -> bool:
        """Whether the thread shall end now; it must, if so."""
        try:
            self._calls.pop()
        except IndexError:
            return False
        return True

    def call_in(self, thread: threading.Thread, nudge: Callable[[], None]) -> bool:
        """Have a thread end that `nudge` wakes; whether it did. One that is busy for too long goes on as before."""
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
    """Whether a queue, and so the thread that was made with it, is the interpreter's own: gevent has others."""
    return type(made).__module__ == "_queue" and queue.SimpleQueue.__module__ == "_queue"


def _wait_until_gone(thread: threading.Thread) -> None:
    """Wait for the system's own part of a thread that has ended: Python 3.12 counts that when it forks."""
    place, deadline = f"/proc/self/task/{thread.native_id}", monotonic() + _GONE
    while os.path.exists(place) and monotonic() < deadline:  # noqa: PTH110  one call, many times
        sleep(0)
