"""Starts our threads again after a fork, once Python has counted the threads of the process.

From 3.12 on Python warns of a fork beside threads, and counts them after the fork hooks have run. The hooks therefore
start none. A pending call of the interpreter does, which runs as soon as `os.fork` is back in Python.
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
    """Let each later fork call what waits, if Python counts threads. Called once, after our other hooks."""
    global _entry
    if not _COUNTS:
        return
    try:
        import ctypes
    except ImportError:  # a Python that was built without it: it warns
        return
    _entry = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(_call)
    # no function of ours: a pending call would run inside it, which is too early
    os.register_at_fork(after_in_parent=partial(ctypes.pythonapi.Py_AddPendingCall, _entry, None))


def call_after_fork(function: Callable[[], None]) -> None:
    """Call a function when `os.fork` returns; at once if nobody counts, or if there are other threads anyway."""
    if _entry is not None and threading.current_thread() is threading.main_thread():
        _waiting.append(function)
    else:
        function()


def _call(_: object) -> int:
    while _waiting:
        _waiting.popleft()()
    return 0
