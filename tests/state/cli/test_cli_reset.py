"""`fleetmeter reset`: a namespace begins anew, exactly, while replicas go on."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from fleetmeter.cli.errors import CommandError
from fleetmeter.cli.removal import contents, reset
from fleetmeter.connection.client import translated
from fleetmeter.embedded import EmbeddedStore
from fleetmeter.errors import StoreRefused
from fleetmeter.lua import lua_source
from fleetmeter.reader.continuity import Continuity
from fleetmeter.reader.reading import Reader
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.keys import EPOCH_FIELD
from fleetmeter.schema.rows import Epoch
from support.commands import command, on_terminal, process
from support.fleet import Replica, samples, value
from support.processes import eventually
from support.proxy import Fault, FaultProxy
from support.scraping import FixedState
from support.store import StoreAddress, new_address

JOBS = Definition.of("jobs", "counter", "Jobs.", "", ["kind"], (), "")
LEVEL = Definition.of("level", "gauge", "Level.", "", ["kind"], (), "sum")
WRITERS, ROUNDS = 4, 60


@pytest.fixture
def state(store: StoreAddress, client: Any) -> Iterator[FixedState]:
    """Something in every key that a namespace has."""
    keys = store.keys
    with FixedState(store) as state:
        state.writer("w1", "pod-1", 7)
        state.family(JOBS, {("cpu",): 3, ("gpu",): 4})
        state.family(LEVEL)
        state.gauge(LEVEL, "w1", ("x",), "5")
        client.hset(keys.writers, "@swept", "5")
        client.hset(keys.retired, mapping={"w9": "5 0 7", "@horizon": "7"})
        client.hset(keys.writer("w9"), "replica", "gone")
        client.hset(keys.writer("stray"), "replica", "nobody's")
        client.hset(keys.exemplars, f'{JOBS.field} ["cpu"]', "5 {}")
        client.hset(keys.removed, "old:12345678", "5")
        client.hset(keys.family("old:12345678"), '["x"]', "6")
        client.hset(keys.family("lost:12345678"), '["x"]', "6")
        client.hset(keys.sizes, keys.family(JOBS.field), "2")
        client.hset(keys.returned, mapping={JOBS.field: "5", f'{JOBS.field} ["cpu"]': "6"})
        client.hset(keys.cache_entries, "digest", "entry")
        client.zadd(keys.cache_expiry, {"digest": 5})
        client.hset(keys.circuits, "m", "open 1 5 1 -")
        yield state


def epoch_of(client: Any, store: StoreAddress) -> str:
    """The whole text of the epoch."""
    text: bytes = client.hget(store.keys.writers, EPOCH_FIELD)
    return text.decode()


def test_everything_but_cache_and_circuits_goes(
    store: StoreAddress, state: FixedState, client: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """All that counts is deleted, whoever's it was, and the epoch that follows is marked as deliberate."""
    others = {key for key in client.keys("*") if store.namespace.encode() not in key}
    keys = store.keys
    assert command(store, "reset", "--yes") == 0
    assert set(client.keys("*")) - others == {
        key.encode() for key in (keys.writers, keys.retired, keys.cache_entries, keys.cache_expiry, keys.circuits)
    }
    assert client.hkeys(keys.writers) == [EPOCH_FIELD.encode()]
    text = epoch_of(client, store)
    assert client.hgetall(keys.retired) == {EPOCH_FIELD.encode(): text.encode()}
    epoch = Epoch.parse(text)
    assert text.split(" ")[3:] == ["reset"]
    assert (epoch.format, epoch.deliberate) == (1, True)
    seconds, micros = client.time()
    assert 0 <= seconds * 10**6 + micros - epoch.birth_us < 60 * 10**6
    out = capsys.readouterr().out
    assert "counting since 2026-09-21 14:13:20Z: 2 families, 1 writer" in out
    assert "deleted 2 families, 3 numbers, 1 gauge value, 1 exemplar, 1 writer; a new epoch begins" in out
    assert epoch.id in out


def test_an_exporter_shows_it_at_once(store: StoreAddress, state: FixedState) -> None:
    """A new epoch is told from a loss: nothing of what was served before is held or kept up."""
    reader, continuity = Reader(store.url, store.namespace), Continuity()
    assert continuity.show(reader.read()).snapshot.numbers
    assert command(store, "reset", "--yes") == 0
    shown = continuity.show(reader.read())
    assert (shown.held, shown.counts_behind) == (False, 0)
    assert not any(shown.snapshot.numbers.values())
    reader.close()


def test_nothing_there(store: StoreAddress, client: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A namespace into which nobody recorded stays as it is."""
    assert command(store, "reset", "--yes") == 0
    assert "there is nothing to reset" in capsys.readouterr().out
    assert not client.exists(store.keys.writers)


def test_numbers_without_an_epoch_go_too(store: StoreAddress, state: FixedState, client: Any) -> None:
    """Where the store lost the writers' key, what it kept is still the namespace's."""
    client.delete(store.keys.writers)
    assert command(store, "reset", "--yes") == 0
    assert not client.exists(store.keys.family(JOBS.field))
    assert samples(store) == {}


def test_another_namespace_is_left_alone(store: StoreAddress, state: FixedState, client: Any) -> None:
    """A namespace whose name begins with this one's is another."""
    other = StoreAddress(store.url, store.namespace + ".other")
    with FixedState(other) as beside:
        beside.family(JOBS, {("cpu",): 3})
        assert command(store, "reset", "--yes") == 0
        assert value(other, "jobs_total", kind="cpu") == 3


def test_an_epoch_that_changed_meanwhile(store: StoreAddress, state: FixedState, client: Any) -> None:
    """What was confirmed is what is deleted: a namespace that began anew since is another one."""
    seen = contents(client, store.keys)
    client.hset(store.keys.writers, EPOCH_FIELD, "another 5 1")
    before = samples(store)
    with pytest.raises(CommandError, match="has a new epoch since it was read"):
        reset(client, store.keys, seen)
    assert samples(store) == before


def test_a_family_that_appeared_meanwhile_goes_too(store: StoreAddress, state: FixedState, client: Any) -> None:
    """No key is left out because its family came after the list was read."""
    seen = contents(client, store.keys)
    new = Definition.of("new", "counter", "", "", ["kind"], (), "")
    state.family(new, {("x",): 1})
    done = reset(client, store.keys, seen)
    assert (done.layouts, done.numbers) == (3, 4)
    assert not client.exists(store.keys.family(new.field))


def test_a_family_that_was_forgotten_meanwhile_goes_too(store: StoreAddress, state: FixedState, client: Any) -> None:
    """Numbers that replicas go on adding to a forgotten family are left to no new epoch."""
    seen = contents(client, store.keys)
    client.hset(store.keys.removed, 'gone:12345678 ["x"]', "5")
    client.hset(store.keys.family("gone:12345678"), '["x"]', "5")
    assert reset(client, store.keys, seen).numbers == 4
    assert not client.exists(store.keys.family("gone:12345678"))


def test_a_malformed_call_changes_nothing(store: StoreAddress, state: FixedState, client: Any) -> None:
    """The script looks at its arguments before the first write: fewer keys than layouts are refused."""
    before = samples(store)
    with pytest.raises(StoreRefused, match="malformed arguments"), translated():
        client.register_script(lua_source("reset"))(keys=store.keys.fixed, args=["epoch", "new", "1", JOBS.field])
    assert samples(store) == before


def test_a_state_that_cannot_be_read_can_be_reset(
    store: StoreAddress, state: FixedState, client: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """What stops every scrape does not stop its remedy."""
    client.hset(store.keys.families, b"bad\xff:1", b"\xff")
    client.set(store.keys.gauges, "no hash")
    client.hset(store.keys.writers, "stray", "no row")
    assert command(store, "ls") == 1
    assert command(store, "reset", "--yes") == 0
    assert command(store, "ls") == 0


def test_another_state_format_is_left_alone(
    store: StoreAddress, state: FixedState, client: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a later version keeps, and where, is not known to this one."""
    client.hset(store.keys.writers, EPOCH_FIELD, "e 5 2")
    assert command(store, "reset", "--yes") == 1
    assert "state format 2; this version of fleetmeter resets format 1 only" in capsys.readouterr().err
    assert client.exists(store.keys.family(JOBS.field))


def test_a_full_store_can_be_relieved() -> None:
    """Where memory is used up, reset still works, and leaves an epoch."""
    with EmbeddedStore() as server:
        store = new_address(server)
        with FixedState(store) as state:
            state.family(JOBS, {(str(number),): number for number in range(5000)})
        client = store.client()
        client.config_set("maxmemory", "1mb")
        assert command(store, "reset", "--yes") == 0
        assert client.hkeys(store.keys.writers) == [EPOCH_FIELD.encode()]
        client.close()


def test_it_asks_for_the_namespaces_name(store: StoreAddress, state: FixedState) -> None:
    """On a terminal only the namespace's name, typed in full, deletes anything."""
    before = samples(store)
    for answer in ("yes", "", store.namespace[:-1]):
        with on_terminal(store, "reset") as terminal:
            terminal.wait_for("2 families, 1 writer").wait_for(f"type {store.namespace}: ").type(answer)
            assert terminal.end() == 1
            assert "nothing was deleted" in terminal.shown
    assert samples(store) == before
    with on_terminal(store, "reset") as terminal:
        terminal.wait_for(f"type {store.namespace}: ").type(store.namespace)
        assert terminal.end() == 0
    assert samples(store) == {}


def test_without_a_terminal_it_refuses(store: StoreAddress, state: FixedState) -> None:
    """Where nobody can be asked, only `--yes` deletes anything."""
    before = samples(store)
    refused = process(store, "reset")
    assert refused.returncode == 2
    assert "--yes: there is no terminal to ask on" in refused.stderr
    assert samples(store) == before


def test_a_replica_goes_on_in_the_new_epoch(store: StoreAddress) -> None:
    """What was handed over before is gone, what comes after is counted, and nothing counts as lost."""
    replica = Replica(store)
    try:
        counter = replica.counter("jobs")
        counter.inc(5)
        assert replica.flush()
        assert command(store, "reset", "--yes") == 0
        counter.inc(3)
        assert replica.flush()
        assert replica.flush()  # the definitions follow with the next batch
        assert value(store, "jobs_total") == 3
        assert replica.telemetry.registry.get_sample_value("fleetmeter_lost_batches_total") == 0
    finally:
        replica.close()


@pytest.mark.parametrize("fault", [Fault.LOSE_REQUEST, Fault.LOSE_REPLY, Fault.CUT_BEFORE, Fault.CUT_AFTER])
def test_what_was_not_acknowledged_is_kept(store: StoreAddress, fault: Fault) -> None:
    """A batch whose outcome the writer never learnt is in the new epoch, once."""
    with FaultProxy(store.url) as proxy:
        replica = Replica(store, proxy.url())
        try:
            counter = replica.counter("jobs")
            counter.inc(5)
            assert replica.flush()
            counter.inc(7)
            proxy.arm(fault)
            replica.flush(0.05)
            assert proxy.fired == [fault]
            proxy.refuse()
            assert eventually(lambda: not replica.exchange.calling)
            kept = 7 if replica.writer.in_flight else 0  # a slow machine may have sent it again by now
            assert command(store, "reset", "--yes") == 0
            proxy.accept()
            assert replica.flush()
            assert replica.flush()
            assert value(store, "jobs_total") == kept
        finally:
            replica.close()


def test_a_reset_while_writers_write(store: StoreAddress) -> None:
    """Each writer's count is exactly what it handed over under the new epoch, however the two fell together."""
    halfway = threading.Barrier(WRITERS + 1)
    epochs: list[list[str | None]] = [[] for _ in range(WRITERS)]
    replicas = [Replica(store) for _ in range(WRITERS)]

    def write(number: int) -> None:
        replica = replicas[number]
        counter = replica.counter("jobs", labels=["writer"], values=[str(number)])
        for done in range(ROUNDS):
            if done == ROUNDS // 4:
                halfway.wait()
            counter.inc(1)
            assert replica.flush()
            epochs[number].append(replica.writer.epoch)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    try:
        for thread in threads:
            thread.start()
        halfway.wait()
        assert command(store, "reset", "--yes") == 0
        for thread in threads:
            thread.join()
        reader = Reader(store.url, store.namespace)
        epoch = reader.read().epoch
        reader.close()
        assert epoch is not None
        for number, seen in enumerate(epochs):
            assert len(seen) == ROUNDS
            counted = value(store, "jobs_total", writer=str(number))
            assert counted == seen.count(epoch.id)
            assert ROUNDS > counted > 0
    finally:
        for replica in replicas:
            replica.close()
