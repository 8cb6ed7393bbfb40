"""Enum and Info: what each living replica states, and what becomes of it."""

from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Enum, Info, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

import fleetmeter
from fleetmeter.errors import StateError
from fleetmeter.schema.definition import Definition, StoredDefinition
from fleetmeter_exporter import RedisCollector
from support.fleet import Replica, families, installation, samples, value
from support.scraping import BIRTH_US, FixedState
from support.store import StoreAddress

STATES = ("off", "on")
STATE = Definition.of("s_state", "stateset", "x", "", ["k"], (), "", STATES)


def test_each_living_replica_shows_its_state(installed: StoreAddress) -> None:
    """One sample per state and replica, of which one is 1; a replica that ends takes its own away."""
    other = Replica(installed)
    theirs: Any = other.cell(STATE, ["a"])
    theirs.set("on")
    Enum("s_state", "x", ["k"], registry=None, states=STATES).labels("a").state("off")
    assert other.flush()
    assert fleetmeter.flush()
    by_replica: dict[str, dict[str, float]] = {}
    for sample in families(installed)["s_state"].samples:
        labels = dict(sample.labels)
        by_replica.setdefault(labels["replica"].split(":")[0], {})[labels["s_state"]] = sample.value
    assert by_replica == {"here": {"off": 1, "on": 0}, "test": {"off": 0, "on": 1}}
    assert other.flusher.flush(5.0, goodbye=True)
    assert {dict(sample.labels)["replica"][:4] for sample in families(installed)["s_state"].samples} == {"here"}
    other.close()


def test_both_formats_show_a_state_set_as_the_stock_client_does(installed: StoreAddress) -> None:
    """A gauge in the text format, a stateset in OpenMetrics."""
    Enum("s_state", "Task.", registry=None, states=STATES).state("on")
    registry = CollectorRegistry(support_collectors_without_names=True)
    RedisCollector(registry, url=installed.url, namespace=installed.namespace)
    text = generate_latest(registry).decode()
    openmetrics = generate_openmetrics(registry).decode()  # type: ignore[no-untyped-call]
    assert "# TYPE s_state gauge\n" in text
    assert "# TYPE s_state stateset\n" in openmetrics
    for exposition in (text, openmetrics):
        assert ',s_state="off"} 0.0\n' in exposition
        assert ',s_state="on"} 1.0\n' in exposition


def test_an_enum_is_in_its_first_state_until_another_is_set(store: StoreAddress) -> None:
    """From the first flush on, also where it was never set."""
    early = Enum("s_early", "x", registry=None, states=STATES)
    with installation(store):
        Enum("s_late", "x", ["k"], registry=None, states=STATES).labels("a")
        early.state("on")
        assert fleetmeter.flush()
        present = {
            (name, dict(labels)[name])
            for (name, labels), number in samples(store).items()
            if number and name[:2] == "s_"
        }
        assert present == {("s_early", "on"), ("s_late", "off")}


def test_enums_and_infos_go_on_after_uninstall_and_are_taken_over_again(store: StoreAddress) -> None:
    """The stock objects keep what they say, and the next installation says it again."""
    registry = CollectorRegistry()
    state = Enum("s_state", "x", registry=registry, states=STATES)
    info = Info("s_facts", "x", registry=registry)
    with installation(store):
        state.state("on")
        info.info({"version": "1"})
    assert registry.get_sample_value("s_state", {"s_state": "on"}) == 1
    assert registry.get_sample_value("s_facts_info", {"version": "1"}) == 1
    assert "_fleetmeter" not in state.__dict__
    assert "_fleetmeter" not in info.__dict__
    state.state("off")
    info.info({"version": "2"})
    state.state("on")
    with installation(store):
        assert fleetmeter.flush()
        assert value(store, "s_facts_info", version="2") == 1
        (shown,) = [sample for sample in families(store)["s_state"].samples if sample.value]
        assert dict(shown.labels)["s_state"] == "on"


def test_a_wrong_state_raises_and_changes_nothing(installed: StoreAddress) -> None:
    """As with the stock client; other misuse likewise."""
    enum = Enum("s_state", "x", registry=None, states=STATES)
    enum.state("on")
    with pytest.raises(ValueError, match="not in tuple"):
        enum.state("broken")
    with pytest.raises(ValueError, match="No states"):
        Enum("s_none", "x", registry=None)
    with pytest.raises(ValueError, match="missing label values"):
        Enum("s_parent", "x", ["k"], registry=None, states=STATES).state("on")
    assert fleetmeter.flush()
    assert [sample.value for sample in families(installed)["s_state"].samples] == [0, 1]


def test_a_state_that_the_newest_version_does_not_know_is_shown_beside_the_others(store: StoreAddress) -> None:
    """A rolling deploy that renames states: nobody's present state is hidden."""
    with FixedState(store) as state:
        state.writer("w1", "host", 1)
        state.family(replace(STATE, labels=()))
        state.gauge(replace(STATE, labels=()), "w1", (), '"paused"')
    shown = {dict(sample.labels)["s_state"]: sample.value for sample in families(store)["s_state"].samples}
    assert shown == {"off": 0, "on": 0, "paused": 1}


def test_an_enum_called_replica_keeps_its_name(store: StoreAddress) -> None:
    """The label that tells writers apart gives way to the family's own."""
    definition = Definition.of("replica", "stateset", "x", "", [], (), "", STATES)
    with FixedState(store) as state:
        state.writer("w1", "host", 1)
        state.family(definition)
        state.gauge(definition, "w1", (), '"on"')
    assert [dict(sample.labels) for sample in families(store)["replica"].samples] == [
        {"fleetmeter_replica": "host:1", "replica": "off"},
        {"fleetmeter_replica": "host:1", "replica": "on"},
    ]


def test_labels_that_look_like_ours_keep_their_names(store: StoreAddress) -> None:
    """Ours gives way to any number of them."""
    definition = Definition.of("fleetmeter_replica", "stateset", "x", "", ["replica"], (), "", STATES)
    with FixedState(store) as state:
        state.writer("w1", "host", 1)
        state.family(definition)
        state.gauge(definition, "w1", ("a",), '"on"')
    shown = [dict(sample.labels) for sample in families(store)["fleetmeter_replica"].samples]
    assert shown == [
        {"replica": "a", "fleetmeter_fleetmeter_replica": "host:1", "fleetmeter_replica": state} for state in STATES
    ]


@pytest.mark.parametrize("text", ["on", "1", "[]", '"\\ud800"'])
def test_a_stored_value_that_is_no_state_is_told(store: StoreAddress, text: str) -> None:
    """Nothing is guessed."""
    with FixedState(store) as state:
        state.writer("w1", "host", 1)
        state.family(STATE)
        state.gauge(STATE, "w1", ("a",), text)
    with pytest.raises(StateError, match="is no state"):
        families(store)


def test_states_are_part_of_a_definition_and_change_no_other_ones_text() -> None:
    """They are read back; a family without them is stored as it always was, and no layout depends on them."""
    text = f"{BIRTH_US} {BIRTH_US} {STATE.to_json()}"
    assert StoredDefinition.parse(STATE.field, text).definition == STATE
    assert replace(STATE, states=()).layout == STATE.layout
    assert '"states"' not in replace(STATE, states=()).to_json()


@pytest.mark.parametrize("mode", ["sum", "min", "max", "mostrecent", "all", "livesum", "liveall"])
def test_what_ended_writers_left_takes_part_in_what_the_dead_take_part_in(store: StoreAddress, mode: str) -> None:
    """The remainder of folded writers counts for sum, min, max and mostrecent; it is no replica of its own."""
    definition = Definition.of("s_level", "gauge", "x", "", [], (), mode)
    with FixedState(store) as state:
        state.writer("w1", "host", 1)
        state.family(definition)
        state.gauge(definition, "w1", (), "4", 5)
        state.gauge(definition, "@folded", (), "3", 9)
    expected = {"sum": [7], "min": [3], "max": [4], "mostrecent": [3]}
    assert [sample.value for sample in families(store)["s_level"].samples] == expected.get(mode, [4])


@pytest.mark.parametrize(("mode", "expected"), [("min", 2), ("max", 4)])
def test_nan_is_neither_the_smallest_nor_the_largest(store: StoreAddress, mode: str, expected: float) -> None:
    """Whatever the order in which the store tells the values."""
    definition = Definition.of("s_level", "gauge", "x", "", [], (), mode)
    with FixedState(store) as state:
        state.family(definition)
        for number, text in enumerate(("nan", "4", "nan", "2", "nan")):
            state.gauge(definition, f"w{number}", (), text)
    assert [sample.value for sample in families(store)["s_level"].samples] == [expected]
