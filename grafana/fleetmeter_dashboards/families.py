"""Every family that a scrape of a fleet can show, as its owner declares it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry

from fleetmeter.instrumentation import HTTPMetrics
from fleetmeter.llm import REGISTRY
from fleetmeter.telemetry import Telemetry

_SUFFIXES = {"counter": ("_total",), "info": ("_info",), "histogram": ("_bucket", "_sum", "_count")}


@dataclass(frozen=True)
class Family:
    """One family: its name without a suffix, and what its declaration says.

    `labels` are those that a scrape shows: the label `replica` of gauges that stand for each replica is among them, and
    `le` of buckets is not.
    """

    name: str
    type: str
    labels: tuple[str, ...]
    unit: str
    help: str

    @property
    def series(self) -> tuple[str, ...]:
        """The names of its samples."""
        return tuple(self.name + suffix for suffix in _SUFFIXES.get(self.type, ("",)))

    @property
    def shown(self) -> str:
        """The name that documents use: a histogram's own, else that of its only sample."""
        return self.name if self.type == "histogram" else self.series[0]


_EXPORTER = (
    Family("fleetmeter_up", "gauge", (), "", "Whether the store could be read (1) or not (0)."),
    Family("fleetmeter_replicas", "gauge", (), "", "Processes that record into this namespace and live."),
    Family(
        "fleetmeter_last_write_timestamp_seconds", "gauge", (), "seconds",
        "When a replica last wrote, heartbeats included, by the store's clock.",
    ),
    Family(
        "fleetmeter_state_epoch_timestamp_seconds", "gauge", (), "seconds",
        "When the namespace's counts began, by the store's clock.",
    ),
    Family(
        "fleetmeter_snapshot_held", "gauge", (), "",
        "Whether this scrape shows an older snapshot (1), while replicas send again what the store lost.",
    ),
    Family(
        "fleetmeter_counts_behind", "gauge", (), "",
        "Stored numbers that are below what was served before; what was served is shown in their place.",
    ),
    Family("fleetmeter_scrape_series", "gauge", (), "", "Samples of the fleet's families in this scrape."),
    Family(
        "fleetmeter_scrape_duration_seconds", "gauge", (), "seconds", "Time to read the store and to merge what "
        "was read."
    ),
)  # fmt: skip
"""The exporter makes these anew on each scrape and declares no objects; a test holds them equal to what it serves."""


def declared() -> dict[str, Family]:
    """All families by name."""
    http = CollectorRegistry()
    HTTPMetrics(registry=http)
    found = [*_of(REGISTRY), *_of(http), *_of(Telemetry().registry), *_EXPORTER]
    return {family.name: family for family in found}


def by_series(families: Mapping[str, Family]) -> dict[str, Family]:
    """The family behind each sample's name."""
    return {name: family for family in families.values() for name in family.series}


def _of(registry: CollectorRegistry) -> Iterable[Family]:
    # A registry tells what it holds, but not with labels and modes: those stand on the objects.
    for collector in dict.fromkeys(registry._names_to_collectors.values()):  # noqa: SLF001
        metric: Any = collector
        labels = tuple(metric._labelnames)  # noqa: SLF001
        if getattr(metric, "_multiprocess_mode", "") in ("all", "liveall"):
            labels += ("replica",)
        if metric._type == "info":  # noqa: SLF001
            labels += ("service", "version")
        yield Family(metric._name, metric._type, labels, metric._unit, metric._documentation)  # noqa: SLF001
