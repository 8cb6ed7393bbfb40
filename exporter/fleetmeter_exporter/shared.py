"""Work that those who ask for it at the same time share."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """A call that blocks, made in a thread of its own, one at a time.

    Who asks while it runs waits for the next one, which all share who have asked by then: everybody gets something that
    was begun after the question, and however many ask, two calls answer them all.
    """

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._thread = ThreadPoolExecutor(1, "fleetmeter-scrape")
        self._running: asyncio.Future[T] | None = None
        self._next: asyncio.Future[T] | None = None

    def ask(self) -> "asyncio.Future[T]":
        """What the next call returns; the same future for all who share it, so do not cancel it."""
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
