"""The commands of the shell on packed numbers: they do what they do on fields of hashes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fleetmeter.schema.definition import Definition
from support.commands import command
from support.fleet import Replica, samples, value
from support.packed import decoded
from support.store import StoreAddress

LABELS = ["queue", "kind"]
JOBS, HASHED = (Definition.of("jobs", "counter", "Jobs.", "", LABELS, (), "", packed=one) for one in (True, False))
WAIT = Definition.of("wait_seconds", "histogram", "Waiting.", "seconds", ["kind"], ("1.0", "+Inf"), "", packed=True)


@pytest.fixture
def replica(store: StoreAddress) -> Iterator[Replica]:
    """A replica that counted jobs in both formats, and waits in the packed one."""
    replica = Replica(store, packs=False)
    for definition in (JOBS, HASHED):
        for amount, values in enumerate((("a", "cpu"), ("b", "cpu"), ("a", "gpu")), 3):
            cell: Any = replica.cell(definition, values)
            cell.inc(amount)
    for kind in ("x", 'y"'):
        for part in ("sum", "1.0"):
            waited: Any = replica.cell(WAIT, (kind,), part)
            waited.inc(2)
    assert replica.flush()
    yield replica
    replica.close()


def jobs(store: StoreAddress) -> dict[tuple[str, ...], float]:
    """The jobs that an exporter shows, by kind and queue."""
    found = {key[1]: number for key, number in samples(store).items() if key[0] == "jobs_total"}
    return {tuple(value for _, value in sorted(labels)): number for labels, number in found.items()}


def test_both_formats_are_added_up(store: StoreAddress, replica: Replica) -> None:
    """Old and new replicas stand side by side in one family."""
    assert jobs(store) == {("cpu", "a"): 6, ("cpu", "b"): 8, ("gpu", "a"): 10}


def test_a_family_is_listed_once(store: StoreAddress, replica: Replica, capsys: pytest.CaptureFixture[str]) -> None:
    """Series that are in both formats are counted once, and both layouts are told of, as both can be forgotten."""
    assert command(store, "ls", "--json") == 0
    found = {family["name"]: family for family in json.loads(capsys.readouterr().out)}
    assert (found["jobs"]["series"], found["jobs"]["layouts"]) == (3, 2)
    assert command(store, "ls", "jobs", "kind=gpu", "--json") == 0
    assert [sample["value"] for sample in json.loads(capsys.readouterr().out)] == [10]


def test_series_are_forgotten_in_both(
    store: StoreAddress, client: Any, replica: Replica, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is named goes from either format, with the numbers of what went; a replica that knew it writes it anew."""
    assert command(store, "forget", "jobs", "kind=cpu", "--yes") == 0
    assert "removed 4 numbers" in capsys.readouterr().out
    assert decoded(client, store.keys, JOBS) == {'["gpu","a"]': 5 * 10**15}
    noted = {field.decode() for field in client.hkeys(store.keys.removed)}
    assert noted == {f'{one.field} ["cpu",null]' for one in (JOBS, HASHED)}
    cell: Any = replica.cell(JOBS, ("a", "cpu"))
    cell.inc(1)
    assert replica.flush()
    assert jobs(store) == {("cpu", "a"): 1, ("gpu", "a"): 10}


def test_a_histogram_loses_whole_series(
    store: StoreAddress, client: Any, replica: Replica, capsys: pytest.CaptureFixture[str]
) -> None:
    """Buckets and sum of a series go together, whatever is in the label."""
    assert command(store, "forget", "wait_seconds", 'kind=y"', "--yes") == 0
    assert "removed 3 numbers" in capsys.readouterr().out
    assert decoded(client, store.keys, WAIT) == {'["x","sum"]': 2_000_000, '["x","1.0"]': 2, '["x","+Inf"]': 0}


def test_a_whole_family_is_forgotten(
    store: StoreAddress, client: Any, replica: Replica, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every layout goes with all of its keys; a replica makes the family known again and goes on from nothing."""
    assert command(store, "forget", "jobs", "--yes") == 0
    assert "removed 6 numbers, 0 gauge values, 0 exemplars, 2 definitions" in capsys.readouterr().out
    assert not client.exists(*store.keys.packed(JOBS.field), store.keys.family(HASHED.field))
    cell: Any = replica.cell(JOBS, ("a", "cpu"))
    cell.inc(7)
    assert replica.flush()
    assert jobs(store)["cpu", "a"] == 7


def test_a_pattern_that_fits_nothing_changes_nothing(store: StoreAddress, client: Any, replica: Replica) -> None:
    """What replicas know of the slots still holds."""
    names = client.lrange(store.keys.packed(JOBS.field)[2], 0, -1)
    assert command(store, "forget", "jobs", "kind=tpu", "--yes") != 2
    assert client.lrange(store.keys.packed(JOBS.field)[2], 0, -1) == names


def test_a_namespace_begins_anew(
    store: StoreAddress, client: Any, replica: Replica, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reset deletes the keys of both formats, whoever's they were, and says how many numbers there were."""
    client.set(store.keys.packed("lost:12345678")[0], "x")
    before = {key for key in client.keys("*") if store.namespace.encode() in key}
    assert {key.encode() for key in (*store.keys.packed(JOBS.field), store.keys.family(HASHED.field))} <= before
    assert command(store, "reset", "--yes") == 0
    left = {key.decode() for key in client.keys("*") if store.namespace.encode() in key}
    assert left == {store.keys.writers, store.keys.retired}
    out = capsys.readouterr().out
    assert "12 numbers" in out
    cell: Any = replica.cell(JOBS, ("a", "cpu"))
    cell.inc(5)
    assert replica.flush()
    assert jobs(store)["cpu", "a"] == 5


def test_ls_and_doctor_see_them(store: StoreAddress, replica: Replica, capsys: pytest.CaptureFixture[str]) -> None:
    """A family of two formats is one; the namespace's size counts all keys."""
    assert command(store, "ls", "--json") == 0
    listed = capsys.readouterr().out
    assert '"jobs"' in listed
    assert command(store, "doctor", "--json") in (0, 1)
    found = {check["subject"]: check for check in json.loads(capsys.readouterr().out)}
    assert found["families"]["status"] == "ok"
    assert value(store, "wait_seconds_count", kind="x") == 2
