"""What a guard does in the background: again and again, and at once when it is woken."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from fleetmeter_app.store.ending import end


class Background:
    """Calls `work` until it is stopped; `work` returns the seconds until the next time."""

    def __init__(self, work: Callable[[], Awaitable[float]]) -> None:
        self._work = work
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, if it has not begun."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Let the next time be now, or right after the one that runs."""
        self._woken.set()

    async def stop(self) -> bool:
        """End it, in the midst of its work if need be; whether it had begun."""
        begun = self._task is not None
        await end(self._task)
        self._task = None
        return begun

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            seconds = await self._work()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._woken.wait()
