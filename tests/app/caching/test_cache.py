"""The shared cache on a real store: what is kept, who is asked, and what everybody gets."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from dataclasses import field as made_by
from typing import Any

import pytest

import fleetmeter
from fleetmeter.llm.catalogue import COST_SAVINGS_USD, PROMPT_CACHE_EVICTIONS, PROMPT_CACHE_OPERATIONS
from fleetmeter_app.caching.cache import AnswerCache, Reply
from fleetmeter_app.caching.config import CacheConfig
from fleetmeter_app.caching.entry import Entry, Facts
from fleetmeter_app.caching.flight import Abandoned, Made
from fleetmeter_app.caching.question import Question
from fleetmeter_app.caching.scripts import Scripts
from fleetmeter_app.caching.shelf import Shelf
from fleetmeter_app.caching.vault import Vault
from support.processes import fleet, value
from support.store import StoreAddress

FACTS = Facts(200, "application/json", "gpt-6-luna", "cheap", 1500)
ROOMY = CacheConfig(ttl_seconds=60, max_entries=1000, max_entry_bytes=100_000)
PATIENT = 30.0
"""Seconds: a busy machine must not look like a store in trouble."""


class Wrong(Exception):
    """An error of the question: everybody's answer."""


class Failed(Exception):
    """An error of one call: others may fare better."""


@dataclass
class Upstream:
    """Makes answers, and counts who asked; each answer waits for `go`."""

    chunks: list[bytes] = made_by(default_factory=lambda: [b'{"answer":', b'"42"}'])
    outcomes: list[Exception | None] = made_by(default_factory=list)
    """What the first calls end with; later ones succeed."""
    facts: Facts | None = FACTS
    calls: int = 0
    ended: Counter[str] = made_by(default_factory=Counter)
    go: asyncio.Event = made_by(default_factory=asyncio.Event)

    async def make(self) -> Made:
        """One call of the upstream."""
        self.calls += 1
        outcome = self.outcomes.pop(0) if self.outcomes else None
        await self.go.wait()
        if outcome is not None:
            raise outcome
        return Made(200, "application/json", self._chunks(), lambda: self.facts)

    async def _chunks(self) -> AsyncIterator[bytes]:
        try:
            for chunk in self.chunks:
                yield chunk
                await asyncio.sleep(0)
        except BaseException:
            self.ended["cut"] += 1
            raise
        self.ended["whole"] += 1


@asynccontextmanager
async def opened(
    store: StoreAddress, config: CacheConfig = ROOMY, lease: float = 10.0, url: str = "", patience: float = PATIENT
) -> AsyncIterator[AnswerCache]:
    """The cache of one replica in the test's own namespace."""
    scripts = Scripts(url or store.url, store.keys.cache_entries, "the prompt cache", timeout=patience)
    shelf = Shelf(scripts, store.keys, config, Vault(), lease=lease)
    cache = AnswerCache(shelf, 4 * config.max_entry_bytes, lambda error: isinstance(error, Wrong))
    try:
        yield cache
    finally:
        await cache.close()
        await scripts.close()


async def whole(asked: Awaitable[Reply]) -> tuple[str, bytes]:
    """The result of an answer, and all its bytes."""
    reply = await asked
    try:
        return reply.result, b"".join([chunk async for chunk in reply.chunks])
    finally:
        await reply.chunks.aclose()


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    """Run a test's work, and hand over what it recorded."""

    async def bounded() -> Any:
        async with asyncio.timeout(60):
            return await work()

    result = asyncio.run(bounded())
    assert fleetmeter.flush()
    return result


def operations(store: StoreAddress) -> dict[str, int]:
    """The operations on the cache that the fleet counted: `get hit` → number."""
    found = {}
    for operation in ("get", "put"):
        for result in ("hit", "miss", "expired", "error", "stored", "refused"):
            try:
                found[f"{operation} {result}"] = int(
                    value(fleet(store), "prompt_cache_operations_total", operation=operation, result=result)
                )
            except LookupError:
                continue
    return {name: count for name, count in found.items() if count}


@pytest.fixture(autouse=True)
def _nothing_counted_before() -> None:
    """`install()` takes over what other tests of this process have counted: there is nothing."""
    for metric in (PROMPT_CACHE_OPERATIONS, PROMPT_CACHE_EVICTIONS, COST_SAVINGS_USD):
        metric.clear()


ANSWER = b'{"answer":"42"}'
QUESTION = Question("d gpt-6-luna team")


def test_an_answer_is_made_once_and_served_by_every_replica(installed: StoreAddress) -> None:
    """The first asker's call serves later askers at this replica and at another, byte for byte; each get is counted."""

    async def work() -> None:
        upstream = Upstream()
        upstream.go.set()
        async with opened(installed) as first, opened(installed) as second:
            assert await whole(first.answer(QUESTION, "general", upstream.make)) == ("miss", ANSWER)
            await first.close()  # what is being stored is stored
            for replica in (first, second, second):
                assert await whole(replica.answer(QUESTION, "general", upstream.make)) == ("hit", ANSWER)
            other = replace(QUESTION, field="e gpt-6-luna team")
            assert await whole(second.answer(other, "general", upstream.make)) == ("miss", ANSWER)
        assert upstream.calls == 2

    run(work)
    assert operations(installed) == {"get hit": 3, "get miss": 2, "put stored": 2}
    saved = value(fleet(installed), "cost_savings_usd_total", intent="general", source="prompt_cache")
    assert saved == pytest.approx(3 * 1500e-9)


def test_equal_questions_at_once_make_one_call(installed: StoreAddress) -> None:
    """300 equal questions at three replicas: one call, everybody has the answer, one miss and 299 hits."""

    async def work() -> Counter[tuple[str, bytes]]:
        upstream = Upstream()
        async with opened(installed) as a, opened(installed) as b, opened(installed) as c:
            askers = [
                asyncio.create_task(whole(replica.answer(QUESTION, "general", upstream.make)))
                for replica in (a, b, c)
                for _ in range(100)
            ]
            await asyncio.sleep(0.2)
            upstream.go.set()
            answers = Counter(await asyncio.gather(*askers))
        assert upstream.calls == 1
        return answers

    assert run(work) == {("miss", ANSWER): 1, ("hit", ANSWER): 299}
    assert operations(installed) == {"get hit": 299, "get miss": 1, "put stored": 1}
    saved = value(fleet(installed), "cost_savings_usd_total", intent="general", source="prompt_cache")
    assert saved == pytest.approx(299 * 1500e-9)


def test_a_burst_of_different_questions_loses_nothing(installed: StoreAddress) -> None:
    """1,000 different questions at once: each is made and stored once, and a second burst finds each of them."""

    async def work() -> None:
        upstream = Upstream()
        upstream.go.set()
        questions = [Question(f"d{n} gpt-6-luna team") for n in range(1000)]
        async with opened(installed, patience=0.25) as cache:
            for result in ("miss", "hit"):
                asked = (whole(cache.answer(question, "general", upstream.make)) for question in questions)
                assert Counter(await asyncio.gather(*asked)) == {(result, ANSWER): 1000}
                await cache.idle()
        assert upstream.calls == 1000

    run(work)
    assert operations(installed) == {"get hit": 1000, "get miss": 1000, "put stored": 1000}


def test_one_callers_failure_fails_nobody_else(installed: StoreAddress) -> None:
    """A call that fails is its caller's; who waited for it makes the next one, and everybody else gets that answer."""

    async def work() -> list[Any]:
        upstream = Upstream(outcomes=[Failed("first")])
        async with opened(installed) as a, opened(installed) as b:
            askers = [
                asyncio.create_task(whole(replica.answer(QUESTION, "general", upstream.make)))
                for replica in (a, a, a, b, b)
            ]
            await asyncio.sleep(0.2)
            upstream.go.set()
            answers = await asyncio.gather(*askers, return_exceptions=True)
        assert upstream.calls == 2
        return answers

    answers = run(work)
    assert sum(isinstance(answer, Failed) for answer in answers) == 1
    assert Counter(answer for answer in answers if isinstance(answer, tuple)) == {
        ("miss", ANSWER): 1,
        ("hit", ANSWER): 3,
    }
    assert operations(installed)["get hit"] == 3


def test_an_error_of_the_question_is_everybodys(installed: StoreAddress) -> None:
    """A wrong parameter is wrong for all who sent it: one call, and each gets the error."""

    async def work() -> list[Any]:
        upstream = Upstream(outcomes=[Wrong("parameter")])
        async with opened(installed) as cache:
            askers = [asyncio.create_task(whole(cache.answer(QUESTION, "general", upstream.make))) for _ in range(20)]
            await asyncio.sleep(0.1)
            upstream.go.set()
            answers = await asyncio.gather(*askers, return_exceptions=True)
        assert upstream.calls == 1
        return answers

    assert all(isinstance(answer, Wrong) for answer in run(work))
    assert operations(installed) == {"get miss": 20}


def test_who_waits_for_failures_in_vain_asks_by_itself(installed: StoreAddress) -> None:
    """After two failed answers of others a caller makes its own call, and gets what that gives."""

    async def work() -> list[Any]:
        upstream = Upstream(outcomes=[Failed("1"), Failed("2")])
        upstream.go.set()
        async with opened(installed) as cache:
            asked = (whole(cache.answer(QUESTION, "general", upstream.make)) for _ in range(5))
            return await asyncio.gather(*asked, return_exceptions=True)

    answers = run(work)
    assert sum(isinstance(answer, Failed) for answer in answers) == 2
    assert sum(isinstance(answer, tuple) and answer[1] == ANSWER for answer in answers) == 3


def test_a_client_that_leaves_ends_nobodys_answer(installed: StoreAddress) -> None:
    """The maker's client leaves and the others get the answer; when all have left, the upstream is closed."""

    async def work() -> None:
        upstream = Upstream(chunks=[b"a"] * 3)
        async with opened(installed) as cache:
            leaver, stayer = (
                asyncio.create_task(whole(cache.answer(QUESTION, "general", upstream.make))) for _ in range(2)
            )
            await asyncio.sleep(0.1)
            leaver.cancel()
            await asyncio.sleep(0)
            upstream.go.set()
            assert await stayer == ("hit", b"aaa")
        upstream = Upstream(chunks=[b"a"] * 1000)
        upstream.go.set()
        async with opened(installed) as cache:
            reply = await cache.answer(Question("f m t"), "general", upstream.make)
            assert await anext(reply.chunks.__aiter__()) == b"a"
            await reply.chunks.aclose()
            await asyncio.sleep(0.05)
            assert upstream.ended == {"cut": 1}

    run(work)


def test_a_stream_that_breaks_gives_what_came_and_is_not_kept(installed: StoreAddress) -> None:
    """All readers get the chunks that came and then the error; the next asker makes a new call."""

    async def work() -> None:
        async def broken() -> AsyncIterator[bytes]:
            yield b"begun"
            raise Failed("cut")

        async def make() -> Made:
            return Made(200, "text/event-stream", broken(), lambda: FACTS)

        upstream = Upstream()
        upstream.go.set()
        async with opened(installed) as cache:
            replies = [await cache.answer(QUESTION, "general", make) for _ in range(2)]
            for reply in replies:
                chunks = reply.chunks.__aiter__()
                assert await anext(chunks) == b"begun"
                with pytest.raises(Failed):
                    await anext(chunks)
                await reply.chunks.aclose()
            assert await whole(cache.answer(QUESTION, "general", upstream.make)) == ("miss", ANSWER)

    run(work)
    assert operations(installed)["put stored"] == 1


def test_a_maker_that_crashed_is_replaced(installed: StoreAddress) -> None:
    """A replica that took the lead and is gone holds the others up for its lease at most."""

    async def work() -> None:
        upstream = Upstream()
        upstream.go.set()
        async with opened(installed, lease=0.3) as cache:
            assert (await cache.shelf.find(QUESTION.field, "somebody's token")).state == "lead"
            assert await whole(cache.answer(QUESTION, "general", upstream.make)) == ("miss", ANSWER)

    run(work)


def test_a_slow_maker_keeps_the_lead(installed: StoreAddress) -> None:
    """A call that takes many leases is still the only one, because its maker renews the lease."""

    async def work() -> None:
        upstream = Upstream()
        async with opened(installed, lease=0.6) as a, opened(installed, lease=0.6) as b:
            askers = [asyncio.create_task(whole(c.answer(QUESTION, "general", upstream.make))) for c in (a, b)]
            await asyncio.sleep(2.0)
            upstream.go.set()
            assert sorted(await asyncio.gather(*askers)) == [("hit", ANSWER), ("miss", ANSWER)]
        assert upstream.calls == 1

    run(work)


@pytest.mark.parametrize("why", ["facts", "size"])
def test_an_answer_that_must_not_be_kept_is_not(installed: StoreAddress, why: str) -> None:
    """An answer without facts, or one that is too large, reaches its callers and is asked for anew the next time."""

    async def work() -> None:
        body = [b"0123456789abcdef" * 64] * 20
        upstream = Upstream(chunks=body, facts=None if why == "facts" else FACTS)
        upstream.go.set()
        config = ROOMY if why == "facts" else replace(ROOMY, max_entry_bytes=1000)
        async with opened(installed, config) as cache:
            for _ in range(2):
                assert await whole(cache.answer(QUESTION, "general", upstream.make)) == ("miss", b"".join(body))
                await cache.idle()
        assert upstream.calls == 2

    run(work)
    counts = operations(installed)
    assert counts.get("put stored", 0) == 0
    assert counts["get miss"] == 2


def test_a_caller_that_wants_a_new_answer_gets_one_and_leaves_it_to_others(installed: StoreAddress) -> None:
    """`looked_up=False` makes a call although there is an entry, and replaces it; None leaves the cache alone."""

    async def work() -> None:
        old, new, unshared = Upstream(), Upstream(chunks=[b"new"]), Upstream(chunks=[b"mine"])
        for upstream in (old, new, unshared):
            upstream.go.set()
        async with opened(installed) as cache:
            assert (await whole(cache.answer(QUESTION, "general", old.make)))[1] == ANSWER
            asked = replace(QUESTION, looked_up=False)
            assert await whole(cache.answer(asked, "general", new.make)) == ("miss", b"new")
            assert await whole(cache.answer(None, "general", unshared.make)) == ("off", b"mine")
            await cache.idle()
            assert await whole(cache.answer(QUESTION, "general", old.make)) == ("hit", b"new")

    run(work)
    assert operations(installed) == {"get hit": 1, "get miss": 1, "put stored": 2}


def test_without_a_store_equal_questions_of_a_replica_still_make_one_call(installed: StoreAddress) -> None:
    """The store refuses connections: requests go on, equal ones share a call, and each get and put is an error."""

    async def work() -> None:
        upstream = Upstream()
        async with opened(installed, url="redis://127.0.0.1:1/0") as cache:
            askers = [asyncio.create_task(whole(cache.answer(QUESTION, "general", upstream.make))) for _ in range(5)]
            await asyncio.sleep(0.1)
            upstream.go.set()
            assert Counter(await asyncio.gather(*askers)) == {("miss", ANSWER): 1, ("hit", ANSWER): 4}
        assert upstream.calls == 1

    run(work)
    assert operations(installed) == {"get error": 1, "get hit": 4, "put error": 1}


def test_a_slow_reader_slows_the_upstream_down(installed: StoreAddress) -> None:
    """An answer is at most AHEAD bytes ahead of its fastest reader, and reaches it whole."""

    async def work() -> None:
        upstream = Upstream(chunks=[b"x" * 65_536] * 40)
        upstream.go.set()
        async with opened(installed, replace(ROOMY, max_entry_bytes=1000)) as cache:
            reply = await cache.answer(QUESTION, "general", upstream.make)
            await asyncio.sleep(0.2)
            assert upstream.ended == {}
            assert len(b"".join([chunk async for chunk in reply.chunks])) == 40 * 65_536
            await reply.chunks.aclose()
            assert upstream.ended == {"whole": 1}

    run(work)


@pytest.mark.parametrize(
    ("model", "tenant", "left"),
    [(None, None, set()), ("a", None, {"b x", "b y"}), (None, "x", {"a y", "b y"}), ("a", "x", {"a y", "b x", "b y"})],
)
def test_entries_are_removed_by_model_and_tenant(
    store: StoreAddress, client: Any, model: str | None, tenant: str | None, left: set[str]
) -> None:
    """Of 2,400 entries exactly those that are meant go, from all three keys, and their number is told."""

    async def work() -> int:
        async with opened(store, replace(ROOMY, max_entries=10_000)) as cache:
            put = (
                cache.shelf.put(f"d{n} {pair}", Entry(FACTS, b"{}"))
                for pair in ("a x", "a y", "b x", "b y")
                for n in range(600)
            )
            await asyncio.gather(*put)
            return await cache.shelf.drop(model, tenant)

    removed = asyncio.run(work())
    keys = store.keys
    scored = (client.zrange(key, 0, -1) for key in (keys.cache_expiry, keys.cache_order))
    for found in (client.hkeys(keys.cache_entries), *scored):
        kept = Counter(field.decode().partition(" ")[2] for field in found)
        assert kept == dict.fromkeys(left, 600)
    assert removed == 600 * (4 - len(left))


async def _abandoned(cache: AnswerCache, upstream: Upstream) -> None:
    reader = asyncio.create_task(whole(cache.answer(QUESTION, "general", upstream.make)))
    await asyncio.sleep(0.05)
    await cache.close()
    with pytest.raises(Abandoned):
        await reader


def test_a_replica_that_ends_tells_who_still_waits(installed: StoreAddress) -> None:
    """Closing the cache ends what is being made: waiting callers get `Abandoned`, and the lead is free at once."""

    async def work() -> None:
        async with opened(installed) as cache, opened(installed) as other:
            await _abandoned(cache, Upstream())
            assert (await other.shelf.find(QUESTION.field, "t")).state == "lead"

    run(work)
