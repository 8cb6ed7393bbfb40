"""Whether this process is a forked copy of another one, and since when: what it holds from before is the other's."""

import os
import time
from pathlib import Path

_PROC = Path("/proc")


def copied_at() -> float:
    """The Unix time at which this process was forked from one that still runs; 0 where it was not, or nobody can tell.

    A copy runs the very command of its parent. One whose parent has ended, as a daemon's has, is the only one to hold
    what was recorded before. Known on Linux only, to a hundredth of a second, downwards.
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
