"""Cleans up after a demo that was killed. It is a program of its own, and reads a pipe from the demo.

The demo writes `+process PID` or `+directory PATH` for each thing that it makes, and the same with `-` when it has
ended or removed the thing itself. When the pipe ends, the guard ends and removes what is left. After a demo that ended
well, that is nothing. It imports the standard library only, so that it starts at once.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable

_GRACE = 3.0
"""Seconds between SIGTERM and SIGKILL."""


def left_over(lines: Iterable[str]) -> tuple[list[int], list[str]]:
    """The processes and directories with a `+` and no later `-`, once the lines end."""
    held: dict[str, None] = {}
    for line in lines:
        sign, what = line[:1], line[1:].rstrip("\n")
        if sign == "+":
            held[what] = None
        else:
            held.pop(what, None)
    pairs = [what.partition(" ") for what in held]
    return (
        [int(value) for kind, _, value in pairs if kind == "process"],
        [value for kind, _, value in pairs if kind == "directory"],
    )


def main() -> None:
    """Wait for the end of the pipe, then clean up."""
    processes, directories = left_over(sys.stdin)
    for how in (signal.SIGTERM, signal.SIGKILL):
        processes = [process for process in processes if _signal(process, how)]
        deadline = time.monotonic() + _GRACE
        while processes and time.monotonic() < deadline:
            time.sleep(0.05)
            processes = [process for process in processes if _signal(process, 0)]
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)


def _signal(process: int, how: int) -> bool:
    """Send a signal; returns whether the process exists."""
    try:
        os.kill(process, how)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main()
