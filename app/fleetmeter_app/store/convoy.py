"""Calls that travel together: what is asked while a call is under way shares the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from fleetmeter_app.store.ending import end

T = TypeVar("T")
R = TypeVar("R")

MOST = 256
"""Questions in one call, so that none is long."""


class Convoy(Generic[T, R]):
    """Sends questions in turns: one call at a time, with the questions that came since the one before.

    A busy replica then makes one round trip for many requests, and a quiet one waits for nobody. `send` gets the
    questions and returns as many answers; what it raises is raised to all who asked in that call. One call has `most`
    questions, of together `most_bytes` as `bytes_of` says, or a single larger one; the others wait for the next.
    """

    def __init__(
        self,
        send: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        *,
        most: int = MOST,
        bytes_of: Callable[[T], int] | None = None,
        most_bytes: int = 0,
    ) -> None:
        self._send = send
        self._most = most
        self._bytes_of = bytes_of
        self._most_bytes = most_bytes
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._task: asyncio.Task[None] | None = None

    async def ask(self, question: T) -> R:
        """The answer to one question."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._travel())
        return await answer

    async def idle(self) -> None:
        """Wait until all that was asked is answered."""
        while self._task is not None:
            await asyncio.wait([self._task])

    async def close(self) -> None:
        """Stop; who still waits is cancelled."""
        await end(self._task)
        self._drop(self._waiting)

    async def _travel(self) -> None:
        group: list[tuple[T, asyncio.Future[R]]] = []
        try:
            while self._waiting:
                group = self._next()
                try:
                    answers = await self._send([question for question, _ in group])
                except Exception as error:  # noqa: BLE001  each of those who asked raises it
                    for _, answer in group:
                        if not answer.done():
                            answer.set_exception(error)
                else:
                    for (_, answer), value in zip(group, answers, strict=True):
                        if not answer.done():
                            answer.set_result(value)
        except BaseException:  # it was cancelled: nobody may wait for ever
            self._drop(group + self._waiting)
            raise
        finally:
            self._task = None

    def _next(self) -> list[tuple[T, asyncio.Future[R]]]:
        count = min(self._most, len(self._waiting))
        if self._bytes_of is not None:
            size = 0
            for place, (question, _) in enumerate(self._waiting[:count]):
                size += self._bytes_of(question)
                if place and size > self._most_bytes:
                    count = place
                    break
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    def _drop(self, dropped: Sequence[tuple[T, "asyncio.Future[R]"]]) -> None:
        for _, answer in dropped:
            answer.cancel()
        self._waiting = []
