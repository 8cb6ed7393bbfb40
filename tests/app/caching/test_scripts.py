"""Calls of scripts on a real store: many at once, a store in trouble, and a process that does not listen."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fleetmeter.embedded import EmbeddedStore
from fleetmeter.errors import SettingError
from fleetmeter_app.caching.scripts import PAUSE, Scripts, Unanswered
from fleetmeter_app.store.script import Script
from support.silence import silent_store
from support.store import StoreAddress

FIND = Script("cache_find")
PATIENT = 30.0
"""Seconds: a busy machine must not look like a store in trouble."""


class Clock:
    """A clock that is moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@asynccontextmanager
async def opened(url: str, patience: float = PATIENT, clock: Clock | None = None) -> AsyncIterator[Scripts]:
    """Calls of one store."""
    scripts = Scripts(url, "key", "the test", timeout=patience, clock=clock or Clock())
    try:
        yield scripts
    finally:
        await scripts.close()


def keys(store: StoreAddress) -> list[str]:
    """The keys of `cache_find`."""
    found = store.keys
    return [found.cache_entries, found.cache_expiry, found.cache_order, found.cache_flights, found.cache_leases]


def test_a_burst_takes_few_round_trips(store: StoreAddress, client: Any) -> None:
    """A thousand calls at once are all answered, each with its own reply, over one connection."""

    async def work() -> list[Any]:
        async with opened(store.url) as scripts:
            calls = (scripts.call(FIND, keys(store), f"d{n}", f"t{n}", 10**9, 1) for n in range(1000))
            replies = await asyncio.gather(*calls)
            again = await scripts.call(FIND, keys(store), "d7", "t8", 10**9, 1)
            return [*replies, again]

    before = client.info("stats")["total_connections_received"]
    *replies, again = asyncio.run(work())
    assert replies == [[b"lead", b"0", b""]] * 1000
    assert again[0] == b"wait"
    assert client.info("stats")["total_connections_received"] == before + 1


def test_scripts_that_the_store_forgot_are_loaded_again(store: StoreAddress, client: Any) -> None:
    """After SCRIPT FLUSH, as after a failover to a store that never saw them, calls go on."""

    async def work() -> None:
        async with opened(store.url) as scripts:
            await scripts.call(FIND, keys(store), "d", "", 1, 1)
            client.script_flush()
            assert await scripts.call(FIND, keys(store), "d", "", 1, 1) == [b"miss", b"0", b""]

    asyncio.run(work())


def test_one_refused_call_concerns_nobody_else(store: StoreAddress, caplog: pytest.LogCaptureFixture) -> None:
    """A key of another type leaves its own call unanswered; the others of its round are answered. One line says so."""

    async def work() -> list[Any]:
        async with opened(store.url) as scripts:
            broken = [*keys(store)[:-2], store.keys.families, store.keys.cache_leases]
            calls = [scripts.call(FIND, broken if n % 2 else keys(store), f"d{n}", "t", 10**9, 1) for n in range(6)]
            return await asyncio.gather(*calls, return_exceptions=True)

    other = store.client()
    other.set(store.keys.families, "no hash")
    other.close()
    with caplog.at_level(logging.WARNING, "fleetmeter.app"):
        replies = asyncio.run(work())
    assert [isinstance(reply, Unanswered) for reply in replies] == [False, True] * 3
    assert len(caplog.records) == 1
    assert "cache_find" in caplog.text


def test_a_store_that_hangs_is_asked_once_within_the_pause(caplog: pytest.LogCaptureFixture) -> None:
    """The first call gives up; until PAUSE is over none is tried; one line tells of it all."""

    async def work(silent: str) -> list[float]:
        clock, waited = Clock(), []
        async with opened(silent, 0.2, clock) as scripts:
            for step in (0.0, PAUSE / 2, PAUSE / 2 + 0.01):
                clock.now += step
                started = time.monotonic()
                with pytest.raises(Unanswered):
                    await scripts.call(FIND, [], "d")
                waited.append(time.monotonic() - started)
        return waited

    with caplog.at_level(logging.WARNING, "fleetmeter.app"), silent_store() as silent:
        first, second, third = asyncio.run(work(silent))
    assert second < min(first, third)
    assert [record.message for record in caplog.records] == [
        "the test does without the store: the store did not answer in time: it had 0.2 s"
    ]


def test_a_store_that_comes_back_is_used_again(caplog: pytest.LogCaptureFixture) -> None:
    """A refused connection is unanswered; once PAUSE is over calls are answered, and the log says so."""
    later, clock, names = EmbeddedStore(), Clock(), ["{a}1", "{a}2", "{a}3", "{a}4", "{a}5"]

    async def work() -> None:
        async with opened(later.url, PATIENT, clock) as scripts:
            with pytest.raises(Unanswered):
                await scripts.call(FIND, names, "d", "", 1, 1)
            assert not await scripts.reachable()
            await asyncio.to_thread(later.start)
            clock.now += PAUSE
            assert await scripts.call(FIND, names, "d", "", 1, 1) == [b"miss", b"0", b""]
            assert await scripts.reachable()

    with caplog.at_level(logging.WARNING, "fleetmeter.app"):
        try:
            asyncio.run(work())
        finally:
            later.stop()
    assert [message.partition(":")[0] for message in caplog.messages] == [
        "the test does without the store",
        "the test has the store again",
    ]


def test_a_burst_of_work_is_not_the_stores_fault(store: StoreAddress, caplog: pytest.LogCaptureFixture) -> None:
    """A process that computes for three times the limit while its calls are on their way has their replies."""

    async def work() -> None:
        async with opened(store.url, 0.4) as scripts:
            for steps in (4, 6, 8, 10):  # somewhere here the first round is on its way
                calls = [asyncio.create_task(scripts.call(FIND, keys(store), f"d{n}", "", 1, 1)) for n in range(160)]
                for _ in range(steps):
                    await asyncio.sleep(0)
                time.sleep(0.7)  # noqa: ASYNC251  # the computation, during which the reply comes
                assert await asyncio.gather(*calls) == [[b"miss", b"0", b""]] * 160

    asyncio.run(work())
    assert caplog.messages == []


def test_a_url_that_only_the_librarys_client_takes_is_refused() -> None:
    """A parameter that the asynchronous client lacks is found at the start, not at the first question."""
    with pytest.raises(SettingError, match=r"FLEETMETER_REDIS_URL.*the test cannot use it.*ssl_validate_ocsp"):
        Scripts("rediss://127.0.0.1:1/0?ssl_validate_ocsp=yes", "key", "the test")
