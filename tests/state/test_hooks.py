"""Hooks: the official client's metrics become the fleet's, and nothing else about them changes."""

import gc
import logging
import math
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

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
from fleetmeter.runtime import current
from support.exposition import parse
from support.fleet import families, installation, samples, samples_of, value
from support.store import StoreAddress

MODES: tuple[Literal["sum", "livesum", "liveall", "max", "mostrecent"], ...] = (
    "sum",
    "livesum",
    "liveall",
    "max",
    "mostrecent",
)


class Everything:
    """A registry with a metric of every kind, without labels and with."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.counter = Counter("e_jobs", "x", registry=registry)
        self.labelled = Counter("e_calls", "x", ["b", "a"], registry=registry)
        self.money = Counter("e_cost_usd", "x", registry=registry)
        self.gauges = [Gauge(f"e_{mode}", "x", registry=registry, multiprocess_mode=mode) for mode in MODES]
        self.histogram = Histogram("e_t_seconds", "x", registry=registry, buckets=(0.1, 1))
        self.sizes = Histogram("e_size", "x", ["k"], registry=registry, buckets=(1, 10))
        self.summary = Summary("e_work", "x", registry=registry)
        self.info = Info("e_build", "x", registry=registry)

    def record(self) -> None:
        """The same records on every call."""
        self.counter.inc()
        self.labelled.labels(a="1", b="2").inc(2.5)
        self.money.inc(0.000000125)
        for gauge in self.gauges:
            gauge.set(3)
        self.histogram.observe(0.5)
        self.sizes.labels("x").observe(7)
        self.sizes.labels("y").observe(100)
        self.summary.observe(4)
        self.info.info({"version": "1"})

    def own(self) -> dict[Any, float]:
        """What this process's registry shows."""
        return {
            key: number for key, number in parse(generate_latest(self.registry)).items() if "_created" not in key[0]
        }


@pytest.fixture
def stock_samples() -> dict[Any, float]:
    """What the stock client shows of the same records."""
    everything = Everything()
    everything.record()
    return everything.own()


def fleet_of_one(address: StoreAddress) -> dict[Any, float]:
    """The fleet's samples of these metrics, without the label that tells replicas apart."""
    return {
        (name, frozenset(pair for pair in labels if pair[0] != "replica")): number
        for (name, labels), number in samples(address).items()
        if name.startswith("e_")
    }


def test_a_fleet_of_one_shows_what_the_stock_client_shows(
    stock_samples: dict[Any, float], installed: StoreAddress
) -> None:
    """Every kind and mode, made after install(): the fleet's samples and this process's are the stock ones."""
    everything = Everything()
    everything.record()
    assert fleetmeter.flush()
    assert everything.own() == stock_samples
    assert fleet_of_one(installed) == stock_samples


def test_metrics_made_before_install_are_taken_over_with_their_counts(
    stock_samples: dict[Any, float], store: StoreAddress
) -> None:
    """What this process has counted so far counts in the fleet, and goes on counting on the same objects."""
    everything = Everything()
    childless = Counter("e_childless", "Nobody yet.", ["k"], registry=None)
    held = everything.labelled.labels(a="1", b="2")
    everything.record()
    with installation(store):
        assert everything.own() == stock_samples
        assert fleetmeter.flush()
        assert fleet_of_one(store) == stock_samples
        assert families(store)["e_childless"].definition.help == "Nobody yet."
        held.inc()
        everything.counter.inc()
        childless.labels("v")
        assert fleetmeter.flush()
        assert value(store, "e_calls_total", a="1", b="2") == 3.5
        assert value(store, "e_jobs_total") == 2


def test_uninstall_puts_everything_back(stock_samples: dict[Any, float], store: StoreAddress) -> None:
    """The client is as it was, metrics go on with this process's totals, and nothing more reaches the store."""
    owners = (values, Counter, Gauge, Histogram, Summary, Info)
    names = ("ValueClass", "_metric_init", "inc", "observe", "info")
    before = [owner.__dict__.get(name) for owner in owners for name in names]
    created = Counter("e_old", "x", registry=None)
    born = created._created
    with installation(store):
        everything = Everything()
        everything.record()
        assert [owner.__dict__.get(name) for owner in owners for name in names] != before
    assert [owner.__dict__.get(name) for owner in owners for name in names] == before
    assert everything.own() == stock_samples
    assert fleet_of_one(store) != {}
    assert created._created == born
    handed_over = samples(store)
    everything.record()
    assert type(everything.counter._value).__module__ == "prometheus_client.values"
    assert everything.own()[("e_jobs_total", frozenset())] == 2
    assert samples(store) == handed_over


def test_install_again_counts_nothing_twice(store: StoreAddress) -> None:
    """What an ended installation handed over is not handed over again; what was counted in between is."""
    counter = Counter("e_again", "x", registry=None)
    money = Counter("e_again_usd", "x", registry=None)
    seconds = Histogram("e_again_seconds", "x", registry=None, buckets=(1,))
    for number in (1, 2, 3):
        with installation(store):
            counter.inc()
            money.inc(0.1)
            seconds.observe(0.3)
        assert value(store, "e_again_total") == 2 * number - 1
        counter.inc()
        money.inc(0.1)
        seconds.observe(0.3)
    assert value(store, "e_again_usd_total") == 0.5
    assert value(store, "e_again_seconds_sum") == 1.5
    assert value(store, "e_again_seconds_count") == 5
    assert counter._value.get() == 6


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


def test_totals_that_are_not_finite_do_not_stop_install(store: StoreAddress) -> None:
    """The stock client takes `observe(inf)`: such a sum stays behind, its counts come along; a gauge keeps its NaN."""
    histogram = Histogram("e_inf", "x", registry=None, buckets=(1,))
    histogram.observe(math.inf)
    counter = Counter("e_nan", "x", registry=None)
    counter.inc(math.nan)
    gauge = Gauge("e_nan_gauge", "x", registry=None, multiprocess_mode="mostrecent")
    gauge.set(math.nan)
    with installation(store):
        assert fleetmeter.flush()
        shown = samples(store)
        assert shown[("e_inf_count", frozenset())] == 1
        assert shown[("e_inf_sum", frozenset())] == 0
        assert shown[("e_nan_total", frozenset())] == 0
        assert math.isnan(shown[("e_nan_gauge", frozenset())])


class Evasive:
    """A lazy object, as frameworks have them: asking for its class loads it."""

    loaded = False

    @property  # type: ignore[misc]  # frameworks do it like this
    def __class__(self) -> type:
        Evasive.loaded = True
        raise RuntimeError("working outside of context")


def test_install_looks_at_other_peoples_objects_without_touching_them(store: StoreAddress) -> None:
    """Lazy proxies are not loaded, and proxies of dead objects do not make install() fail."""

    class Target:
        pass

    target = Target()
    dead = weakref.proxy(target)
    del target
    lazy = Evasive()
    gc.collect()
    Evasive.loaded = False
    with installation(store):
        pass
    assert not Evasive.loaded
    assert type(dead) is weakref.ProxyType
    assert type(lazy) is Evasive


def test_threads_that_record_while_fleetmeter_is_installed_get_no_error(store: StoreAddress) -> None:
    """install() and uninstall() at run time do not break an application that is recording."""
    counter = Counter("e_busy", "x", registry=None)
    histogram = Histogram("e_busy_h", "x", registry=None)
    summary = Summary("e_busy_s", "x", registry=None)
    stop = threading.Event()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            while not stop.is_set():
                counter.inc()
                histogram.observe(1)
                summary.observe(1)
        except BaseException as error:  # noqa: BLE001  whatever it is, it must not happen
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            with installation(store):
                pass
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []


class Watched(Histogram):
    """A histogram that notes the ids of the objects that are initialised."""

    initialised: ClassVar[list[int]] = []

    def _metric_init(self) -> None:
        Watched.initialised.append(id(self))
        super()._metric_init()


def test_a_metric_in_use_is_never_half_made(store: StoreAddress) -> None:
    """Its new values are made beside it and change places in one step: no thread sees a histogram without buckets."""
    Watched.initialised.clear()
    histogram = Watched("e_watched", "x", registry=None, buckets=(1,))
    histogram.observe(0.5)
    with installation(store):
        histogram.observe(0.5)
    histogram.observe(0.5)
    assert [made == id(histogram) for made in Watched.initialised] == [True, False, False]
    assert histogram._buckets[0].get() == 3


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


def test_the_machinerys_counts_of_a_former_installation_are_not_counted_again(store: StoreAddress) -> None:
    """Whether the objects of an ended installation are still in memory makes no difference to the next one."""
    with installation(store):
        former = current()
        Counter("e_former", "x", registry=None).inc()
    assert former is not None
    other = StoreAddress(store.url, f"{store.namespace}-2")
    with installation(other):
        Counter("e_latter", "x", registry=None).inc()
    assert value(other, "fleetmeter_flushes_total") == 0  # its only batch counts once it is acknowledged


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


MULTIPROCESS = """
from prometheus_client import Counter
import fleetmeter

counter = Counter("e_mmap", "x", registry=None)
counter.inc(4)
assert type(counter._value).__name__ == "MmapedValue"
fleetmeter.install()
counter.inc()
fleetmeter.uninstall()
"""


def test_a_process_in_multiprocess_mode_is_taken_over(store: StoreAddress, tmp_path: Path) -> None:
    """What stands in this process's files of the client's own multiprocess mode counts in the fleet."""
    environ = {**store.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", MULTIPROCESS], env=environ, check=True, timeout=60)
    assert value(store, "e_mmap_total") == 5
