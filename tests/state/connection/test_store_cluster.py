"""Cluster: writers and readers find the node that has their slot, wherever it goes; counts stay exact."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from fleetmeter.errors import StoreRefused, StoreUnreachable
from fleetmeter.reader.families import families_of
from fleetmeter.reader.reading import Reader
from fleetmeter.values.delta import Delta
from fleetmeter.writer.messages import Apply, Hello
from fleetmeter.writer.store import Store
from fleetmeter.writer.wire import encode
from fleetmeter_app.caching.config import CacheConfig
from fleetmeter_app.caching.scripts import Scripts
from fleetmeter_app.caching.shelf import Shelf
from fleetmeter_app.caching.vault import Vault
from support.cluster import ClusterStore
from support.fleet import Replica, samples, value
from support.node import Node, until
from support.store import StoreAddress

TROUBLES = ("unreachable", "timeout", "refused", "auth", "internal")


@pytest.fixture(scope="module")
def cluster() -> Iterator[ClusterStore]:
    """Three masters and their replicas."""
    with ClusterStore() as running:
        yield running


@pytest.fixture
def address(cluster: ClusterStore, request: pytest.FixtureRequest) -> StoreAddress:
    """A namespace for the test."""
    return StoreAddress(cluster.url, request.node.name[:60])


@pytest.fixture
def replica(address: StoreAddress) -> Iterator[Replica]:
    """A writer."""
    replica = Replica(address, interval=0.05)
    yield replica
    replica.close()


@pytest.fixture
def reader(address: StoreAddress) -> Iterator[Reader]:
    """A reader."""
    reader = Reader(address.url, address.namespace)
    yield reader
    reader.close()


def read(reader: Reader) -> list[float]:
    """Every sample that is stored."""
    return [sample.value for family in families_of(reader.read()) for sample in family.samples]


def troubles(replica: Replica) -> float:
    """How many calls of a writer did not go as they should."""
    return sum(replica.errors(reason) or 0 for reason in TROUBLES)


def test_namespaces_on_every_node(cluster: ClusterStore) -> None:
    """Whichever node of the URL is asked first, each namespace is written and read where its slot is."""
    owners = set()
    for number in range(12):
        address = StoreAddress(cluster.url, f"spread-{number}")
        writer = Replica(address)
        writer.counter("c").inc(number)
        assert writer.flush()
        assert troubles(writer) == 0
        writer.close()
        assert samples(address)["c_total", frozenset()] == number
        owners.add(cluster.owner(address.keys.writers).port)
    assert len(owners) == 3


def test_one_node_of_the_url_is_enough(cluster: ClusterStore, replica: Replica, address: StoreAddress) -> None:
    """The others are learnt; a node that does not answer is passed over."""
    replica.counter("c").inc(3)
    assert replica.flush()
    url = f"redis+cluster://127.0.0.1:1,127.0.0.1:{cluster.nodes[-1].port}"
    assert value(StoreAddress(url, address.namespace), "c_total") == 3


def test_counts_survive_a_failover(
    cluster: ClusterStore, address: StoreAddress, replica: Replica, reader: Reader
) -> None:
    """The same writer and the same reader go on with the new master; nothing is lost or doubled."""
    key = address.keys.writers
    counter = replica.counter("c")
    for _ in range(5):
        counter.inc(1)
        assert replica.flush()
    assert read(reader) == [5]
    cluster.catch_up(key)
    former = cluster.kill_owner(key)
    counter.inc(1)
    assert not replica.flush(0.3), "nobody is there"
    cluster.wait_for_failover(key, former)
    assert replica.flush(10)
    until("a reader that finds the new master", lambda: _reads(reader, 6))
    cluster.restart(former)
    counter.inc(1)
    assert replica.flush()
    assert read(reader) == [7]


def _reads(reader: Reader, expected: float) -> bool:
    try:
        return read(reader) == [expected]
    except (StoreUnreachable, StoreRefused):
        return False


def test_a_master_that_was_demoted_costs_no_failed_call(
    cluster: ClusterStore, address: StoreAddress, replica: Replica, reader: Reader
) -> None:
    """It answers MOVED, having done nothing: the same call, and the same read, go to the new master at once."""
    counter = replica.counter("c")
    counter.inc(1)
    assert replica.flush()
    assert read(reader) == [1]
    cluster.switch(address.keys.writers)
    assert read(reader) == [1]
    counter.inc(1)
    assert replica.flush()
    assert read(reader) == [2]
    assert troubles(replica) == 0


def test_a_slot_that_moves_under_load(
    cluster: ClusterStore, address: StoreAddress, replica: Replica, reader: Reader
) -> None:
    """While its keys are at two nodes, calls are refused with nothing applied; once it has moved, all is there."""
    key = address.keys.writers
    counter = replica.counter("c")
    counter.inc(1)
    assert replica.flush()
    assert read(reader) == [1]
    source, target = cluster.begin_move(key)
    counter.inc(1)
    assert not replica.flush(0.3)
    assert cluster.move_keys(key, source, target, 1) == 1
    counter.inc(1)
    assert not replica.flush(0.3)
    with pytest.raises(StoreRefused, match="moved to another node"):
        replica.store.apply(replica.writer.next_apply())
    with pytest.raises(StoreRefused, match="just being moved to another node"):
        reader.read()
    while cluster.move_keys(key, source, target):
        pass
    with pytest.raises(StoreRefused, match=f"just being moved to another node, 127.0.0.1:{target.port}; nothing was"):
        reader.read()
    cluster.end_move(key, source, target)
    assert replica.flush(10)
    assert read(reader) == [3]
    counter.inc(1)
    assert replica.flush()
    assert value(address, "c_total") == 4
    assert not replica.errors("internal")


def test_a_call_goes_on_where_all_its_keys_have_gone(cluster: ClusterStore, address: StoreAddress) -> None:
    """A node that has given its keys away, but not yet the slot, answers ASK; that one call goes to the other node."""
    keys = address.keys
    door, client = Store(address.url, keys), address.client()
    door.hello(Hello("w", "E"), {"replica": "x"})
    for key in encode(Delta(), keys).keys:  # a key that is nowhere counts as one that has not gone
        client.hsetnx(key, "other", "1 0 1")
    client.close()
    source, target = cluster.begin_move(keys.writers)
    while cluster.move_keys(keys.writers, source, target):
        pass
    assert door.apply(Apply("E", "w", 0, 1, 0)).status == "applied"
    assert door.apply(Apply("E", "w", 0, 1, 0)).status == "already"
    cluster.end_move(keys.writers, source, target)
    assert door.apply(Apply("E", "w", 1, 2, 0)).status == "applied"
    door.close()


def test_how_many_replicas_have_a_write(cluster: ClusterStore, address: StoreAddress) -> None:
    """The node that has the slot is the one whose replicas count."""
    door = Store(address.url, address.keys)
    door.hello(Hello("w", "E"), {})
    until("a replica that has it", lambda: door.apply_and_wait(Apply("E", "w", 0, 0, 0), 1, 1.0)[1] >= 1)
    door.close()


async def _look_up(address: StoreAddress, between: Callable[[], object]) -> list[str]:
    scripts = Scripts(address.url, address.keys.cache_entries, "the test", timeout=10)
    shelf = Shelf(scripts, address.keys, CacheConfig(60, 10, 1000), Vault())
    try:
        first = await shelf.find("digest m t")
        await asyncio.to_thread(between)
        return [first.state, (await shelf.find("digest m t")).state, str(await scripts.reachable())]
    finally:
        await scripts.close()


def test_the_prompt_cache_finds_its_node(cluster: ClusterStore, address: StoreAddress) -> None:
    """Asynchronous code has the same stores, and follows its slot at once."""
    for number in range(6):
        found = _look_up(StoreAddress(cluster.url, f"cache-{number}"), lambda: None)
        assert asyncio.run(found) == ["miss", "miss", "True"]
    found = _look_up(address, lambda: cluster.switch(address.keys.writers))
    assert asyncio.run(found) == ["miss", "miss", "True"]


def test_a_single_server_is_no_cluster(store: StoreAddress, cluster: ClusterStore) -> None:
    """A server without cluster mode is told as such, and a cluster behind a plain URL works where the slot is."""
    with Node() as single, pytest.raises(StoreUnreachable, match="cluster support disabled"):
        Reader(f"redis+cluster://127.0.0.1:{single.port}", "n").read()
