"""One metric of every kind, for tests that compare a fleet of one with the stock client."""

from typing import Any, Literal, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Enum,
    Gauge,
    Histogram,
    Info,
    Summary,
    generate_latest,
)

from support.exposition import parse
from support.fleet import samples
from support.store import StoreAddress

Mode = Literal["all", "liveall", "sum", "livesum", "min", "livemin", "max", "livemax", "mostrecent", "livemostrecent"]
MODES: tuple[Mode, ...] = get_args(Mode)


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
        self.state = Enum("e_state", "x", registry=registry, states=["off", "starting", "on"])
        self.states = Enum("e_states", "x", ["k"], registry=registry, states=["off", "on"])

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
        self.state.state("starting")
        self.states.labels("y").state("on")
        self.states.labels("z")

    def own(self) -> dict[Any, float]:
        """What this process's registry shows."""
        return {
            key: number for key, number in parse(generate_latest(self.registry)).items() if "_created" not in key[0]
        }


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
