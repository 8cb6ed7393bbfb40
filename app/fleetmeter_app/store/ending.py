"""Ending a task for good."""

import asyncio
from typing import Any

_PATIENCE = 1.0
"""Seconds until a task that goes on is cancelled again."""


async def end(task: "asyncio.Task[Any] | None") -> None:
    """Cancel a task, and wait until it is over.

    Cancelled again if it goes on: a client in the midst of a call may take a cancellation for its own time limit.
    """
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_PATIENCE)
