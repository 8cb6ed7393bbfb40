"""The cache in a real store: what is kept, what is evicted, who makes what, and what a broken entry does."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import fakeredis
import pytest

from fleetmeter.schema.keys import Keys
from fleetmeter_app.caching.config import CacheConfig
from fleetmeter_app.caching.entry import Entry, Facts
from fleetmeter_app.caching.scripts import Scripts, Unanswered
from fleetmeter_app.caching.shelf import Found, Shelf, Stored
from fleetmeter_app.caching.vault import Vault
from fleetmeter_app.store.script import Script
from support.store import StoreAddress

ENTRY = Entry(Facts(200, "application/json", "gpt-6-luna", "cheap", 1234), b'{"price": "42 \xe2\x82\xac"}\n')
ROOMY = CacheConfig(ttl_seconds=60, max_entries=1000, max_entry_bytes=100_000)


@asynccontextmanager
async def opened(store: StoreAddress, config: CacheConfig = ROOMY, keys: Keys | None = None) -> AsyncIterator[Shelf]:
    """The shelf of the test's own namespace."""
    scripts = Scripts(store.url, store.keys.cache_entries, "the prompt cache", timeout=30)
    try:
        yield Shelf(scripts, keys or store.keys, config, Vault())
    finally:
        await scripts.close()


def use(store: StoreAddress, work: Callable[[Shelf], Awaitable[Any]], config: CacheConfig = ROOMY) -> Any:
    """What `work` returns for such a shelf."""

    async def run() -> Any:
        async with opened(store, config) as shelf:
            return await work(shelf)

    return asyncio.run(run())


def stored_fields(store: StoreAddress) -> tuple[set[bytes], set[bytes], set[bytes]]:
    """The fields under each of the three keys."""
    client, keys = store.client(), store.keys
    scored = [set(client.zrange(key, 0, -1)) for key in (keys.cache_expiry, keys.cache_order)]
    found = set(client.hkeys(keys.cache_entries)), scored[0], scored[1]
    client.close()
    return found


def test_what_was_put_is_found_in_its_namespace(store: StoreAddress) -> None:
    """A lookup before the put misses; after it, it hits, and one in another namespace still misses."""

    async def work(shelf: Shelf) -> None:
        assert await shelf.find("d") == Found("miss")
        assert await shelf.put("d", ENTRY) == Stored("stored")
        assert await shelf.find("d") == Found("hit", ENTRY)
        async with opened(store, keys=Keys(store.namespace + "x")) as other:
            assert await other.find("d") == Found("miss")

    use(store, work)


def test_an_entry_expires_once(store: StoreAddress) -> None:
    """After its time an entry is expired for the first lookup and missing for the next, and nothing of it is left."""

    async def work(shelf: Shelf) -> None:
        await shelf.put("d", ENTRY)
        await asyncio.sleep(0.25)
        assert await shelf.find("d") == Found("miss", expired=True)
        assert await shelf.find("d") == Found("miss")

    use(store, work, replace(ROOMY, ttl_seconds=0.2))
    assert stored_fields(store) == (set(), set(), set())


def test_a_put_evicts_what_has_expired(store: StoreAddress) -> None:
    """A put removes and counts the entries whose time is over, though nobody asked for them."""

    async def work(shelf: Shelf) -> Stored:
        for field in "abc":
            await shelf.put(field, ENTRY)
        await asyncio.sleep(0.15)
        return await shelf.put("d", ENTRY)

    assert use(store, work, replace(ROOMY, ttl_seconds=0.1)) == Stored("stored", expired=3)
    assert stored_fields(store) == ({b"d"}, {b"d"}, {b"d"})


def test_an_entry_above_the_size_is_refused_and_its_making_ended(store: StoreAddress) -> None:
    """The limit counts bytes as they are stored, and is itself allowed; who asks next makes the answer."""
    size = len(ENTRY.to_bytes())

    async def work(shelf: Shelf) -> Stored:
        await shelf.find("d", "maker")
        stored = await shelf.put("d", ENTRY, "maker")
        if stored.result == "refused":
            assert (await shelf.find("d", "next")).state == "lead"
        return stored

    assert use(store, work, replace(ROOMY, max_entry_bytes=size - 1)) == Stored("refused")
    assert stored_fields(store)[0] == set()
    assert use(store, work, replace(ROOMY, max_entry_bytes=size)) == Stored("stored")


def test_the_oldest_entry_makes_room(store: StoreAddress) -> None:
    """Above the bound the entry that was stored longest ago goes; one that is stored again is young again."""

    async def work(shelf: Shelf) -> list[Stored]:
        return [await shelf.put(field, ENTRY) for field in "abcad"]

    stored = use(store, work, replace(ROOMY, max_entries=3))
    assert [result.evicted for result in stored] == [0, 0, 0, 0, 1]
    assert stored_fields(store) == ({b"a", b"c", b"d"},) * 3


def test_evictions_are_exact_with_concurrent_puts(store: StoreAddress) -> None:
    """Each put evicts at most 100, and stored = evicted + kept under each key, whoever puts."""

    async def work(shelf: Shelf, name: str) -> list[Stored]:
        return list(await asyncio.gather(*(shelf.put(f"{name}{n}", ENTRY) for n in range(250))))

    use(store, partial(work, name="old"))
    stored = use(store, partial(work, name="new"), replace(ROOMY, max_entries=10))
    evicted = [result.evicted for result in stored]
    assert max(evicted) == 100
    assert sum(evicted) == 500 - 10
    assert {len(found) for found in stored_fields(store)} == {10}


def test_the_maker_of_an_answer_keeps_others_waiting_until_it_is_there(store: StoreAddress) -> None:
    """The first to ask leads, also when it asks again; others wait, and lead once it is stored or given up."""

    async def work(shelf: Shelf) -> None:
        for ending in ("put", "give up"):
            states = [(await shelf.find("d", token, looked_up=False)).state for token in ("a", "b", "a")]
            assert states == ["lead", "wait", "lead"]
            await shelf.give_up("d", "b")
            await shelf.put("e", ENTRY, "a")
            assert (await shelf.find("d", "b", looked_up=False)).state == "wait"
            if ending == "put":
                await shelf.put("d", ENTRY, "a")
            else:
                await shelf.give_up("d", "a")
            assert (await shelf.find("d", "b", looked_up=False)).state == "lead"
            await shelf.give_up("d", "b")

    use(store, work)


def test_leases_of_crashed_makers_do_not_pile_up(store: StoreAddress, client: Any) -> None:
    """Leads that were never ended are removed by later ones, ten at a time."""

    async def work(shelf: Shelf) -> None:
        shelf.lease = 0.05
        await asyncio.gather(*(shelf.find(f"d{n}", "t") for n in range(50)))
        await asyncio.sleep(0.1)
        shelf.lease = 10
        for n in range(5):
            await shelf.find(f"e{n}", "t")

    use(store, work)
    assert set(client.hkeys(store.keys.cache_flights)) == {b"e0", b"e1", b"e2", b"e3", b"e4"}
    assert client.zcard(store.keys.cache_leases) == 5


@pytest.mark.parametrize("value", [b"", b"no time", b"99999999999999999 ", b"99999999999999999 q", b"soon p{}\n"])
def test_an_entry_that_cannot_be_read_is_passed_over_until_it_is_put_anew(store: StoreAddress, value: bytes) -> None:
    """Whatever stands in the store, a lookup raises nothing, and a put mends it."""
    client = store.client()
    client.hset(store.keys.cache_entries, "d", value)
    client.close()

    async def work(shelf: Shelf) -> None:
        found = await shelf.find("d")
        assert found.state in {"error", "miss"}
        assert found.entry is None
        assert await shelf.put("d", ENTRY) == Stored("stored")
        assert await shelf.find("d") == Found("hit", ENTRY)

    use(store, work)


def test_a_foreign_type_under_a_key_is_an_error(store: StoreAddress, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody else's key makes lookups and puts answer `error`; only an operator's removal raises."""
    client = store.client()
    client.set(store.keys.cache_order, "text")
    client.set(store.keys.cache_entries, "text")
    client.close()

    async def work(shelf: Shelf) -> None:
        assert await shelf.find("d") == Found("error")
        assert await shelf.put("d", ENTRY) == Stored("error")
        with pytest.raises(Unanswered):
            await shelf.drop()

    with caplog.at_level(logging.WARNING, "fleetmeter.app"):
        use(store, work)
    assert "WRONGTYPE" in caplog.text


@pytest.fixture(params=["server", "fakeredis"])
def any_client(request: pytest.FixtureRequest, store: StoreAddress) -> Iterator[Any]:
    """A client of the real server, and of the double that users' own tests may run on."""
    found = store.client() if request.param == "server" else fakeredis.FakeRedis(version=(7,))
    yield found
    found.close()


def test_scripts_refuse_malformed_arguments_and_write_nothing(any_client: Any, store: StoreAddress) -> None:
    """A wrong number of arguments, a time or a bound that is none: an error reply, and no key."""
    names = store.keys
    entries = [names.cache_entries, names.cache_expiry, names.cache_order]
    flights = [names.cache_flights, names.cache_leases]
    wrong: list[tuple[str, list[str], list[Any]]] = [
        ("find", entries + flights, ["d", "t", 1]),
        ("find", entries + flights, ["d", "t", "soon", 1]),
        ("keep", entries + flights, ["d", "text", 100, 10]),
        ("keep", entries + flights, ["d", "text", 0, 10, "t"]),
        ("keep", entries + flights, ["d", "text", "soon", 10, "t"]),
        ("keep", entries + flights, ["d", "text", 100, 0, "t"]),
        ("lease", flights, ["d", "t"]),
        ("lease", flights, ["d", "t", "soon"]),
        ("drop", entries, [0, "", ""]),
        ("drop", entries, ["first", "", "", 0]),
    ]
    for name, keys, arguments in wrong:
        with pytest.raises(Exception, match=f"FLEETMETER cache_{name}"):
            any_client.eval(Script(f"cache_{name}").text, len(keys), *keys, *arguments)
    assert any_client.exists(*entries, *flights) == 0


def test_scripts_answer_the_same_on_the_double(any_client: Any, store: StoreAddress) -> None:
    """The same calls give the same replies on the real server and on the double, numbers as text."""
    names = store.keys
    entries = [names.cache_entries, names.cache_expiry, names.cache_order]
    flights = [names.cache_flights, names.cache_leases]

    def call(name: str, *arguments: Any) -> Any:
        keys = entries if name == "drop" else flights if name == "lease" else entries + flights
        return any_client.eval(Script(f"cache_{name}").text, len(keys), *keys, *arguments)

    assert call("find", "d0 m t", "a", 10**9, 1) == [b"lead", b"0", b""]
    assert int(call("find", "d0 m t", "b", 10**9, 1)[2]) > 0
    assert call("lease", "d0 m t", "b", 10**9) == 0
    assert call("lease", "d0 m t", "a", 10**9) == 1
    assert [call("keep", f"d{n} m t", "text", 10**9, 2, "a") for n in range(3)] == [
        [b"0", b"0"],
        [b"0", b"0"],
        [b"0", b"1"],
    ]
    assert call("find", "d0 m t", "", 1, 1) == [b"miss", b"0", b""]
    assert call("find", "d2 m t", "", 1, 1) == [b"hit", b"0", b"text"]
    assert call("drop", 0, "m", "", 0) == [2, -1]
