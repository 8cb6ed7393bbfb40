"""`fleetmeter forget`: what is named goes, at once and for everybody, and nothing else does."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from fleetmeter.cli.removal import forget
from fleetmeter.embedded import EmbeddedStore
from fleetmeter.errors import FleetmeterError, StoreRefused
from fleetmeter.reader.continuity import Continuity
from fleetmeter.reader.reading import Reader
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.schema.definition import Definition, compact_json
from support.commands import command, on_terminal, process
from support.fleet import Replica, samples, value
from support.scraping import FixedState
from support.store import StoreAddress, new_address

JOBS = Definition.of("jobs", "counter", "Jobs.", "", ["queue", "kind"], (), "")
OLD_JOBS = Definition.of("jobs", "counter", "Jobs.", "", ["kind"], (), "")
JOBS_DONE = Definition.of("jobs:done", "counter", "Others.", "", ["kind", "queue"], (), "")
WAIT = Definition.of("wait_seconds", "histogram", "Waiting.", "seconds", ["kind"], ("1.0", "+Inf"), "")
LEVEL = Definition.of("level", "gauge", "Level.", "", ["kind"], (), "sum")


@pytest.fixture
def state(store: StoreAddress, client: Any) -> Iterator[FixedState]:
    """Families of several kinds and layouts, with exemplars."""
    with FixedState(store) as state:
        state.writer("w1", "pod-1", 7)
        state.family(JOBS, {("cpu", "a"): 3, ("cpu", "b"): 4, ("gpu", "a"): 5})
        state.family(OLD_JOBS, {("cpu",): 1, ("gpu",): 2})
        state.family(JOBS_DONE, {("cpu", "a"): 9})
        state.family(WAIT, {(kind, part): 2 for kind in ("x", 'y"') for part in ("1.0", "+Inf", "sum")})
        state.family(LEVEL)
        for writer in ("w1", "w2", "@folded"):
            for kind in ("x", "y"):
                state.gauge(LEVEL, writer, (kind,), "5")
        for definition, series in (
            (JOBS, ("cpu", "a")), (JOBS, ("gpu", "a")), (JOBS_DONE, ("cpu", "a")), (WAIT, ("x", "1.0")),
        ):  # fmt: skip
            client.hset(store.keys.exemplars, f"{definition.field} {compact_json(series)}", "5 {}")
        for definition in (JOBS, WAIT):
            client.hset(store.keys.sizes, store.keys.family(definition.field), 3)
        yield state


def texts(raw: Any) -> set[str]:
    """Fields of a hash."""
    return {field.decode() for field in raw}


def test_a_whole_family(
    store: StoreAddress, state: FixedState, client: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every layout goes, with definitions, numbers, exemplars and size; the removal is noted for each layout."""
    others = {key: number for key, number in samples(store).items() if not key[0].startswith("jobs_total")}
    assert command(store, "forget", "jobs", "--yes") == 0
    keys = store.keys
    assert samples(store) == others
    assert texts(client.hkeys(keys.families)) == {JOBS_DONE.field, WAIT.field, LEVEL.field}
    assert client.exists(keys.family(JOBS.field), keys.family(OLD_JOBS.field)) == 0
    assert texts(client.hkeys(keys.exemplars)) == {
        f"{JOBS_DONE.field} " + '["cpu","a"]',
        f"{WAIT.field} " + '["x","1.0"]',
    }
    assert texts(client.hkeys(keys.sizes)) == {keys.family(WAIT.field)}
    noted = client.hgetall(keys.removed)
    assert texts(noted) == {JOBS.field, OLD_JOBS.field}
    seconds, micros = client.time()
    now = seconds * 10**6 + micros
    assert all(0 <= now - int(time) < 60 * 10**6 for time in noted.values())
    out = capsys.readouterr().out
    assert "counter, 5 series, total 15, in 2 layouts" in out
    assert "removed 5 numbers, 0 gauge values, 2 exemplars, 2 definitions" in out


def test_series_by_label_values(store: StoreAddress, state: FixedState, client: Any) -> None:
    """Only series with all of the values go, in every layout that has the labels; the pattern is noted."""
    assert command(store, "forget", "jobs", "kind=cpu", "--yes") == 0
    assert client.hgetall(store.keys.family(JOBS.field)) == {b'["gpu","a"]': b"5"}
    assert client.hgetall(store.keys.family(OLD_JOBS.field)) == {b'["gpu"]': b"2"}
    assert texts(client.hkeys(store.keys.removed)) == {f'{JOBS.field} ["cpu",null]', f'{OLD_JOBS.field} ["cpu"]'}
    assert f'{JOBS.field} ["cpu","a"]' not in texts(client.hkeys(store.keys.exemplars))
    assert f'{JOBS.field} ["gpu","a"]' in texts(client.hkeys(store.keys.exemplars))
    assert texts(client.hkeys(store.keys.families)) >= {JOBS.field, OLD_JOBS.field}


def test_a_layout_without_the_label_stays(store: StoreAddress, state: FixedState, client: Any) -> None:
    """A layout that lacks one of the labels holds no such series."""
    assert command(store, "forget", "jobs", "queue=a", "--yes") == 0
    assert client.hgetall(store.keys.family(JOBS.field)) == {b'["cpu","b"]': b"4"}
    assert client.hlen(store.keys.family(OLD_JOBS.field)) == 2
    assert texts(client.hkeys(store.keys.removed)) == {f'{JOBS.field} [null,"a"]'}


def test_a_histogram_loses_whole_series(store: StoreAddress, state: FixedState, client: Any) -> None:
    """Buckets and sum of a series go together, whatever is in the label."""
    assert command(store, "forget", "wait_seconds", 'kind=y"', "--yes") == 0
    assert texts(client.hkeys(store.keys.family(WAIT.field))) == {'["x","1.0"]', '["x","+Inf"]', '["x","sum"]'}
    assert not client.hexists(store.keys.sizes, store.keys.family(WAIT.field))


def test_gauges_go_for_every_writer(store: StoreAddress, state: FixedState, client: Any) -> None:
    """Values of living, ended and folded writers are one family's."""
    assert command(store, "forget", "level", "kind=x", "--yes") == 0
    left = texts(client.hkeys(store.keys.gauges))
    assert left == {f'{writer} ["level","{LEVEL.layout}",["y"]]' for writer in ("w1", "w2", "@folded")}
    assert command(store, "forget", "level", "--yes") == 0
    assert client.exists(store.keys.gauges) == 0


def held(snapshot: Snapshot) -> dict[str, Mapping[bytes, bytes]]:
    """The numbers of every layout that has any."""
    return {layout: numbers for layout, numbers in snapshot.numbers.items() if numbers}


@pytest.mark.parametrize("words", [["jobs"], ["jobs", "kind=cpu"], ["wait_seconds"], ["wait_seconds", "kind=x"]])
def test_an_exporter_shows_it_at_once(store: StoreAddress, state: FixedState, client: Any, words: list[str]) -> None:
    """A removal is told from a loss: nothing of what was served before is held or kept up."""
    reader, continuity = Reader(store.url, store.namespace), Continuity()
    continuity.show(reader.read())
    assert command(store, "forget", *words, "--yes") == 0
    shown = continuity.show(reader.read())
    assert (shown.held, shown.counts_behind) == (False, 0)
    assert held(shown.snapshot) == held(reader.read())
    client.hdel(store.keys.family(JOBS_DONE.field), '["cpu","a"]')  # nobody asked for this one
    assert continuity.show(reader.read()).counts_behind == 1
    reader.close()


def test_notes_about_series_end_with_their_layout(store: StoreAddress, state: FixedState, client: Any) -> None:
    """A layout's own note covers those about its series, so that the notes stay few."""
    assert command(store, "forget", "jobs", "kind=gpu", "--yes") == 0
    assert command(store, "forget", "jobs", "--yes") == 0
    assert texts(client.hkeys(store.keys.removed)) == {JOBS.field, OLD_JOBS.field}


def test_what_is_not_there_is_an_error(
    store: StoreAddress, state: FixedState, client: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A family, label or value that leads nowhere removes nothing and notes nothing."""
    before = samples(store)
    for words in (["jobs_total"], ["jobs", "color=red"], ["jobs", "kind=tpu"]):
        assert command(store, "forget", *words, "--yes") == 1
    assert "no series of 'jobs' has these label values" in capsys.readouterr().err
    assert samples(store) == before
    assert not client.exists(store.keys.removed)


def test_a_layout_that_appeared_meanwhile(store: StoreAddress, state: FixedState, client: Any) -> None:
    """A family is removed whole or not at all."""
    before = samples(store)
    with pytest.raises(FleetmeterError, match="just added a layout"):
        forget(client, store.keys, "jobs", [(JOBS.field, "all")])
    assert samples(store) == before


def test_a_malformed_call_changes_nothing(store: StoreAddress, state: FixedState, client: Any) -> None:
    """The script looks at its arguments, and at what its keys hold, before the first write."""
    before = samples(store)
    with pytest.raises(StoreRefused, match="malformed pattern"):
        forget(client, store.keys, "jobs", [(JOBS.field, "all"), (OLD_JOBS.field, "[")])
    with pytest.raises(StoreRefused, match="malformed arguments"):
        forget(client, store.keys, "jobs", [])
    client.set(store.keys.removed, "text")
    with pytest.raises(StoreRefused, match="is no hash"):
        forget(client, store.keys, "jobs", [(JOBS.field, "all"), (OLD_JOBS.field, "all")])
    client.delete(store.keys.removed)
    assert samples(store) == before


def test_a_full_store_can_be_relieved() -> None:
    """Where memory is used up, no count is taken, and forget still works."""
    with EmbeddedStore() as server:
        store = new_address(server)
        with FixedState(store) as state:
            state.family(JOBS, {("cpu", str(number)): number for number in range(5000)})
            state.family(WAIT)
        client = store.client()
        client.config_set("maxmemory", "1mb")
        assert command(store, "forget", "jobs", "--yes") == 0
        assert client.hkeys(store.keys.removed) == [JOBS.field.encode()]
        assert texts(client.hkeys(store.keys.families)) == {WAIT.field}
        client.close()


def test_a_living_replica_counts_on_from_zero(store: StoreAddress, capsys: pytest.CaptureFixture[str]) -> None:
    """A series that is still recorded comes back with what was recorded since; nothing of it is lost."""
    replica = Replica(store)
    try:
        counter = replica.counter("jobs", labels=["kind"], values=["cpu"])
        counter.inc(5)
        assert replica.flush()
        assert command(store, "forget", "jobs", "kind=cpu", "--yes") == 0
        assert value(store, "jobs_total", kind="cpu") is None
        assert "1 replica is alive; if one still records these series, they come back" in capsys.readouterr().out
        counter.inc(2)
        assert replica.flush()
        assert value(store, "jobs_total", kind="cpu") == 2
    finally:
        replica.close()


def test_it_asks_first(store: StoreAddress, state: FixedState) -> None:
    """On a terminal it shows what would go, and goes on only for `yes`."""
    before = samples(store)
    for answer in ("no", "", "y"):
        with on_terminal(store, "forget", "jobs") as terminal:
            terminal.wait_for("5 series, total 15").wait_for("type yes: ").type(answer)
            assert terminal.end() == 1
            assert "nothing was removed" in terminal.shown
    assert samples(store) == before
    with on_terminal(store, "forget", "jobs") as terminal:
        terminal.wait_for("type yes: ").type("yes")
        assert terminal.end() == 0
    assert samples(store).keys() == {key for key in before if not key[0].startswith("jobs_total")}


def test_without_a_terminal_it_refuses(store: StoreAddress, state: FixedState) -> None:
    """Where nobody can be asked, only `--yes` removes anything."""
    before = samples(store)
    refused = process(store, "forget", "jobs")
    assert refused.returncode == 2
    assert "--yes: there is no terminal to ask on" in refused.stderr
    assert samples(store) == before
    assert process(store, "forget", "jobs", "--yes").returncode == 0


def test_notes_of_many_calls_are_gathered(store: StoreAddress, state: FixedState, client: Any) -> None:
    """Who forgets series after series for a day leaves no more notes than fit."""
    for number in range(1300):
        client.hset(store.keys.family(JOBS.field), compact_json([str(number), "a"]), 1)
        forget(client, store.keys, "jobs", [(JOBS.field, compact_json([str(number), "a"])), (OLD_JOBS.field, None)])
    notes = texts(client.hkeys(store.keys.removed))
    assert f"{JOBS.field} [[]]" in notes
    assert len(notes) <= 1020
    assert f'{JOBS.field} ["1299","a"]' in notes
