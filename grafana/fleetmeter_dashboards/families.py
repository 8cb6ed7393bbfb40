"""Every family that a scrape of a fleet can show, as its owner declares it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from prometheus_client import CollectorRegistry

from fleetmeter.attribution.families import _followers
from fleetmeter.instrumentation import HTTPMetrics, default_registry
from fleetmeter.instrumentation.replica_metrics import replica_gauges
from fleetmeter.llm import REGISTRY
from fleetmeter.writer.telemetry import Telemetry
from fleetmeter_exporter.exposition import own_metrics

_SUFFIXES = {"counter": ("_total",), "info": ("_info",), "histogram": ("_bucket", "_sum", "_count")}


@dataclass(frozen=True)
class DeclaredFamily:
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


def declared(labels: Sequence[str] = ()) -> dict[str, DeclaredFamily]:
    """All families by name; those that follow the labels of the user's own have these."""
    HTTPMetrics()
    replica_gauges()
    found = [*_of(default_registry()), *_of(REGISTRY), *_of(Telemetry().registry), *_of_the_exporter()]
    followers = {metric._name for metric in _followers} if labels else set()  # noqa: SLF001
    return {
        family.name: replace(family, labels=(*family.labels, *labels)) if family.name in followers else family
        for family in found
    }


def by_series(families: Mapping[str, DeclaredFamily]) -> dict[str, DeclaredFamily]:
    """The family behind each sample's name."""
    return {name: family for family in families.values() for name in family.series}


def _of_the_exporter() -> Iterable[DeclaredFamily]:
    for definition, labels in own_metrics.declared():
        yield DeclaredFamily(definition.name, definition.type, labels, definition.unit, definition.help)


def _of(registry: CollectorRegistry) -> Iterable[DeclaredFamily]:
    # A registry tells what it holds, but not with labels and modes: those stand on the objects.
    for collector in dict.fromkeys(registry._names_to_collectors.values()):  # noqa: SLF001
        metric: Any = collector
        labels = tuple(metric._labelnames)  # noqa: SLF001
        if getattr(metric, "_multiprocess_mode", "") in ("all", "liveall"):
            labels += ("replica",)
        if metric._type == "info":  # noqa: SLF001
            labels += ("service", "version")
        yield DeclaredFamily(metric._name, metric._type, labels, metric._unit, metric._documentation)  # noqa: SLF001
