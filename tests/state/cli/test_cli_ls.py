"""`fleetmeter ls`: everything that is stored can be seen, by people and by programs."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from fleetmeter.cli.printing import NOTHING
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.keys import Keys
from fleetmeter.schema.packing import FRACTION
from support.blocks import Blocks, packed
from support.commands import command
from support.fleet import Replica
from support.scraping import BIRTH_US, FixedState
from support.store import StoreAddress

JOBS = Definition.of("jobs", "counter", "Jobs done.", "", ["kind", "queue"], (), "")
SPEND = Definition.of("spend_usd", "counter", "Money.", "usd", ["model"], (), "")
WAIT = Definition.of("wait_seconds", "histogram", "Waiting.", "seconds", ["kind"], ("1.0", "+Inf"), "")


@pytest.fixture
def state(store: StoreAddress) -> Iterator[FixedState]:
    """Three families, one of them in two layouts, and three writers."""
    with FixedState(store) as state:
        state.writer("w1", "pod-1", 7)
        state.writer("w2", "pod-2", 8, heartbeat_us=BIRTH_US)
        state.family(JOBS, {("cpu", "a"): 3, ("cpu", "b"): 4, ("gpu", "a"): 5})
        state.family(SPEND, {("m",): 1_500_000_000})
        state.family(WAIT, {("x", "1.0"): 2, ("x", "+Inf"): 1, ("x", "sum"): 2_500_000})
        state.family(Definition.of("jobs", "counter", "Jobs done.", "", ["kind"], (), ""), {("tpu",): 1})
        yield state


def listed(store: StoreAddress, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """What a list says as JSON."""
    assert command(store, "ls", "--json", *words) == 0
    return json.loads(capsys.readouterr().out)


def test_families(store: StoreAddress, state: FixedState, capsys: pytest.CaptureFixture[str]) -> None:
    """Each family is one line: type, unit, labels, series, layouts, help."""
    assert command(store, "ls") == 0
    heads, *lines = capsys.readouterr().out.splitlines()
    assert heads.split() == ["FAMILY", "TYPE", "UNIT", "LABELS", "SERIES", "LAYOUTS", "HELP"]
    assert [re.split(r" {2,}", line) for line in lines] == [
        ["jobs", "counter", NOTHING, "kind,queue", "4", "2", "Jobs done."],
        ["spend_usd", "counter", "usd", "model", "1", "1", "Money."],
        ["wait_seconds", "histogram", "seconds", "kind", "1", "1", "Waiting."],
    ]
    families = listed(store, capsys)
    assert families[1] == {
        "name": "spend_usd", "type": "counter", "unit": "usd", "labels": ["model"], "series": 1, "layouts": 1,
        "help": "Money.",
    }  # fmt: skip


def test_the_series_of_a_family(store: StoreAddress, state: FixedState, capsys: pytest.CaptureFixture[str]) -> None:
    """A family's samples in its own unit; label values narrow them down; buckets come when asked for."""
    assert command(store, "ls", "jobs", "kind=cpu") == 0
    assert capsys.readouterr().out.splitlines() == [
        'jobs_total{kind="cpu",queue="a"} 3',
        'jobs_total{kind="cpu",queue="b"} 4',
    ]
    assert listed(store, capsys, "spend_usd") == [{"name": "spend_usd_total", "labels": {"model": "m"}, "value": 1.5}]
    names = [sample["name"] for sample in listed(store, capsys, "wait_seconds")]
    assert names == ["wait_seconds_count", "wait_seconds_sum"]
    buckets = listed(store, capsys, "wait_seconds", "--buckets")
    assert [sample["value"] for sample in buckets] == [2, 3, 3, 2.5]
    assert listed(store, capsys, "jobs", "kind=none") == []


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["jobs_total"], 1, "there is no family 'jobs_total' (is 'jobs' meant?)"),
        (["nothing"], 1, "there is no family 'nothing'; `fleetmeter ls` lists them"),
        (["jobs", "color=red"], 1, "no series of 'jobs' has the labels color; its labels are kind, queue"),
        (["jobs", "kind"], 2, "label=value: 'kind' has no name or no '='"),
        (["jobs", "kind=a", "kind=b"], 2, "the label 'kind' is given twice"),
        (["jobs", "--writers"], 2, "--writers: it lists no families; leave out 'jobs'"),
    ],
)
def test_what_is_not_there(
    store: StoreAddress,
    state: FixedState,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    status: int,
    message: str,
) -> None:
    """A name that leads nowhere is an error that says where it could lead."""
    assert command(store, "ls", *words) == status
    assert message in capsys.readouterr().err


def test_writers(store: StoreAddress, state: FixedState, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that live come first; each says who it is, how far, and when it was last heard of."""
    client = store.client()
    client.hset(store.keys.writers, "w0", f"9 2 {BIRTH_US} goodbye")
    client.hset(store.keys.writers, "@later", "something")
    client.close()
    writers = listed(store, capsys, "--writers")
    assert [(writer["id"], writer["replica"], writer["state"]) for writer in writers] == [
        ("w1", "pod-1", "alive"),
        ("w2", "pod-2", "silent"),
        ("w0", "", "goodbye"),
    ]
    assert (writers[2]["applied"], writers[2]["given_up"]) == (9, 2)
    assert writers[1]["silent_seconds"] > 86_400
    assert command(store, "ls", "--writers") == 0
    assert re.search(r"^w2 +pod-2 +8 .* silent$", capsys.readouterr().out, re.MULTILINE)


def test_namespaces(store: StoreAddress, capsys: pytest.CaptureFixture[str]) -> None:
    """Every namespace of the store is found; a key that only looks like one is not."""
    other = StoreAddress(store.url, store.namespace + ".other")
    with FixedState(other) as state:
        state.writer("w1", "pod-1", 7)
        state.family(JOBS)
    replica = Replica(store)
    replica.counter("c").inc(1)
    assert replica.flush()
    replica.close()
    client = store.client()
    odd = Keys(store.namespace).writers.replace(store.namespace, store.namespace + " odd")
    client.hset(odd, "a", "b")
    found = {entry["name"]: entry for entry in listed(store, capsys, "--namespaces")}
    client.delete(odd)
    client.close()
    assert found[other.namespace] == {
        "name": other.namespace, "since_us": BIRTH_US, "writers": 1, "families": 1,
    }  # fmt: skip
    assert found[store.namespace]["writers"] == 1
    assert store.namespace + " odd" not in found


def test_a_namespace_that_cannot_be_read_hides_no_other(
    store: StoreAddress, client: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keys of another type in one namespace: the rest is listed, and each such key is named."""
    bad, good = (StoreAddress(store.url, f"{store.namespace}.{name}") for name in ("bad", "good"))
    client.set(bad.keys.families, "text")
    client.hset(bad.keys.writers, "@epoch", "no epoch")
    client.set(StoreAddress(store.url, f"{store.namespace}.worse").keys.writers, "text")
    with FixedState(good) as state:
        state.writer("w1", "pod-1", 7)
        state.family(JOBS)
    found = {entry["name"]: entry for entry in listed(store, capsys, "--namespaces")}
    assert found[good.namespace]["families"] == 1
    assert found[bad.namespace] == {"name": bad.namespace, "since_us": None, "writers": 0, "families": None}
    assert found[f"{store.namespace}.worse"]["writers"] is None


def test_nothing_in_a_stored_text_reaches_the_terminal(
    store: StoreAddress, state: FixedState, capsys: pytest.CaptureFixture[str]
) -> None:
    """Escape sequences and line ends of labels and help texts are shown, not sent."""
    state.family(Definition.of("evil", "counter", "\x1b[2Jhelp\n", "", ["l"], (), ""), {("\x1b]0;x\x07",): 1})
    for words in ([], ["evil"]):
        assert command(store, "ls", *words) == 0
        out = capsys.readouterr().out
        assert "\x1b" not in out
        assert "\\x1b" in out


def test_an_empty_namespace(store: StoreAddress, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing there is no error, and JSON stays JSON."""
    assert command(store, "ls") == 0
    assert f"no families in namespace '{store.namespace}'" in capsys.readouterr().out
    assert listed(store, capsys) == listed(store, capsys, "--writers") == []


def test_numbers_that_json_cannot_hold(
    store: StoreAddress, state: FixedState, capsys: pytest.CaptureFixture[str]
) -> None:
    """NaN and infinities are texts, as an exposition writes them."""
    level = Definition.of("level", "gauge", "", "", ["l"], (), "sum")
    state.family(level)
    state.gauge(level, "w1", ("a",), "nan")
    state.gauge(level, "w1", ("b",), "-inf")
    assert [sample["value"] for sample in listed(store, capsys, "level")] == ["NaN", "-Inf"]


def test_a_type_of_a_later_version(store: StoreAddress, state: FixedState, capsys: pytest.CaptureFixture[str]) -> None:
    """What this version cannot read is listed all the same."""
    state.family(Definition.of("future", "sketch", "", "", (), (), ""))
    entry = next(entry for entry in listed(store, capsys) if entry["name"] == "future")
    assert (entry["type"], entry["series"]) == ("sketch", None)


def test_packed_numbers_are_listed_like_others(
    store: StoreAddress, state: FixedState, capsys: pytest.CaptureFixture[str]
) -> None:
    """A family in both formats is one family with two layouts, and a series of both is one series."""
    client = store.client()
    blocks = Blocks(packed("jobs", "counter", ["kind", "queue"]))
    blocks.add(["cpu", "a"], {"": 2 * FRACTION}).add(["cpu", "c"], {"": FRACTION // 2}).store(client, store.keys)
    client.close()
    jobs = listed(store, capsys)[0]
    assert (jobs["series"], jobs["layouts"]) == (5, 3)
    found = {tuple(sample["labels"].values()): sample["value"] for sample in listed(store, capsys, "jobs")}
    assert (found["cpu", "a"], found["cpu", "b"], found["cpu", "c"]) == (5, 4, 0.5)
