"""Starts our threads again after a fork, once Python has counted the threads of the process.

From 3.12 on Python warns if a process forks while it has several threads. It counts them after the fork hooks have run.
So our hooks start no thread. A pending call of the interpreter starts them: it runs as soon as `os.fork` is back in
Python code.
"""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

_COUNTS = sys.version_info >= (3, 12)

_waiting: deque[Callable[[], None]] = deque()
_entry: Any = None


def prepare() -> None:
    """Let each later fork call the functions that wait, if Python counts threads. Call once, after our other hooks."""
    global _entry
    if not _COUNTS:
        return
    try:
        import ctypes
    except ImportError:  # a Python that was built without it: the warning stays
        return
    _entry = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(_call)
    # the C function itself, none of ours: the pending call would run inside ours, which is too early
    os.register_at_fork(after_in_parent=partial(ctypes.pythonapi.Py_AddPendingCall, _entry, None))


def call_after_fork(function: Callable[[], None]) -> None:
    """Call a function when `os.fork` returns; at once if Python does not count, or outside the main thread.

    A fork outside the main thread has another thread beside it in any case.
    """
    if _entry is not None and threading.current_thread() is threading.main_thread():
        _waiting.append(function)
    else:
        function()


def _call(_: object) -> int:
    while _waiting:
        _waiting.popleft()()
    return 0
