"""A fleet of one serves what the stock client serves of the same program, in both formats."""

import gc
import random
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

import fleetmeter
from fleetmeter_exporter import RedisCollector
from support.fleet import installation
from support.store import StoreAddress


def documented(registry: CollectorRegistry) -> None:
    """One use of everything that prometheus_client documents about its metrics."""
    failures = Counter("my_failures_total", "Description of counter\nin two lines \\", registry=registry)
    failures.inc(1.6)
    with pytest.raises(KeyError), failures.count_exceptions(KeyError):
        raise KeyError
    requests = Counter("my_requests_total", 'HTTP "failures"', ["method", "endpoint"], registry=registry)
    requests.labels("get", "/").inc(exemplar={"trace_id": "a b"})
    requests.labels(endpoint='/sub"mit\n', method="ü").inc()
    Counter("bytes_sent", "With a unit.", registry=registry, namespace="web", subsystem="io", unit="bytes").inc(7)
    Counter("cost", "Money.", registry=registry, unit="usd").inc(0.000000125)
    Counter("childless", "No child yet.", ["k"], registry=registry)
    in_progress = Gauge(
        "my_inprogress_requests", "Description of gauge", registry=registry, multiprocess_mode="livesum"
    )
    in_progress.inc()
    in_progress.dec(10)
    in_progress.set(4.2)
    with in_progress.track_inprogress():
        in_progress.inc(0.5)
    objects = Gauge("data_objects", "Number of objects", ["k"], registry=registry, multiprocess_mode="max")
    objects.labels("a").set_function(lambda: len("four"))
    latency = Summary("request_latency", "Seconds.", registry=registry, unit="seconds")
    latency.observe(4.7)
    sizes = Histogram("request_size_bytes", "Sizes.", ["k"], registry=registry, unit="bytes", buckets=(1, 10, 512))
    for size in (0, 1, 1.5, 512, 513, -3):
        sizes.labels("a").observe(size)
    sizes.labels("a").observe(7, exemplar={"trace_id": "b7ad6b7169203331"})
    sizes.labels("a").observe(9, exemplar={"trace_id": "c"})
    sizes.labels("a").observe(10_000, exemplar={})
    sizes.labels("b")
    negative = Histogram("temperature", "Below 0.", registry=registry, buckets=(-10, 0, 10))
    negative.observe(-5)
    Info("my_build_version", "Description of info", registry=registry).info({"version": "1.2.3", "host": 'foo"@bar'})
    Info("my_target", "With a label.", ["k"], registry=registry).labels("v").info({"zone": "b"})
    state = Enum("my_task_state", "Description", registry=registry, states=["starting", "running", "stopped"])
    state.state("running")
    Enum("my_unset_state", "The first is the default.", ["k"], registry=registry, states=["off", "on"]).labels("v")


def shown(registry: CollectorRegistry, *, mine: bool = False) -> dict[str, Any]:
    """By family: type, help, unit, and samples with exemplars; without times and, where `mine`, without `replica`.

    Both formats can be written from them.
    """
    generate_latest(registry)
    generate_openmetrics(registry)  # type: ignore[no-untyped-call]
    found = {}
    for family in registry.collect():
        if family.name.startswith("fleetmeter_"):
            continue
        samples = [
            (
                sample.name,
                tuple(sorted(pair for pair in sample.labels.items() if not (mine and pair[0] == "replica"))),
                sample.value,
                (sample.exemplar.labels, sample.exemplar.value) if sample.exemplar else None,
            )
            for sample in family.samples
            if not sample.name.endswith("_created")
        ]
        found[family.name] = (family.type, family.documentation, family.unit, sorted(samples, key=str))
    return found


def fleet_shows(registry: CollectorRegistry, expected: dict[str, Any]) -> dict[str, Any]:
    """What the fleet shows of the families that are expected; others of this process are taken over, too."""
    return {name: family for name, family in shown(registry, mine=True).items() if name in expected}


def served(expected: dict[str, Any]) -> dict[str, Any]:
    """The same but for the count of the histogram with a negative bound, which OpenMetrics forbids without a sum."""
    kind, text, unit, samples = expected["temperature"]
    kept = [sample for sample in samples if sample[0] != "temperature_count"]
    return expected | {"temperature": (kind, text, unit, kept)}


def fleet_registry(store: StoreAddress) -> CollectorRegistry:
    """The registry of an exporter."""
    registry = CollectorRegistry(support_collectors_without_names=True)
    RedisCollector(registry, url=store.url, namespace=store.namespace)
    return registry


def stock_shows() -> dict[str, Any]:
    """What the stock client shows of the documented program, whose metrics are gone afterwards."""
    registry = CollectorRegistry()
    documented(registry)
    found = shown(registry)
    del registry
    gc.collect()  # nothing is left for an installation to take over
    return found


def test_the_documented_program_serves_the_same_families(store: StoreAddress) -> None:
    """Names, types, help, units, samples, exemplars: the fleet's, and this process's own, are the stock client's."""
    expected = stock_shows()
    with installation(store):
        own = CollectorRegistry()
        documented(own)
        assert shown(own) == expected
        assert fleetmeter.flush()
        assert fleet_shows(fleet_registry(store), expected) == served(expected)


def test_a_program_that_ran_before_install_serves_the_same_families(store: StoreAddress) -> None:
    """Taken over, everything has its state: counts, exemplars, functions, states and facts."""
    own = CollectorRegistry()
    documented(own)
    expected = shown(own)
    with installation(store):
        assert shown(own) == expected
        assert fleetmeter.flush()
        assert fleet_shows(fleet_registry(store), expected) == served(expected)
    assert shown(own) == expected


class Chance:
    """A program of random steps, the same for one seed; `between` is called after each of them."""

    KEYS = ("a", "b", 'c"\n')

    def __init__(self, seed: int, registry: CollectorRegistry) -> None:
        self.dice = random.Random(seed)
        self.metrics: list[Any] = [
            Counter("p_calls", "x", ["j", "k"], registry=registry),
            Counter("p_cost_usd", "x", ["k", "j"], registry=registry),
            Histogram("p_size", "x", ["k", "j"], registry=registry, buckets=(1, 3)),
            Summary("p_work", "x", ["j", "k"], registry=registry),
            Gauge("p_level", "x", ["k", "j"], registry=registry, multiprocess_mode="sum"),
            Enum("p_state", "x", ["j", "k"], registry=registry, states=["s", "t"]),
            Info("p_facts", "x", ["k", "j"], registry=registry),
        ]
        self.held: list[Any] = []

    def step(self) -> None:
        """Do one thing to one metric."""
        dice, metric = self.dice, self.dice.choice(self.metrics)
        pair = {"j": dice.choice(self.KEYS), "k": dice.choice(self.KEYS)}
        values = [pair[name] for name in metric._labelnames]
        match dice.randrange(12):
            case 0:
                metric.remove(*values)
            case 1:
                metric.remove_by_labels({"j": pair["j"]} if dice.random() < 0.8 else pair)
            case 2:
                if dice.random() < 0.3:
                    metric.clear()
            case 3 if self.held:
                self.record(dice.choice(self.held))
            case _:
                child = metric.labels(**pair)
                self.held.append(child)
                self.record(child)

    def record(self, child: Any) -> None:
        """Record something into a child, which may have been removed."""
        amount = self.dice.choice((0, 1, 2, 0.5, 4))
        match child:
            case Counter() | Gauge():
                child.inc(amount)
            case Histogram() | Summary():
                child.observe(amount)
            case Enum():
                child.state(self.dice.choice("st"))
            case Info():
                child.info({"version": str(amount)})


STEPS = 120


def moments(seed: int) -> list[bool]:
    """After which steps somebody looks."""
    dice = random.Random(seed + 1000)
    return [dice.random() < 0.1 for _ in range(STEPS)]


def stock_steps(seed: int) -> list[dict[str, Any]]:
    """What the stock client shows at each of those moments; its metrics are gone afterwards."""
    registry = CollectorRegistry()
    twin = Chance(seed, registry)
    found = []
    for looking in moments(seed):
        twin.step()
        if looking:
            found.append(shown(registry))
    del registry, twin
    gc.collect()
    return found


@pytest.mark.parametrize("seed", range(8))
def test_any_sequence_of_records_and_removals_serves_the_same(store: StoreAddress, seed: int) -> None:
    """Children made, held, removed and made again in any order, flushed at any time: a stock twin shows the same."""
    expected = iter(stock_steps(seed))
    with installation(store):
        own = CollectorRegistry()
        exporter = fleet_registry(store)
        program = Chance(seed, own)
        for looking in moments(seed):
            program.step()
            if looking:
                now = next(expected)
                assert shown(own) == now
                assert fleetmeter.flush()
                assert fleet_shows(exporter, now) == now
