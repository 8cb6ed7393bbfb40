"""Sentinel: writers and readers find the master, and the new one after a failover; counts stay exact."""

from collections.abc import Iterator

import pytest

from fleetmeter.errors import StoreUnreachable
from fleetmeter.reader.families import families_of
from fleetmeter.reader.reading import Reader
from fleetmeter.writer.messages import Apply, Hello
from fleetmeter.writer.store import Store
from support.fleet import Replica, value
from support.node import Node, until
from support.sentinel import SERVICE, SentinelStore
from support.store import StoreAddress

PASSWORD = "hunter2"


@pytest.fixture(scope="module")
def sentinel() -> Iterator[SentinelStore]:
    """A master, a replica, three sentinels; the servers ask for a password."""
    with SentinelStore(password=PASSWORD) as running:
        yield running


@pytest.fixture
def address(sentinel: SentinelStore, request: pytest.FixtureRequest) -> StoreAddress:
    """A namespace for the test."""
    return StoreAddress(sentinel.url, request.node.name[:60])


def read(reader: Reader) -> list[float]:
    """Every sample that is stored."""
    return [sample.value for family in families_of(reader.read()) for sample in family.samples]


def test_counts_survive_a_failover(sentinel: SentinelStore, address: StoreAddress) -> None:
    """The same writer and the same reader go on with the new master; nothing is lost or doubled."""
    replica, reader = Replica(address, interval=0.05), Reader(address.url, address.namespace)
    counter = replica.counter("c")
    for _ in range(5):
        counter.inc(1)
        assert replica.flush()
    assert read(reader) == [5]
    sentinel.catch_up()
    former = sentinel.kill_master()
    counter.inc(1)
    assert not replica.flush(0.3), "nobody is there"
    sentinel.wait_for_failover(former)
    assert replica.flush(10)
    until("a reader that finds the new master", lambda: _reads(reader, 6))
    sentinel.restart_as_replica(former)
    counter.inc(1)
    assert replica.flush()
    assert read(reader) == [7]
    assert not replica.errors("internal")
    replica.close()
    reader.close()


def _reads(reader: Reader, expected: float) -> bool:
    try:
        return read(reader) == [expected]
    except StoreUnreachable:
        return False


def test_a_master_that_was_demoted_costs_no_failed_call(sentinel: SentinelStore, address: StoreAddress) -> None:
    """It answers READONLY, having done nothing: the same call goes to the new master at once."""
    replica = Replica(address)
    counter = replica.counter("c")
    counter.inc(1)
    assert replica.flush()
    former = sentinel.master
    sentinel.switch()
    assert former.run("ROLE")[0] == "slave"
    counter.inc(1)
    assert replica.flush()
    assert value(address, "c_total") == 2
    assert sum(replica.errors(reason) or 0 for reason in ("unreachable", "timeout", "refused", "auth")) == 0
    replica.close()


def test_a_sentinel_that_is_behind_the_times_is_not_followed(sentinel: SentinelStore, address: StoreAddress) -> None:
    """It names a server that is no master: nothing is read from there, and the next call asks another sentinel."""
    stale = f"sentinel monitor {SERVICE} 127.0.0.1 {sentinel.replica.port} 1\n"
    with Node(config=stale, sentinel=True) as liar:
        url = address.url.replace("@", f"@127.0.0.1:{liar.port},")
        reader = Reader(url, address.namespace)
        with pytest.raises(StoreUnreachable, match="is no master"):
            reader.read()
        assert reader.read().rows == {}
        reader.close()


def test_how_many_replicas_have_a_write(sentinel: SentinelStore, address: StoreAddress) -> None:
    """WAIT counts for the write on its own connection; without a write, none are counted and nobody waits."""
    sentinel.catch_up()
    door = Store(address.url, address.keys)
    door.hello(Hello("w", "E"), {})
    answer, reached = door.apply_and_wait(Apply("E", "w", 0, 1, 0), 1, 5.0)
    assert (answer.status, reached) == ("applied", 1)
    answer, reached = door.apply_and_wait(Apply("E", "w", 0, 1, 0), 1, 5.0)
    assert (answer.status, reached) == ("already", 0), "nothing was written that could be waited for"
    lagging = sentinel.stall_replication()
    answer, reached = door.apply_and_wait(Apply("E", "w", 1, 2, 0), 1, 1.2)
    assert (answer.status, reached) == ("applied", 0), "longer than one answer of the client may take"
    sentinel.resume_replication(lagging)
    answer, reached = door.apply_and_wait(Apply("E", "w", 2, 2, 0), 1, 5.0)
    assert (answer.status, reached) == ("applied", 1), "a heartbeat tells for everything before it"
    door.close()


def test_no_sentinel_answers(address: StoreAddress) -> None:
    """The error names the service and who was asked, and no password."""
    with pytest.raises(StoreUnreachable) as caught:
        Reader(f"redis+sentinel://:{PASSWORD}@127.0.0.1:1,localhost:2/fleet", "n").read()
    assert "'fleet' (asked: 127.0.0.1:1, localhost:2)" in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_a_service_that_nobody_knows(sentinel: SentinelStore) -> None:
    """A misspelt service is told as such."""
    with pytest.raises(StoreUnreachable, match=r"'flet'.*knows no such service"):
        Reader(sentinel.url.replace("/fleet", "/flet"), "n").read()
