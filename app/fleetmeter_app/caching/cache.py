"""The prompt cache: exact match, shared by all replicas. What somebody is asking already is not asked again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Literal

from fleetmeter import atomic
from fleetmeter.llm import record_cache_operation
from fleetmeter.llm.catalogue import PROMPT_CACHE_EVICTIONS
from fleetmeter_app.caching.entry import Entry, Facts
from fleetmeter_app.caching.flight import Abandoned, Make, Reader, closed
from fleetmeter_app.caching.making import Making
from fleetmeter_app.caching.question import Question
from fleetmeter_app.caching.shelf import Shelf, new_token

_JOINS = 2
"""Failed answers of others that a caller waits for; then it asks by itself."""

_FIRST_LOOK, _LAST_LOOK = 0.01, 0.25
"""Seconds between two looks at an answer that another process makes: each wait is half as long again as the last."""


@dataclass(frozen=True)
class Reply:
    """An answer to one caller. `chunks` must be closed (`aclose`), however reading them ends.

    `result`: `hit`: no call was made for this caller; `miss`: one was; `off`: the cache was not asked.
    """

    result: Literal["hit", "miss", "off"]
    status: int
    content_type: str
    chunks: "Reader | Direct"
    facts: Callable[[], Facts | None]
    """What the answer is beside its bytes, once all of them were read; None for one that must not be kept."""


class AnswerCache:
    """Answers questions from the store, or makes each answer once.

    `final` says of an error whether it concerns the question, as a wrong parameter does: it then is everybody's answer.
    Any other error is the maker's alone, and who waited for it tries again.
    """

    def __init__(self, shelf: Shelf, most_bytes: int, final: Callable[[BaseException], bool]) -> None:
        self.shelf = shelf
        self._most_bytes = most_bytes
        self._final = final
        self._flights: dict[str, Making] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def answer(self, question: Question | None, intent: str, make: Make) -> Reply:
        """The answer to a question; None: one that is not to be shared.

        Raises what `make` raised, for this caller or for the one whose answer it waited for.
        """
        if question is None:
            return await direct("off", make)
        for _ in range(_JOINS):
            making = self._flights.get(question.field) if question.looked_up else None
            joined = making is not None and making.flight.open
            if making is None or not joined:
                making = self._start(question, make)
            reader = making.flight.join()
            try:
                status, content_type = await making.flight.first()
            except BaseException as error:
                await reader.aclose()
                if not joined or not isinstance(error, Exception) or self._final(error):
                    if joined and isinstance(error, Exception):
                        record_cache_operation("get", "miss")
                    raise
                continue
            if joined:
                record_cache_operation("get", "hit")
            if joined or making.found:
                making.saves(intent)
            result: Literal["hit", "miss"] = "hit" if joined or making.found else "miss"
            return Reply(result, status, content_type, reader, making.flight.known)
        record_cache_operation("get", "miss")
        return await direct("miss", make)

    async def idle(self) -> None:
        """Wait until no answer is being made or stored."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.sleep(0)  # from 3.12 on, `gather` lets nobody leave the set if all are done

    async def close(self) -> None:
        """Give up what is being made: its readers get `Abandoned`. What is complete is stored first."""
        for making in list(self._flights.values()):
            if not making.flight.done:
                making.give_up()
        await self.idle()

    def _start(self, question: Question, make: Make) -> Making:
        making = Making(self._most_bytes)
        if question.looked_up:
            self._flights[question.field] = making
        making.task = self._spawn(self._fly(question, making, make))
        return making

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _fly(self, question: Question, making: Making, make: Make) -> None:
        """Make an answer, and hand it on; it stays joinable until the store has it, so that nobody asks in between."""
        token = new_token() if question.looked_up else ""
        try:
            entry = await self._looked_up(question, token) if question.looked_up else None
            if entry is not None:
                making.found = True
                await making.replay(entry)
                return
            async with self._renewed(question, token):
                facts = await making.take(await make())
            await self._keep(question, making, facts, token)
        except BaseException as error:
            making.flight.fail(error if isinstance(error, Exception) else Abandoned("the answer was given up"))
            self._spawn(self.shelf.give_up(question.field, token))
            if not isinstance(error, Exception):
                raise
            # whoever reads the flight gets the error
        finally:
            if self._flights.get(question.field) is making:
                del self._flights[question.field]

    async def _keep(self, question: Question, making: Making, facts: Facts | None, token: str) -> None:
        body = making.flight.body
        if facts is None or body is None:
            await self.shelf.give_up(question.field, token)
            if facts is not None:  # too large to be held, even before it is compressed
                record_cache_operation("put", "refused")
            return
        stored = await self.shelf.put(question.field, Entry(facts, body), token)
        with atomic():
            record_cache_operation("put", stored.result)
            _record_evictions("expired", stored.expired)
            _record_evictions("capacity", stored.evicted)

    async def _looked_up(self, question: Question, token: str) -> Entry | None:
        """The entry that is there, or that another process makes now; None if this process is to make it."""
        pause, expired = _FIRST_LOOK, False
        while True:
            found = await self.shelf.find(question.field, token)
            expired |= found.expired
            if found.state != "wait":
                break
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, _LAST_LOOK)
        result = found.state if found.state in ("hit", "error") else "expired" if expired else "miss"
        with atomic():
            record_cache_operation("get", result)
            _record_evictions("expired", int(expired))
        return found.entry

    @contextlib.asynccontextmanager
    async def _renewed(self, question: Question, token: str) -> AsyncIterator[None]:
        """Keep the lease on an answer while it is being made."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(self.shelf.lease / 3)
                await self.shelf.renew(question.field, token)

        if not token:
            yield
            return
        renewing = asyncio.create_task(renew())
        try:
            yield
        finally:
            renewing.cancel()


class Direct:
    """The chunks of an answer that is made for one caller."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks

    async def aclose(self) -> None:
        """Read no more."""
        await closed(self._chunks)


async def direct(result: Literal["miss", "off"], make: Make) -> Reply:
    """An answer that is made for one caller, and not kept."""
    made = await make()
    return Reply(result, made.status, made.content_type, Direct(made.chunks), made.facts)


def _record_evictions(reason: str, count: int) -> None:
    if count:
        PROMPT_CACHE_EVICTIONS.labels(reason).inc(count)
