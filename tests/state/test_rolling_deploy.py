"""A rolling deploy A → B → C → B, while the versions write at the same time and somebody scrapes."""

import random
import threading
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client import Counter as CounterMetric
from prometheus_client.exposition import generate_latest

import fleetmeter
from fleetmeter.schema.definition import Definition
from fleetmeter.writer.conflicts import CONFLICTS
from fleetmeter_exporter import RedisCollector
from support.exposition import Series, parse, total
from support.fleet import Replica, value
from support.store import StoreAddress

OBSERVED = (0.25, 0.5, 4.0, 32.0)
"""One burst of observations; floats hold them and all their sums exactly."""
ROUNDS = 12


@dataclass(frozen=True)
class Version:
    """What one version of the application defines: buckets, labels of the histogram, a unit, and a type."""

    name: str
    bounds: tuple[str, ...]
    labels: tuple[str, ...]
    unit: str
    odd_type: str

    @property
    def latency(self) -> Definition:
        """Labels, their order, buckets and help differ; the scale is that of seconds."""
        return Definition.of("r_latency_seconds", "histogram", self.name, "", self.labels, self.bounds, "")

    @property
    def size(self) -> Definition:
        """Only buckets and help differ."""
        return Definition.of("r_size", "histogram", f"Sizes of {self.name}.", "", ("route",), self.bounds, "")

    @property
    def spend(self) -> Definition:
        """The unit differs, and with it the scale."""
        return Definition.of("r_spend", "counter", "Spent.", self.unit, ("route",), (), "")

    @property
    def odd(self) -> Definition:
        """The type differs."""
        mode = "sum" if self.odd_type == "gauge" else ""
        return Definition.of("r_odd", self.odd_type, "Odd.", "", ("route",), (), mode)


A = Version("A", ("0.5", "8.0", "+Inf"), ("route",), "", "counter")
B = Version("B", ("0.25", "1.0", "8.0", "64.0", "+Inf"), ("route", "tier"), "usd", "gauge")
C = Version("C", ("1.0", "4.0", "+Inf"), ("tier", "route"), "usd", "counter")
STEPS = ((A,), (A, B), (B,), (B, C), (C,), (C, B), (B,))


class Process:
    """One process life of a version; `buckets` and `bursts` are its own ledger."""

    def __init__(self, store: StoreAddress, version: Version, seed: str) -> None:
        self.replica = Replica(store)
        self.version = version
        self.bursts = 0
        self.buckets: Counter[str] = Counter()
        self.failure: BaseException | None = None
        self._random = random.Random(seed)
        self._cells: dict[tuple[str, ...], Any] = {}

    def run(self) -> None:
        """Record some bursts, each in one block, and hand them over now and then."""
        try:
            for _ in range(ROUNDS):
                for _ in range(self._random.randint(1, 3)):
                    self._burst(self._random.choice(("/a", "/b")))
                if self._random.random() < 0.3:
                    self.replica.accumulator.send_all_again()  # as after a failover: old definitions come to the front
                assert self.replica.flush(30)
        except BaseException as failure:  # noqa: BLE001  told where the thread is waited for
            self.failure = failure

    def _burst(self, route: str) -> None:
        version = self.version
        block = self.replica.accumulator.begin()
        for definition in (version.latency, version.size):
            values = [route if name == "route" else "gold" for name in definition.labels]
            for observed in OBSERVED:
                bound = definition.bounds[bisect_left([float(text) for text in definition.bounds], observed)]
                self._cell(definition, values, "sum").inc(observed)
                self._cell(definition, values, bound).inc(1)
                self.buckets[bound] += 1
        self._cell(version.spend, [route]).inc(0.25)
        self._cell(version.odd, [route]).inc(1)
        self.replica.accumulator.commit(block)
        self.bursts += 1

    def _cell(self, definition: Definition, values: list[str], part: str | None = None) -> Any:
        key = (definition.name, *values, part or "")
        if key not in self._cells:
            self._cells[key] = self.replica.cell(definition, values, part)
        return self._cells[key]


class Scraper:
    """Scrapes all the time, and checks each scrape by itself and against the ones before."""

    def __init__(self, store: StoreAddress) -> None:
        self._registry = CollectorRegistry(support_collectors_without_names=True)
        RedisCollector(self._registry, url=store.url, namespace=store.namespace)
        self._highest: dict[Series, float] = {}
        self.scrapes = 0
        self.seen: set[tuple[str, ...]] = set()
        """The bounds of `r_size` that were served."""

    def scrape(self) -> dict[Series, float]:
        """One scrape, checked."""
        found = parse(generate_latest(self._registry))
        self.scrapes += 1
        self._check_histogram(found, "r_latency_seconds")
        self.seen.add(tuple(self._check_histogram(found, "r_size")))
        for series, number in found.items():
            if series[0].startswith(("r_latency", "r_size", "r_spend")) and not series[0].endswith("_created"):
                assert number >= self._highest.get(series, 0), series
                self._highest[series] = number
        return found

    def _check_histogram(self, found: dict[Series, float], name: str) -> list[str]:
        """Monotone over le, its last bucket the count, its sum that of whole bursts; the bounds."""
        bounds: set[str] = set()
        for (suffixed, labels), count in found.items():
            if suffixed != f"{name}_count":
                continue
            buckets = {
                dict(pairs)["le"]: number
                for (bucket, pairs), number in found.items()
                if bucket == f"{name}_bucket" and labels == {pair for pair in pairs if pair[0] != "le"}
            }
            bounds |= buckets.keys()
            ordered = [buckets[bound] for bound in sorted(buckets, key=float)]
            assert ordered == sorted(ordered)
            assert ordered[-1] == count
            assert found[f"{name}_sum", labels] == count / len(OBSERVED) * sum(OBSERVED)
        return sorted(bounds, key=float)


def test_a_rolling_deploy_keeps_every_number_exact(store: StoreAddress) -> None:
    """A → B → C → B of buckets, labels, label order, help, units and types: nothing torn, lost or raised on the way."""
    scraper = Scraper(store)
    processes: list[Process] = []
    for number, step in enumerate(STEPS):
        group = [Process(store, version, f"{number} {version.name} {twin}") for version in step for twin in range(2)]
        processes += group
        threads = [threading.Thread(target=process.run, daemon=True) for process in group]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            scraper.scrape()
        scraper.scrape()
        assert [process.failure for process in group if process.failure] == []
    _check_end(scraper, processes)
    assert scraper.seen >= {A.bounds, B.bounds, C.bounds}
    _check_troubles(processes)
    for process in processes:
        process.replica.close()
    _check_odd_counter(store, scraper, processes)


def _check_end(scraper: Scraper, processes: list[Process]) -> None:
    """Sums and counts under the definitions of B, where every count lies under a bound at or above its own."""
    found = scraper.scrape()
    bursts = sum(process.bursts for process in processes)
    buckets = sum((process.buckets for process in processes), Counter[str]())
    for name in ("r_latency_seconds", "r_size"):
        assert total(found, f"{name}_count") == bursts * len(OBSERVED)
        assert total(found, f"{name}_sum") == bursts * sum(OBSERVED)
        for bound in B.bounds:
            below = sum(count for text, count in buckets.items() if float(text) <= float(bound))
            assert total(found, f"{name}_bucket", le=bound) == below / 2
    wide = sum(process.bursts for process in processes if process.version is not A)
    assert total(found, "r_latency_seconds_count", tier="gold") == wide * len(OBSERVED)
    assert total(found, "r_spend_total") == bursts * 0.25
    assert total(found, "r_odd") == sum(process.bursts for process in processes if process.version is B)
    assert not [name for name, _ in found if name == "r_odd_total"]


def _check_troubles(processes: list[Process]) -> None:
    """What disagreed is counted by what differs, and nothing else went wrong."""
    conflicts: Counter[str] = Counter()
    for process in processes:
        telemetry = process.replica.telemetry.registry
        for reason in CONFLICTS:
            told = telemetry.get_sample_value("fleetmeter_definition_conflicts_total", {"reason": reason})
            conflicts[reason] += int(told or 0)
        for family in telemetry.collect():
            if family.name == "fleetmeter_flush_errors":
                assert [sample for sample in family.samples if sample.name.endswith("_total") and sample.value] == []
        assert process.replica.rejected == []
    assert {reason for reason, number in conflicts.items() if number} == {
        "type", "labels", "label_order", "scale", "unit", "bounds", "help"
    }  # fmt: skip


def _check_odd_counter(store: StoreAddress, scraper: Scraper, processes: list[Process]) -> None:
    """A family whose type was another meanwhile has all its counts when that type comes back."""
    back = Replica(store)
    back.cell(C.odd, ["/a"]).inc(1)
    assert back.flush(30)
    back.close()
    counted = sum(process.bursts for process in processes if process.version is not B)
    assert total(scraper.scrape(), "r_odd_total") == counted + 1


def test_metrics_of_one_process_that_disagree_never_raise(installed: StoreAddress) -> None:
    """Two libraries that use one name: the newest definition is served, the others' numbers wait, and it is counted."""
    first = CounterMetric("r_jobs", "one", registry=None)
    first.inc()
    assert fleetmeter.flush()
    CounterMetric("r_jobs", "two", ["k"], registry=None).labels("a").inc(2)
    assert fleetmeter.flush()
    assert (value(installed, "r_jobs_total"), value(installed, "r_jobs_total", k="a")) == (1, 2)
    Histogram("r_jobs", "three", registry=None, buckets=(1,)).observe(0.5)
    Gauge("r_jobs", "four", registry=None, multiprocess_mode="sum").set(7)
    first.inc()
    assert fleetmeter.flush()
    assert value(installed, "r_jobs") == 7
    assert fleetmeter.flush()
    first.inc()
    assert fleetmeter.flush()
    for reason in ("labels", "help", "type"):
        assert value(installed, "fleetmeter_definition_conflicts_total", reason=reason)
