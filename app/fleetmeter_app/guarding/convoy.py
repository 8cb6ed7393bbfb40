"""Calls that travel together: what is asked while a call is under way shares the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from fleetmeter_app.guarding.ending import end

T = TypeVar("T")
R = TypeVar("R")

MOST = 256
"""Questions in one call, so that none is long."""


class Convoy(Generic[T, R]):
    """Sends questions in turns: one call at a time, with all the questions that came since the one before.

    A busy replica then makes one round trip for many requests, and a quiet one waits for nobody. `send` gets the
    questions and returns as many answers; what it raises is raised to all who asked in that call.
    """

    def __init__(self, send: Callable[[Sequence[T]], Awaitable[Sequence[R]]]) -> None:
        self._send = send
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._task: asyncio.Task[None] | None = None

    async def ask(self, question: T) -> R:
        """The answer to one question."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._travel())
        return await answer

    async def close(self) -> None:
        """Stop; who still waits is cancelled."""
        await end(self._task)
        for _, answer in self._waiting:
            answer.cancel()

    async def _travel(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                try:
                    answers = await self._send([question for question, _ in group])
                except Exception as error:  # noqa: BLE001  each of those who asked raises it
                    for _, answer in group:
                        if not answer.done():
                            answer.set_exception(error)
                except asyncio.CancelledError:
                    for _, answer in group:
                        answer.cancel()
                    raise
                else:
                    for (_, answer), value in zip(group, answers, strict=True):
                        if not answer.done():
                            answer.set_result(value)
        finally:
            self._task = None
