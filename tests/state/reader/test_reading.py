"""Reading: one instant of a namespace, or a clear error."""

from collections.abc import Iterator
from typing import Any

import pytest

from fleetmeter.errors import StateError, StoreRefused, StoreUnreachable
from fleetmeter.reader.families import families_of
from fleetmeter.reader.gauge_read import registered
from fleetmeter.reader.reading import Reader
from fleetmeter.schema.definition import Definition
from support.fleet import Replica, value
from support.packed import keys_of
from support.proxy import Fault, FaultProxy
from support.store import StoreAddress


@pytest.fixture(params=["packed", "fields"])
def replica(store: StoreAddress, request: pytest.FixtureRequest) -> Iterator[Replica]:
    """A writer that packs its numbers, and one that keeps fields."""
    replica = Replica(store, packs=request.param == "packed")
    yield replica
    replica.close()


@pytest.fixture
def reader(store: StoreAddress) -> Iterator[Reader]:
    """A reader."""
    reader = Reader(store.url, store.namespace, reads=registered())
    yield reader
    reader.close()


@pytest.fixture
def client(store: StoreAddress) -> Iterator[Any]:
    """A plain client."""
    client = store.client()
    yield client
    client.close()


def test_an_empty_namespace_is_read(reader: Reader) -> None:
    """Nobody has written yet: there is no epoch, and nothing else."""
    snapshot = reader.read()
    assert (snapshot.epoch, snapshot.rows, snapshot.definitions, snapshot.numbers) == (None, {}, (), {})
    assert (snapshot.alive, snapshot.last_write_us, snapshot.extras is None) == (frozenset(), None, False)
    assert snapshot.last_write_goodbye is None


def test_a_snapshot_tells_who_is_there(replica: Replica, reader: Reader) -> None:
    """Epoch, rows and clock are the store's."""
    replica.counter("r_c").inc(3)
    assert replica.flush()
    snapshot = reader.read()
    assert snapshot.epoch is not None
    assert (snapshot.epoch.id, snapshot.epoch.format) == (replica.writer.epoch, 1)
    assert snapshot.alive == {replica.writer.id}
    assert snapshot.rows[replica.writer.id].applied == 1
    assert snapshot.last_write_us is not None
    assert 0 <= snapshot.taken_us - snapshot.last_write_us < 10**7


def test_a_family_that_appears_between_two_reads_is_seen_whole(
    replica: Replica, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that did not know of it reads again, so that what was written together is seen together."""
    old = replica.counter("r_old")
    old.inc(1)
    assert replica.flush()
    reader.read()
    old.inc(1)
    new = replica.counter("r_new")
    new.inc(1)
    assert replica.flush()
    transactions = []
    original = Reader._commands

    def counted(self: Reader, fields: list[bytes]) -> Any:
        transactions.append(1)
        return original(self, fields)

    monkeypatch.setattr(Reader, "_commands", counted)
    snapshot = reader.read()
    assert snapshot.numbers[old.definition.field] == {b"[]": b"%d" % (2 * old.definition.scale)}
    assert snapshot.numbers[new.definition.field] == {b"[]": b"%d" % new.definition.scale}
    assert len(transactions) == 2
    reader.read()
    assert len(transactions) == 3, "a family that is known costs no second read"


def test_a_family_that_goes_is_gone(replica: Replica, reader: Reader, client: Any, store: StoreAddress) -> None:
    """What was deleted is asked for no more, and comes back when it comes back."""
    counter = replica.counter("r_gone")
    counter.inc(1)
    assert replica.flush()
    assert counter.definition.field in reader.read().numbers
    client.hdel(store.keys.families, counter.definition.field)
    client.delete(*keys_of(store.keys, counter.definition))
    assert reader.read().definitions == ()
    assert reader.read().numbers == {}


def test_numbers_without_a_definition_are_not_in_a_snapshot(
    replica: Replica, reader: Reader, client: Any, store: StoreAddress
) -> None:
    """The first read after the definitions went has asked for the numbers; nobody can say any more what they mean."""
    replica.counter("c").inc(3)
    replica.flush()
    assert reader.read().numbers
    client.delete(store.keys.families)
    assert reader.read().numbers == {}


def test_one_read_is_one_transaction_of_plain_reads(replica: Replica, reader: Reader, client: Any) -> None:
    """A user who may only read can take every snapshot."""
    replica.counter("r_c").inc(1)
    assert replica.flush()
    client.execute_command(
        "ACL", "SETUSER", "taker", "on", ">pw", "~*", "+@read", "+multi", "+exec", "+time", "+@connection"
    )
    try:
        taker = Reader(replica.store._client.connection_pool.connection_kwargs["path"].join(("unix://taker:pw@", "")),
                       reader.keys.namespace)  # fmt: skip
        assert taker.read().numbers == reader.read().numbers
        taker.close()
    finally:
        client.execute_command("ACL", "DELUSER", "taker")


@pytest.mark.parametrize("key", ["families", "writers", "gauges", "cache_expiry"])
def test_a_foreign_type_under_a_key_is_a_state_error(
    key: str, replica: Replica, reader: Reader, client: Any, store: StoreAddress
) -> None:
    """Somebody's string where a hash should be is told as such."""
    replica.counter("r_c").inc(1)
    assert replica.flush()
    name = getattr(store.keys, key)
    client.delete(name)
    client.set(name, "text")
    with pytest.raises(StateError, match="is of another type"):
        families_of(reader.read())
    client.delete(name)
    families_of(reader.read())


def test_a_foreign_type_under_a_familys_key_is_a_state_error(
    replica: Replica, reader: Reader, client: Any, store: StoreAddress
) -> None:
    """The key is in the message."""
    counter = replica.counter("r_c")
    counter.inc(1)
    assert replica.flush()
    key = keys_of(store.keys, counter.definition)[0]
    client.delete(key)
    client.rpush(key, "text")
    with pytest.raises(StateError) as caught:
        families_of(reader.read())
    assert key in str(caught.value)
    assert caught.value.reason == "wrong_type"


@pytest.mark.parametrize(
    ("key", "field", "text"),
    [
        ("families", b"x:1", b"nonsense"), ("families", b"\xff", b"1 2 {}"), ("families", b"x:1", b"\xff"),
        ("writers", b"w", b"nonsense"), ("writers", b"\xff", b"\xff"), ("writers", b"@epoch", b"nonsense"),
        ("writers", b"@epoch", b"id 1 2"), ("writers", b"\xff", b"1 1 1 alive"), ("families", b"\xff:1", b"1 2 {}"),
        ("families", b"x:1", b"1 2 " + b"[" * 10**5),
    ],
)  # fmt: skip
def test_foreign_content_and_other_state_formats_are_state_errors(
    key: str, field: bytes, text: bytes, reader: Reader, client: Any, store: StoreAddress
) -> None:
    """What this version cannot understand is named, and no other exception leaves."""
    client.hset(getattr(store.keys, key), field, text)
    with pytest.raises(StateError, match=key):
        families_of(reader.read())


def test_a_familys_name_that_is_no_utf8_is_a_state_error(
    replica: Replica, reader: Reader, client: Any, store: StoreAddress
) -> None:
    """Though the rest of its definition is in order: no key could be made of it."""
    counter = replica.counter("r_c")
    counter.inc(1)
    assert replica.flush()
    text = client.hget(store.keys.families, counter.definition.field)
    client.hset(store.keys.families, b"\xff:" + counter.definition.layout.encode(), text)
    with pytest.raises(StateError, match="not UTF-8"):
        families_of(reader.read())


def test_what_a_later_version_keeps_beside_the_epoch_is_no_writer(
    reader: Reader, client: Any, store: StoreAddress
) -> None:
    """Fields of `writers` that begin with `@` are never writers."""
    client.hset(store.keys.writers, mapping={"@epoch": "id 1 1 more", "@later": b"\xff", "w": "1 0 1 alive"})
    snapshot = reader.read()
    assert list(snapshot.rows) == ["w"]
    assert snapshot.epoch is not None


def test_a_family_of_a_later_type_is_not_asked_for(reader: Reader, client: Any, store: StoreAddress) -> None:
    """Its key may be of a type that would make the whole read fail."""
    later = Definition.of("r_sketch", "sketch", "", "", [], [], "")
    client.hset(store.keys.families, later.field, f"1 1 {later.to_json()}")
    client.set(store.keys.family(later.field), "text")
    snapshot = reader.read()
    assert [stored.definition for stored in snapshot.definitions] == [later]
    assert snapshot.numbers == {}


def test_another_state_format_stops_writers_and_is_counted(replica: Replica, client: Any, store: StoreAddress) -> None:
    """A replica of this version does not write into it, says so once a try, and keeps its counts."""
    client.hset(store.keys.writers, "@epoch", "E 1 99")
    replica.counter("r_c").inc(1)
    assert not replica.flush(0.01)
    assert client.hlen(store.keys.writers) == 1
    replica.close()
    assert replica.errors("format") == replica.flusher._pace.failures
    assert replica.flusher.has_work


def test_a_store_that_is_away_is_unreachable(store: StoreAddress) -> None:
    """Nobody listens, or nobody answers in time."""
    with pytest.raises(StoreUnreachable) as caught:
        Reader("unix:///nowhere/store.sock", store.namespace).read()
    assert caught.value.reason == "unreachable"
    with FaultProxy(store.url) as proxy:
        reader = Reader(proxy.url(), store.namespace)
        reader.read()
        proxy.arm(Fault.LOSE_REPLY, b"EXEC")
        with pytest.raises(StoreUnreachable) as caught:
            reader.read()
        assert caught.value.reason == "timeout"
        assert reader.read().epoch is None, "the next read works"
        reader.close()


def test_a_wrong_password_is_a_refusal(store: StoreAddress) -> None:
    """A reader is told like a writer."""
    with pytest.raises(StoreRefused) as caught:
        Reader(store.url.replace("unix://", "unix://nobody:pw@"), store.namespace).read()
    assert caught.value.reason == "auth"


def test_replicas_are_named_by_host_and_process(
    replica: Replica, reader: Reader, client: Any, store: StoreAddress
) -> None:
    """A writer whose name is lost goes by its id."""
    replica.counter("r_c").inc(1)
    assert replica.flush()
    client.hset(store.keys.gauges, f'{replica.writer.id} ["g","1",[]]', "1 1")
    client.hset(store.keys.gauges, 'lost ["g","1",[]]', "1 1")
    assert reader.read().replicas == {replica.writer.id: "test:1", "lost": "lost"}
    client.delete(store.keys.gauges)
    assert reader.read().replicas == {}


def test_a_proxy_that_is_idle_changes_nothing(store: StoreAddress) -> None:
    """Large batches and replies pass the test proxy whole."""
    with FaultProxy(store.url) as proxy:
        replica = Replica(store, proxy.url("socket_timeout=5"))
        cells = [replica.counter("r_wide", "", ["k"], [f"{number:0100d}"]) for number in range(5000)]
        for cell in cells:
            cell.inc(1)
        assert replica.flush(10)
        replica.close()
        reader = Reader(proxy.url("socket_timeout=5"), store.namespace)
        assert len(reader.read().numbers[cells[0].definition.field]) == 5000
        reader.close()
    assert value(store, "r_wide_total", k=f"{7:0100d}") == 1


def test_a_glance_has_epoch_and_rows(replica: Replica, reader: Reader, client: Any, store: StoreAddress) -> None:
    """What `read` says of them, without the numbers; it fails where `read` does for the whole namespace."""
    replica.counter("r_glance").inc(1)
    assert replica.flush()
    whole, glance = reader.read(), reader.glance()
    assert (glance.epoch, glance.rows, glance.numbers) == (whole.epoch, whole.rows, {})
    assert glance.taken_us >= whole.taken_us
    client.delete(store.keys.families)
    client.set(store.keys.families, "text")
    for read in (reader.read, reader.glance):
        with pytest.raises(StateError, match="is of another type"):
            read()
