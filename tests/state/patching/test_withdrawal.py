"""remove(), remove_by_labels() and clear(): fleet-wide for what is added up, this replica's values for the rest."""

import os
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary

import fleetmeter
from fleetmeter.process.installation import current
from fleetmeter.schema.definition import Definition
from support.fleet import Replica, families, installation, samples, value
from support.store import StoreAddress


@pytest.fixture
def calls() -> Counter:
    """A counter with labels, of no registry."""
    return Counter("w_calls", "x", ["j", "k"], registry=None)


def names(address: StoreAddress) -> set[str]:
    """What the fleet shows of these tests' metrics."""
    return {name for name, _ in samples(address) if name.startswith("w_")}


@pytest.mark.parametrize(
    ("remove", "left"),
    [
        (lambda calls: calls.remove("1", "a"), {("1", "b"), ("2", "a")}),
        (lambda calls: calls.remove(1, "a"), {("1", "b"), ("2", "a")}),
        (lambda calls: calls.remove_by_labels({"k": "a"}), {("1", "b")}),
        (lambda calls: calls.remove_by_labels({"k": "b", "j": 1}), {("1", "a"), ("2", "a")}),
        (lambda calls: calls.remove_by_labels({}), {("1", "a"), ("1", "b"), ("2", "a")}),
        (lambda calls: calls.clear(), set()),
    ],
)
def test_what_another_replica_counted_goes_too(
    installed: StoreAddress, remove: Any, left: set[tuple[str, str]], calls: Counter
) -> None:
    """A removal names series, whichever replica made them; this one need not know them."""
    other = Replica(installed)
    for pair in [("1", "a"), ("1", "b"), ("2", "a")]:
        other.counter("w_calls", labels=["j", "k"], values=pair).inc(5)
    assert other.flush()
    remove(calls)
    assert fleetmeter.flush()
    shown = {tuple(dict(sample.labels).values()) for sample in families(installed)["w_calls"].samples}
    assert shown == left
    other.close()


def test_a_replica_that_counts_on_brings_a_series_back_from_0(installed: StoreAddress, calls: Counter) -> None:
    """The removal acts once: what others count after it is counted."""
    other = Replica(installed)
    cell = other.counter("w_calls", labels=["j", "k"], values=("1", "a"))
    cell.inc(5)
    assert other.flush()
    calls.remove("1", "a")
    assert fleetmeter.flush()
    cell.inc(2)
    assert other.flush()
    calls.labels("2", "b").inc()
    assert fleetmeter.flush()
    assert value(installed, "w_calls_total", j="1", k="a") == 2
    other.close()


def test_a_removed_child_is_detached_and_a_new_one_counts_from_0(installed: StoreAddress, calls: Counter) -> None:
    """What was pending goes along; who holds the old child changes nothing but that child's own total."""
    held, idle = calls.labels("1", "a"), calls.labels("2", "a")
    held.inc(5)
    assert fleetmeter.flush()
    held.inc(3)
    calls.remove("1", "a")
    calls.remove("2", "a")
    held.inc(10)
    idle.inc(10)
    assert fleetmeter.flush()
    assert names(installed) == set()
    assert held._value.get() == 18
    calls.labels("1", "a").inc(2)
    held.inc()
    assert fleetmeter.flush()
    assert value(installed, "w_calls_total", j="1", k="a") == 2


def test_a_new_child_of_the_same_flush_is_behind_the_removal(installed: StoreAddress, calls: Counter) -> None:
    """Count, remove, count: one batch, in which the last count is the only one that is left."""
    calls.labels("1", "a").inc(5)
    calls.remove("1", "a")
    calls.labels("1", "a").inc(2)
    calls.clear()
    calls.labels("1", "a").inc(1)
    assert fleetmeter.flush()
    assert value(installed, "w_calls_total", j="1", k="a") == 1


def test_a_removed_child_stays_detached_whatever_the_machinery_does(installed: StoreAddress, calls: Counter) -> None:
    """Not when everything is sent again, not when the thread rests, not in a forked child, it comes back."""
    held = calls.labels("1", "a")
    held.inc()
    assert fleetmeter.flush()
    held.inc()
    calls.clear()
    runtime = current()
    assert runtime is not None
    accumulator = runtime.accumulator
    accumulator.rest()
    calls.labels("2", "b")
    assert fleetmeter.flush()
    held.inc()
    accumulator.send_all_again()
    calls.labels("2", "b").inc()
    assert fleetmeter.flush()
    assert value(installed, "w_calls_total", j="1", k="a") is None
    pid = os.fork()
    if pid == 0:
        held.inc()
        calls.labels("2", "b").inc()
        os._exit(0 if fleetmeter.flush() else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert value(installed, "w_calls_total", j="1", k="a") is None
    assert value(installed, "w_calls_total", j="2", k="b") == 2


def test_a_forked_child_repeats_no_removal_of_its_parent(installed: StoreAddress, calls: Counter) -> None:
    """A removal that waits for its batch is the parent's to hand over, as counts are."""
    calls.labels("1", "a").inc()
    assert fleetmeter.flush()
    calls.clear()
    pid = os.fork()
    if pid == 0:
        calls.labels("2", "b").inc()
        os._exit(0 if fleetmeter.flush() else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert value(installed, "w_calls_total", j="1", k="a") == 1
    assert fleetmeter.flush()
    assert names(installed) == set()


def test_a_removal_alone_is_handed_over(installed: StoreAddress, calls: Counter) -> None:
    """It is a record: a process that has done nothing else sends it."""
    other = Replica(installed)
    cell = other.counter("w_calls", labels=["j", "k"], values=("1", "a"))
    for _ in range(2):  # the first one also has the family's definition to send
        cell.inc(5)
        assert other.flush()
        calls.clear()
        assert fleetmeter.flush()
        assert names(installed) == set()
    other.close()


def test_histograms_and_summaries_go_with_all_their_parts(installed: StoreAddress) -> None:
    """Buckets, count and sum go together, pending or stored, exemplars included; other label sets stay whole."""
    histogram = Histogram("w_size", "x", ["k"], registry=None, buckets=(1, 10))
    summary = Summary("w_work", "x", ["k"], registry=None)
    for key in ("a", "b"):
        histogram.labels(key).observe(5, {"trace": key})
        summary.labels(key).observe(5)
    assert fleetmeter.flush()
    histogram.labels("a").observe(0.5)
    histogram.remove("a")
    summary.remove("a")
    assert fleetmeter.flush()
    found = families(installed)
    assert {dict(sample.labels)["k"] for name in ("w_size", "w_work") for sample in found[name].samples} == {"b"}
    assert value(installed, "w_size_count", k="b") == value(installed, "w_work_count", k="b") == 1
    client = installed.client()
    # other metrics of this process have exemplars, too
    assert sum(field.startswith(b"w_size:") for field in client.hkeys(installed.keys.exemplars)) == 1
    client.close()


def test_gauges_of_other_replicas_stay(installed: StoreAddress) -> None:
    """Gauges, states and facts are each replica's own: a removal takes away this one's."""
    other = Replica(installed)
    other.cell(Definition.of("w_level", "gauge", "x", "", ["k"], (), "sum"), ["a"]).set(5)
    assert other.flush()
    gauge = Gauge("w_level", "x", ["k"], registry=None, multiprocess_mode="sum")
    state = Enum("w_state", "x", ["k"], registry=None, states=["s", "t"])
    info = Info("w_facts", "x", ["k"], registry=None)
    held = gauge.labels("a")
    held.set(2)
    state.labels("a").state("t")
    info.labels("a").info({"version": "1"})
    assert fleetmeter.flush()
    assert value(installed, "w_level", k="a") == 7
    assert names(installed) == {"w_level", "w_state", "w_facts_info"}
    gauge.clear()
    state.remove("a")
    info.remove_by_labels({"k": "a"})
    held.set(100)
    assert fleetmeter.flush()
    assert value(installed, "w_level", k="a") == 5
    assert names(installed) == {"w_level"}
    gauge.labels("a").set(1)
    assert fleetmeter.flush()
    assert value(installed, "w_level", k="a") == 6
    other.close()


def test_a_removal_inside_an_atomic_block_acts_at_once(installed: StoreAddress, calls: Counter) -> None:
    """What the block recorded for the removed child is gone; what it records for a new one counts at its end."""
    calls.labels("1", "a").inc(5)
    assert fleetmeter.flush()
    with fleetmeter.atomic():
        calls.labels("1", "a").inc(3)
        calls.remove("1", "a")
        calls.labels("1", "a").inc(2)
        assert not fleetmeter.flush()  # what the block recorded waits for its end, the removal does not
        assert value(installed, "w_calls_total", j="1", k="a") == 0
    assert fleetmeter.flush()
    assert value(installed, "w_calls_total", j="1", k="a") == 2


def test_what_was_removed_before_install_or_between_two_installations_counts_no_more(
    store: StoreAddress, calls: Counter
) -> None:
    """A removed child that somebody holds is not taken over; one whose parent is gone is: nobody removed it."""
    held = calls.labels("1", "a")
    held.inc(5)
    calls.remove("1", "a")
    orphan = Counter("w_orphan", "x", ["k"], registry=None).labels("a")
    orphan.inc(3)
    between = calls.labels("2", "b")
    with installation(store):
        held.inc()
        between.inc(2)
        assert fleetmeter.flush()
        assert value(store, "w_calls_total", j="1", k="a") is None
        assert value(store, "w_orphan_total", k="a") == 3
    assert held._value.get() == 6
    calls.clear()
    between.inc(10)
    calls.labels("2", "b").inc(1)
    with installation(store):
        between.inc(100)
    assert value(store, "w_calls_total", j="2", k="b") == 3
    assert between._value.get() == 112


def test_removals_show_in_this_process_too_and_stay_after_uninstall(store: StoreAddress) -> None:
    """The registry is as with the stock client, during the installation and after it."""
    registry = CollectorRegistry()
    calls = Counter("w_own", "x", ["k"], registry=registry)
    with installation(store):
        calls.labels("a").inc(1)
        calls.labels("b").inc(2)
        calls.remove("a")
        assert registry.get_sample_value("w_own_total", {"k": "a"}) is None
    assert registry.get_sample_value("w_own_total", {"k": "a"}) is None
    assert registry.get_sample_value("w_own_total", {"k": "b"}) == 2
    calls.labels("b").inc()
    assert registry.get_sample_value("w_own_total", {"k": "b"}) == 3
