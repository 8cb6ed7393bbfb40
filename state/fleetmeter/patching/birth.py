"""Whether this process is a forked copy of another, and since when. What it holds from before belongs to the other."""

import os
import time
from pathlib import Path

_PROC = Path("/proc")


def copied_at() -> float:
    """The Unix time at which this process was forked from one that still runs; 0 if it was not, or if nobody can tell.

    The command line is compared with the parent's: a fork without exec runs the very command of its parent, while a
    program that was started by another one has a command of its own. If the parent has ended, as a daemon's has, nobody
    else holds what was recorded before, so it counts here. Known on Linux only, rounded down to a hundredth of a
    second.
    """
    try:
        command = (_PROC / "self" / "cmdline").read_bytes()
        if (_PROC / str(os.getppid()) / "cmdline").read_bytes() != command:
            return 0.0
        fields = (_PROC / "self" / "stat").read_bytes().rpartition(b")")[2].split()
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0
    return time.time() - age
