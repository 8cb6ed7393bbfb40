"""The prompt cache on a real server: what is kept, what is evicted, and what a store in trouble costs."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from importlib import resources
from typing import Any

import fakeredis
import pytest

from fleetmeter.embedded import EmbeddedStore
from fleetmeter.errors import SettingError
from fleetmeter.schema.keys import Keys
from fleetmeter_app import cache
from fleetmeter_app.cache import Entry, Lookup, PromptCache, Stored, digest_of
from fleetmeter_app.config.limits import CacheConfig
from support.store import StoreAddress

ENTRY = Entry("42 USD", "gpt-6-luna", "cheap", 10, 5, 2, 1, 3, 1234)
ROOMY = CacheConfig(ttl_seconds=60, max_entries=1000, max_entry_bytes=100_000)

PATIENT = 30.0
"""Seconds: a busy machine must not look like a store in trouble."""


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@asynccontextmanager
async def opened(store: StoreAddress, config: CacheConfig = ROOMY, url: str = "") -> AsyncIterator[PromptCache]:
    """A cache of the test's own namespace."""
    opened_cache = PromptCache(url or store.url, store.keys, config, timeout=PATIENT)
    try:
        yield opened_cache
    finally:
        await opened_cache.close()


def use(
    store: StoreAddress, work: Callable[[PromptCache], Awaitable[Any]], config: CacheConfig = ROOMY, url: str = ""
) -> Any:
    """What `work` returns for such a cache."""

    async def run() -> Any:
        async with opened(store, config, url) as prompt_cache:
            return await work(prompt_cache)

    return asyncio.run(run())


def stored_digests(store: StoreAddress) -> tuple[set[bytes], set[bytes], set[bytes]]:
    """The digests under each of the three keys."""
    client, keys = store.client(), store.keys
    found = (
        set(client.hkeys(keys.cache_entries)),
        set(client.zrange(keys.cache_expiry, 0, -1)),
        set(client.zrange(keys.cache_order, 0, -1)),
    )
    client.close()
    return found


@pytest.mark.parametrize(
    "entry",
    [
        ENTRY,
        replace(ENTRY, nanodollars=None),
        replace(ENTRY, text=""),
        replace(ENTRY, text="x" * 4096),
        replace(ENTRY, text='quotes " and \\ and\nlines\r\n\t and \0 and 42 99 '),
        replace(ENTRY, text="Kurs: 5 €, 株価, 🚀, e\u0301"),
    ],
    ids=["plain", "unpriced", "empty", "4 KiB", "special", "unicode"],
)
def test_what_was_put_is_found_by_every_replica(store: StoreAddress, entry: Entry) -> None:
    """A get before the put misses; after it every replica gets the whole entry, to the last character."""

    async def work(first: PromptCache) -> None:
        assert await first.get("d") == Lookup("miss")
        assert await first.put("d", entry) == Stored("stored")
        async with opened(store) as second:
            assert await second.get("d") == Lookup("hit", entry)
            assert await second.get("e") == Lookup("miss")

    use(store, work)


def test_namespaces_do_not_share_entries(store: StoreAddress) -> None:
    """Another namespace of the same store misses."""

    async def work(prompt_cache: PromptCache) -> None:
        await prompt_cache.put("d", ENTRY)
        other = PromptCache(store.url, Keys(store.namespace + "x"), ROOMY, timeout=PATIENT)
        assert await other.get("d") == Lookup("miss")
        await other.close()

    use(store, work)


def test_an_entry_expires_once(store: StoreAddress) -> None:
    """After its time an entry is expired for the first get and missing for the next, and nothing of it is left."""

    async def work(prompt_cache: PromptCache) -> None:
        await prompt_cache.put("d", ENTRY)
        assert (await prompt_cache.get("d")).result == "hit"
        await asyncio.sleep(0.25)
        assert await prompt_cache.get("d") == Lookup("expired")
        assert await prompt_cache.get("d") == Lookup("miss")

    use(store, work, replace(ROOMY, ttl_seconds=0.2))
    assert stored_digests(store) == (set(), set(), set())


def test_a_put_evicts_what_has_expired(store: StoreAddress) -> None:
    """A put removes and counts the entries whose time is over, though nobody asked for them."""

    async def work(prompt_cache: PromptCache) -> Stored:
        for digest in "abc":
            await prompt_cache.put(digest, ENTRY)
        await asyncio.sleep(0.15)
        return await prompt_cache.put("d", ENTRY)

    assert use(store, work, replace(ROOMY, ttl_seconds=0.1)) == Stored("stored", expired=3)
    assert stored_digests(store) == ({b"d"}, {b"d"}, {b"d"})


def test_an_entry_above_the_size_is_refused(store: StoreAddress) -> None:
    """The limit counts bytes of the stored text, not characters, and is itself allowed."""
    entry = replace(ENTRY, text="€" * 100)
    size = len(entry.to_json().encode())
    for digest, limit in (("fits", size), ("one more", size - 1), ("characters", len(entry.to_json()))):
        config = replace(ROOMY, max_entry_bytes=limit)
        stored = use(store, partial(PromptCache.put, digest=digest, entry=entry), config)
        assert stored == Stored("stored" if digest == "fits" else "refused")
    assert stored_digests(store)[0] == {b"fits"}


def test_the_oldest_entry_makes_room(store: StoreAddress) -> None:
    """Above the bound the entry that was stored longest ago goes; one that is stored again is young again."""

    async def work(prompt_cache: PromptCache) -> None:
        for digest in "abc":
            assert await prompt_cache.put(digest, ENTRY) == Stored("stored")
        assert await prompt_cache.put("a", ENTRY) == Stored("stored")
        assert await prompt_cache.put("d", ENTRY) == Stored("stored", evicted=1)
        assert await prompt_cache.get("b") == Lookup("miss")
        for digest in "acd":
            assert (await prompt_cache.get(digest)).result == "hit"

    use(store, work, replace(ROOMY, max_entries=3))
    assert stored_digests(store) == ({b"a", b"c", b"d"},) * 3


def test_a_smaller_bound_is_reached_step_by_step(store: StoreAddress) -> None:
    """One put evicts at most 100 entries, so that none blocks the store for long; the next ones go on."""

    async def work(prompt_cache: PromptCache) -> None:
        for number in range(250):
            await prompt_cache.put(str(number), ENTRY)
        async with opened(store, replace(ROOMY, max_entries=10)) as small:
            assert [(await small.put(f"n{n}", ENTRY)).evicted for n in range(4)] == [100, 100, 43, 1]

    use(store, work)
    assert [len(digests) for digests in stored_digests(store)] == [10, 10, 10]


def test_evictions_are_exact_with_concurrent_puts(store: StoreAddress) -> None:
    """Every put but the last ones is evicted once, whoever puts: stored = evicted + kept, under each key."""

    async def work(first: PromptCache) -> int:
        async with opened(store, replace(ROOMY, max_entries=20)) as second:
            puts = [(first, second)[n % 2].put(f"d{n}", ENTRY) for n in range(400)]
            done = await asyncio.gather(*puts)
        assert {item.result for item in done} == {"stored"}
        return sum(item.evicted for item in done)

    assert use(store, work, replace(ROOMY, max_entries=20)) == 380
    entries, expiry, order = stored_digests(store)
    assert len(entries) == 20
    assert entries == expiry == order


def test_a_burst_of_questions_is_no_failure(store: StoreAddress) -> None:
    """More concurrent gets than connections wait for one another; none is answered `error`."""

    async def work(prompt_cache: PromptCache) -> list[Lookup]:
        return await asyncio.gather(*(prompt_cache.get(str(n)) for n in range(10 * cache.MAX_CONNECTIONS)))

    assert {lookup.result for lookup in use(store, work)} == {"miss"}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"{}",
        b"\xff\xfe",
        b"[" * 10_000,
        ENTRY.to_json().replace("1234", '"1234"').encode(),
        ENTRY.to_json().replace("1234", "0.5").encode(),
        ENTRY.to_json().replace('"42 USD"', "42").encode(),
    ],
)
def test_an_entry_that_cannot_be_read_is_an_error_until_it_is_put_anew(store: StoreAddress, text: bytes) -> None:
    """Whatever stands in the store, a get answers `error`, later gets still work, and a put mends it."""
    client = store.client()
    client.hset(store.keys.cache_entries, "d", b"9999999999999999 " + text)
    client.close()

    async def work(prompt_cache: PromptCache) -> None:
        assert await prompt_cache.get("d") == Lookup("error")
        assert await prompt_cache.get("e") == Lookup("miss")
        await prompt_cache.put("d", ENTRY)
        assert await prompt_cache.get("d") == Lookup("hit", ENTRY)

    use(store, work)


def test_an_entry_of_a_later_version_is_read(store: StoreAddress) -> None:
    """A field that is not known is passed over, so that two versions can share a cache in a rolling deploy."""
    assert Entry.from_json(json.dumps({**json.loads(ENTRY.to_json()), "later": [1]}).encode()) == ENTRY


def test_a_field_without_an_expiry_has_expired(store: StoreAddress) -> None:
    """A stored text that does not begin with a time is removed, not served."""
    client = store.client()
    client.hset(store.keys.cache_entries, "d", ENTRY.to_json())
    client.close()
    assert use(store, lambda prompt_cache: prompt_cache.get("d")) == Lookup("expired")
    assert stored_digests(store) == (set(), set(), set())


@pytest.fixture
def silent() -> Iterator[tuple[str, Callable[[], int]]]:
    """A store that takes connections and never answers: its URL, and how many connections it was offered."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        listener.setblocking(False)
        taken: list[socket.socket] = []

        def offered() -> int:
            while True:
                try:
                    taken.append(listener.accept()[0])
                except BlockingIOError:
                    return len(taken)

        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0", offered
        for connection in taken:
            connection.close()


def test_a_store_that_hangs_is_asked_once_within_the_pause(
    store: StoreAddress, silent: tuple[str, Callable[[], int]], caplog: pytest.LogCaptureFixture
) -> None:
    """The first call gives up; until PAUSE is over none goes to the store, then one does; one line tells of it all."""
    url, offered = silent
    clock = Clock()

    async def work() -> None:
        prompt_cache = PromptCache(url, store.keys, ROOMY, clock)
        assert await prompt_cache.get("d") == Lookup("error")
        assert offered() == 1
        for _ in range(20):
            assert await prompt_cache.get("d") == Lookup("error")
            assert await prompt_cache.put("d", ENTRY) == Stored("error")
        clock.now += cache.PAUSE - 0.01
        assert await prompt_cache.get("d") == Lookup("error")
        assert offered() == 1
        clock.now += 0.02
        assert await prompt_cache.get("d") == Lookup("error")
        assert offered() == 2
        await prompt_cache.close()

    with caplog.at_level(logging.WARNING, "fleetmeter.app"):
        asyncio.run(work())
    assert [record.message for record in caplog.records if "does not answer" in record.message] == caplog.messages
    assert len(caplog.records) == 1


def test_a_store_that_comes_back_is_used_again(store: StoreAddress, caplog: pytest.LogCaptureFixture) -> None:
    """A refused connection is an `error`; once PAUSE is over the cache works, and says so."""
    clock = Clock()

    later = EmbeddedStore()

    async def work() -> None:
        prompt_cache = PromptCache(later.url, store.keys, ROOMY, clock, timeout=PATIENT)
        assert await prompt_cache.get("d") == Lookup("error")
        assert not await prompt_cache.reachable()
        await asyncio.to_thread(later.start)
        clock.now += cache.PAUSE
        assert await prompt_cache.get("d") == Lookup("miss")
        assert await prompt_cache.reachable()
        await prompt_cache.close()

    with caplog.at_level(logging.WARNING, "fleetmeter.app"):
        try:
            asyncio.run(work())
        finally:
            later.stop()
    assert [message.partition(",")[0] for message in caplog.messages] == [
        "the prompt cache does not answer",
        "the prompt cache answers again",
    ]


def test_a_foreign_type_under_a_key_is_an_error(store: StoreAddress) -> None:
    """Somebody else's key makes the cache answer `error`, and raises nothing."""
    client = store.client()
    client.set(store.keys.cache_entries, "mine")
    client.close()
    assert use(store, lambda prompt_cache: prompt_cache.get("d")) == Lookup("error")
    assert use(store, lambda prompt_cache: prompt_cache.put("d", ENTRY)) == Stored("error")


def test_a_url_that_only_the_librarys_client_takes_is_refused(store: StoreAddress) -> None:
    """A parameter that the asynchronous client lacks is found at the start, not at the first question."""
    with pytest.raises(SettingError, match=r"FLEETMETER_REDIS_URL.*ssl_validate_ocsp"):
        PromptCache("rediss://127.0.0.1:1/0?ssl_validate_ocsp=yes", store.keys, ROOMY)


def test_the_digest_depends_on_everything_and_nothing_else() -> None:
    """Equal model, messages and limit give equal digests in any order of fields; any other one differs."""
    messages = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]
    digest = digest_of("m", messages, 5)
    assert digest == digest_of("m", [{"content": "a", "role": "user"}, messages[1]], 5)
    others = [
        digest_of("n", messages, 5),
        digest_of("m", messages[::-1], 5),
        digest_of("m", messages, None),
        digest_of("m", [{"role": "system", "content": "a"}, messages[1]], 5),
        digest_of("m", [{"role": "user", "content": "ab"}], 5),
    ]
    assert len({digest, *others}) == 6


def script(name: str) -> str:
    """The text of one of the gateway's scripts."""
    return (resources.files("fleetmeter_app") / "lua" / f"{name}.lua").read_text(encoding="utf-8")


@pytest.fixture(params=["server", "fakeredis"])
def client(request: pytest.FixtureRequest, store: StoreAddress) -> Iterator[Any]:
    """A client of the real server, and of the double that users' own tests may run on."""
    found = store.client() if request.param == "server" else fakeredis.FakeRedis(version=(7,))
    yield found
    found.close()


def test_scripts_refuse_malformed_arguments_and_write_nothing(client: Any, store: StoreAddress) -> None:
    """A wrong number of arguments, a time or a bound that is none: an error reply, and no key."""
    keys = [store.keys.cache_entries, store.keys.cache_expiry, store.keys.cache_order]
    wrong: list[tuple[str, list[Any]]] = [
        ("cache_get", []),
        ("cache_get", ["d", "e"]),
        ("cache_put", ["d", "text", 100]),
        ("cache_put", ["d", "text", 100, 10, "more"]),
        ("cache_put", ["d", "text", 0, 10]),
        ("cache_put", ["d", "text", "soon", 10]),
        ("cache_put", ["d", "text", 100, 0]),
    ]
    for name, arguments in wrong:
        with pytest.raises(Exception, match="FLEETMETER cache_"):
            client.eval(script(name), 3, *keys, *arguments)
    assert client.exists(*keys) == 0


def test_scripts_give_whole_numbers_as_text(client: Any, store: StoreAddress) -> None:
    """The same calls give the same replies on the real server and on the double."""
    keys = [store.keys.cache_entries, store.keys.cache_expiry, store.keys.cache_order]
    put = [client.eval(script("cache_put"), 3, *keys, f"d{n}", "some text", 10**9, 2) for n in range(3)]
    assert put == [[b"0", b"0"], [b"0", b"0"], [b"0", b"1"]]
    assert client.eval(script("cache_get"), 3, *keys, "d0") == [b"miss", b""]
    assert client.eval(script("cache_get"), 3, *keys, "d2") == [b"hit", b"some text"]
    assert int(client.hget(keys[0], "d2").partition(b" ")[0]) == client.zscore(keys[1], "d2")
