"""Hooks: the official client's metrics become the fleet's, and nothing else about them changes."""

import logging
import math
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    Summary,
    generate_latest,
    values,
)
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

import fleetmeter
from support.everything import Everything, fleet_of_one, stock_samples
from support.fleet import families, installation, samples, samples_of, value
from support.store import StoreAddress


def test_a_fleet_of_one_shows_what_the_stock_client_shows(store: StoreAddress) -> None:
    """Every kind and mode, made after install(): the fleet's samples and this process's are the stock ones."""
    expected = stock_samples()
    with installation(store):
        everything = Everything()
        everything.record()
        assert everything.own() == expected
        assert fleetmeter.flush()
        assert fleet_of_one(store) == expected


def test_children_exist_at_0_from_the_first_flush(installed: StoreAddress) -> None:
    """A child that never counted is shown as 0, a family without children has its definition."""
    registry = CollectorRegistry()
    Counter("z_calls", "x", ["k"], registry=registry).labels("a")
    Histogram("z_h", "x", ["k"], registry=registry, buckets=(1,)).labels("a")
    Summary("z_s", "x", registry=registry)
    Gauge("z_g", "x", registry=registry, multiprocess_mode="sum")
    Counter("z_childless", "Nobody yet.", ["k"], registry=registry)
    Counter("z_trigger", "x", registry=registry).inc()
    assert fleetmeter.flush()
    found = families(installed)
    shown = samples_of(found)
    label = ("k", "a")
    for name, labels in [
        ("z_calls_total", [label]), ("z_h_bucket", [label, ("le", "1.0")]), ("z_h_bucket", [label, ("le", "+Inf")]),
        ("z_h_count", [label]), ("z_h_sum", [label]), ("z_s_count", []), ("z_s_sum", []), ("z_g", []),
    ]:  # fmt: skip
        assert shown[(name, frozenset(labels))] == 0, name
    assert found["z_childless"].samples == []
    assert found["z_childless"].definition.help == "Nobody yet."


def test_one_family_in_two_registries_adds_up(installed: StoreAddress) -> None:
    """A family is its name, whatever registry it was made in."""
    for registry in (CollectorRegistry(), CollectorRegistry(), None):
        Counter("e_twice", "x", ["k"], registry=registry).labels("a").inc(2)
        Histogram("e_twice_h", "x", registry=registry, buckets=(1,)).observe(0.5)
    assert fleetmeter.flush()
    assert value(installed, "e_twice_total", k="a") == 6
    assert value(installed, "e_twice_h_count") == 3


def test_the_order_of_labels_makes_no_second_series(installed: StoreAddress) -> None:
    """By position, by keyword in any order, declared in another order: one series."""
    Counter("e_order", "x", ["b", "a"], registry=None).labels("2", "1").inc()
    counter = Counter("e_order", "x", ["a", "b"], registry=None)
    counter.labels(a="1", b="2").inc()
    counter.labels(b="2", a="1").inc()
    assert fleetmeter.flush()
    assert [sample.value for sample in families(installed)["e_order"].samples] == [3]


def test_metrics_without_a_registry_count(installed: StoreAddress) -> None:
    """`registry=None` keeps a metric out of this process's exposition, not out of the fleet's."""
    counter = Counter("e_none", "x", registry=None)
    counter.inc()
    assert fleetmeter.flush()
    assert value(installed, "e_none_total") == 1


def test_the_default_registry_shows_this_process(installed: StoreAddress) -> None:
    """`REGISTRY` is this process's view; its custom collectors are left alone."""
    counter = Counter("e_default", "x")
    try:
        counter.inc(2)
        assert REGISTRY.get_sample_value("e_default_total") == 2
        assert b"python_info" in generate_latest()
        assert fleetmeter.flush()
        assert REGISTRY.get_sample_value("e_default_total") == 2
        assert "python_info" not in {name for name, _ in samples(installed)}
    finally:
        REGISTRY.unregister(counter)


@pytest.mark.parametrize("amount", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused_counted_and_logged_once(
    amount: float, installed: StoreAddress, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing of it reaches the store, the caller hears nothing, the next amounts count."""
    counter = Counter("e_odd", "x", registry=None)
    histogram = Histogram("e_odd_h", "x", registry=None, buckets=(1,))
    summary = Summary("e_odd_s", "x", registry=None)
    with caplog.at_level(logging.WARNING, "fleetmeter"):
        for _ in range(3):
            if amount != -math.inf:  # a decrease, which the stock client refuses with an exception
                counter.inc(amount)
            histogram.observe(amount)
            summary.observe(amount)
            with fleetmeter.atomic():
                histogram.observe(amount)
    about = [record.args[0] for record in caplog.records if isinstance(record.args, tuple)]
    expected = ["e_odd_h", "e_odd_s"] if amount == -math.inf else ["e_odd", "e_odd_h", "e_odd_s"]
    assert sorted(map(str, about)) == expected
    counter.inc()
    histogram.observe(1)
    summary.observe(1)
    assert fleetmeter.flush()
    shown = samples(installed)
    names = ("e_odd_total", "e_odd_h_count", "e_odd_h_sum", "e_odd_s_count", "e_odd_s_sum")
    assert [shown[(name, frozenset())] for name in names] == [1, 1, 1, 1, 1]
    rejected = shown[("fleetmeter_rejected_values_total", frozenset({("reason", "not_finite")}))]
    assert rejected == (9 if amount == -math.inf else 12)


def test_exemplars_are_kept_and_checked(installed: StoreAddress) -> None:
    """Exemplars of this process show in its own exposition, and a bad one is refused, as by the stock client."""
    registry = CollectorRegistry()
    counter = Counter("e_ex", "x", registry=registry)
    histogram = Histogram("e_ex_h", "x", registry=registry, buckets=(1,))
    counter.inc(1, {"trace": "c"})
    histogram.observe(0.5, {"trace": "h"})
    text = generate_openmetrics(registry).decode()  # type: ignore[no-untyped-call]
    assert '# {trace="c"} 1.0' in text
    assert '# {trace="h"} 0.5' in text
    with pytest.raises(ValueError, match="Exemplar"):
        histogram.observe(0.5, {"x" * 100: "y" * 100})
    assert fleetmeter.flush()
    assert value(installed, "e_ex_h_sum") == 1
    assert value(installed, "e_ex_h_bucket", le="1.0") == value(installed, "e_ex_h_count") == 2


def test_resetting_a_counter_takes_nothing_from_the_fleet(installed: StoreAddress) -> None:
    """`reset()` is about this process."""
    counter = Counter("e_reset", "x", registry=None)
    counter.inc(5)
    counter.reset()
    counter.inc(1)
    assert counter._value.get() == 1
    assert fleetmeter.flush()
    assert value(installed, "e_reset_total") == 6


def test_a_value_class_used_by_hand_counts_too(installed: StoreAddress) -> None:
    """Libraries that ask `values.ValueClass` for a value by themselves get one of the fleet's, histograms included."""
    make: Callable[..., Any] = values.ValueClass
    make("counter", "e_raw", "e_raw_total", ["k"], ["v"], "Raw.").inc(3)
    make("histogram", "e_raw_h", "e_raw_h_sum", [], [], "Raw.").inc(1.5)
    for bound in ("1.0", "10.0", "+Inf"):
        make("histogram", "e_raw_h", "e_raw_h_bucket", ["le"], [bound], "Raw.").inc(1)
    assert fleetmeter.flush()
    assert value(installed, "e_raw_total", k="v") == 3
    assert [value(installed, "e_raw_h_bucket", le=bound) for bound in ("1.0", "10.0", "+Inf")] == [1, 2, 3]


class Misuse:
    """Ways to use a metric wrongly, each by a new metric."""

    calls: tuple[tuple[str, Callable[[], object]], ...] = (
        ("negative counter", lambda: Counter("m", "x", registry=None).inc(-1)),
        ("counter without labels", lambda: Counter("m", "x", ["k"], registry=None).inc()),
        ("counter of text", lambda: Counter("m", "x", registry=None).inc("1")),  # type: ignore[arg-type]
        ("gauge without labels", lambda: Gauge("m", "x", ["k"], registry=None).set(1)),
        ("gauge of text", lambda: Gauge("m", "x", registry=None).set("x")),  # type: ignore[arg-type]
        ("gauge by text", lambda: Gauge("m", "x", registry=None).inc("x")),  # type: ignore[arg-type]
        ("mostrecent inc", lambda: Gauge("m", "x", registry=None, multiprocess_mode="mostrecent").inc()),
        ("unknown mode", lambda: Gauge("m", "x", registry=None, multiprocess_mode="best")),  # type: ignore[arg-type]
        ("histogram without labels", lambda: Histogram("m", "x", ["k"], registry=None).observe(1)),
        ("summary without labels", lambda: Summary("m", "x", ["k"], registry=None).observe(1)),
        ("info without labels", lambda: Info("m", "x", ["k"], registry=None).info({"a": "b"})),
        ("info overlap", lambda: Info("m", "x", ["k"], registry=None).labels("v").info({"k": "b"})),
        ("info of None", lambda: Info("m", "x", registry=None).info({"k": None})),  # type: ignore[dict-item]
        ("too many labels", lambda: Counter("m", "x", ["k"], registry=None).labels("a", "b")),
        ("wrong label", lambda: Counter("m", "x", ["k"], registry=None).labels(q="a")),
        ("labels of labels", lambda: Counter("m", "x", ["k"], registry=None).labels("a").labels("b")),
        ("unsorted buckets", lambda: Histogram("m", "x", registry=None, buckets=(2, 1))),
        ("le label", lambda: Histogram("m", "x", ["le"], registry=None)),
        ("bad exemplar", lambda: Counter("m", "x", registry=None).inc(1, {"k" * 99: "v" * 99})),
    )


def complaints() -> list[tuple[str, str, str]]:
    """What each misuse raises."""
    found = []
    for name, call in Misuse.calls:
        with pytest.raises(Exception) as caught:  # noqa: PT011  which one is what is compared
            call()
        # Python's own words for a wrong type name the operator that met it
        text = str(caught.value) if caught.type is not TypeError else ""
        found.append((name, caught.type.__name__, text))
    return found


def test_misuse_raises_what_the_stock_client_raises(store: StoreAddress) -> None:
    """Type and message of every exception are the same with and without fleetmeter."""
    stock = complaints()
    with installation(store):
        assert complaints() == stock
