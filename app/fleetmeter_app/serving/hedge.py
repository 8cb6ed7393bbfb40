"""A second call of a model beside one that is slow, at another deployment: the first usable answer is taken."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from fleetmeter.llm.guards import record_hedge
from fleetmeter_app.serving.upstream_calls import ModelCall
from fleetmeter_app.transport.attempts import CircuitOpenError
from fleetmeter_app.transport.failures import UpstreamFailure

T = TypeVar("T")


class Hedge(Generic[T]):
    """One race. `second` makes the other call, or returns None if no other deployment may be asked.

    `ask` gets a call's answer. `drop` records an answer that was there, and that the other one's was preferred to.
    """

    def __init__(
        self,
        first: ModelCall,
        second: Callable[[], ModelCall | None],
        ask: Callable[[ModelCall], Awaitable[T]],
        drop: Callable[[ModelCall, T], object],
    ) -> None:
        self._first = first
        self._second = second
        self._ask = ask
        self._drop = drop
        self._calls: dict[asyncio.Task[T], ModelCall] = {}

    async def run(self, after_seconds: float) -> tuple[ModelCall, T]:
        """The call whose answer is taken, and that answer.

        Raises what the first call failed with if the other one has failed, too.
        """
        first = self._start(self._first)
        winner = None
        try:
            await asyncio.wait((first,), timeout=after_seconds)
            if not first.done() and not self._first.began and (second := self._second()) is not None:
                self._start(second)
            winner = await self._answered()
        finally:
            try:
                await self._end_others(winner)
            except BaseException:  # the client left meanwhile: nobody takes the winner's answer either
                if winner is not None:
                    self._drop(self._calls[winner], winner.result())
                raise
            finally:
                if len(self._calls) > 1:
                    place = "none" if winner is None else "first" if winner is first else "second"
                    record_hedge(self._first.step.model, place)
        taken = winner or first
        return self._calls[taken], taken.result()

    def _start(self, call: ModelCall) -> "asyncio.Task[T]":
        async def ask() -> T:
            return await self._ask(call)

        task = asyncio.create_task(ask())
        self._calls[task] = call
        return task

    async def _answered(self) -> "asyncio.Task[T] | None":
        """The first one that has an answer, None if none has; raises what is no failure of an upstream."""
        running = set(self._calls)
        while running:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in self._calls:
                if task in done and not isinstance(task.exception(), UpstreamFailure | CircuitOpenError):
                    task.result()
                    return task
        return None

    async def _end_others(self, winner: "asyncio.Task[T] | None") -> None:
        others = [task for task in self._calls if task is not winner]
        for task in others:
            self._calls[task].beaten_by = None if winner is None else self._calls[winner]
            task.cancel()
        try:
            await asyncio.gather(*others, return_exceptions=True)  # which waits for all, even if it is cancelled
        finally:
            for task in others:
                if not task.cancelled() and task.exception() is None:
                    self._drop(self._calls[task], task.result())
