"""A blocking call whose result is shared by callers that ask at the same time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """A blocking call, made in its own thread, one at a time.

    Callers that ask while the call runs share the next one. So a result is never older than its question. If 100
    callers ask while a call runs, one more call answers all of them.
    """

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._thread = ThreadPoolExecutor(1, "fleetmeter-scrape")
        self._running: asyncio.Future[T] | None = None
        self._next: asyncio.Future[T] | None = None

    def ask(self) -> "asyncio.Future[T]":
        """The result of the next call. Do not cancel this future: other callers share it."""
        loop = asyncio.get_running_loop()
        if self._next is None or self._next.get_loop() is not loop:
            self._next = loop.create_task(self._after(self._running))
        return self._next

    async def _after(self, running: "asyncio.Future[T] | None") -> T:
        loop = asyncio.get_running_loop()
        if running is not None and running.get_loop() is loop:
            await asyncio.wait([running])
        self._running, self._next = self._next, None
        return await loop.run_in_executor(self._thread, self._call)
