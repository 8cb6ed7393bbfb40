"""A time limit that counts the other side's time, and not our own."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")

_TICKS = 8
"""Parts that a limit is counted in."""


async def within(seconds: float, work: Awaitable[T]) -> T:
    """What `work` returns. Once it had `seconds` in which this process listened, it is cancelled: TimeoutError.

    `asyncio.timeout` counts wall time. While this process computes for 0.3 s, replies wait in its socket; a limit of
    0.25 s then ends each of them, although the store answered after a millisecond, because timers that are due run
    before the readers of what has just arrived. So the time is counted in eight ticks, and a tick that comes late
    counts once: 0.3 s without listening are one tick of 0.03 s.
    """
    task = asyncio.ensure_future(work)
    try:
        for _ in range(_TICKS):
            done, _pending = await asyncio.wait((task,), timeout=seconds / _TICKS)
            if done:
                return task.result()
        raise TimeoutError("no answer in time")
    finally:
        if not task.done():
            task.cancel()
