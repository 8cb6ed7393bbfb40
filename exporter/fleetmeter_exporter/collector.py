"""A custom Collector of prometheus_client that shows the fleet's families instead of this process's."""

import logging
import threading
import time
import weakref
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric

import fleetmeter
from fleetmeter.continuity import HOLD, Continuity, Shown
from fleetmeter.errors import FleetmeterError
from fleetmeter.families import Family, families_of, types_left_out
from fleetmeter.reading import Reader, Snapshot
from fleetmeter.runtime import current
from fleetmeter.settings import Settings
from fleetmeter_exporter.cache import with_cache_state

log = logging.getLogger("fleetmeter.exporter")

OWN_FLUSH_TIMEOUT = 0.5
"""Seconds that a process which both records and collects waits for its own records to be in the store."""


def fleet_settings(url: str | None = None, namespace: str | None = None) -> Settings:
    """Which fleet is meant: by argument, else the one that this process records into, else by environment."""
    runtime = current()
    if runtime is not None:
        url, namespace = url or runtime.settings.url, namespace or runtime.settings.namespace
    return Settings.from_env(url=url, namespace=namespace)


class RedisCollector:
    """Collects the families of one namespace. Register it in a registry of its own.

    `url` and `namespace` default to those of `fleetmeter.install()`, if this process has called it, and else to
    `FLEETMETER_REDIS_URL` and `FLEETMETER_NAMESPACE`; `SettingError` says which of them cannot be used. `collect()`
    never raises for the store: it then yields `fleetmeter_up 0` and no fleet family, so that no stale number is
    served. A store that was rolled back shows what was served before for up to `hold` seconds, and nothing below it
    after that. A process that records into the same namespace hands over its own records first.
    """

    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        *,
        url: str | None = None,
        namespace: str | None = None,
        hold: float = HOLD,
    ) -> None:
        self._settings = fleet_settings(url, namespace)
        self._continuity = Continuity(hold)
        self._reader = Reader(self._settings.url, self._settings.namespace, credentials=self._settings.credentials)
        # a registry has no end of life to close it in: the connections go with the collector
        weakref.finalize(self, self._reader.close).atexit = False
        self._lock = threading.Lock()
        self._up: bool | None = None
        self._left_out: frozenset[str] = frozenset()
        self._behind = False
        if registry is not None:
            registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Nothing: what the fleet has is known only at a scrape, and registering must not read the store."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The exporter's own metrics, and the fleet's families by name."""
        started = time.perf_counter()
        self._flush_own_records()
        shown, families = self._read()
        metrics = [_metric(family) for family in families]
        yield _gauge("fleetmeter_up", "Whether the store could be read (1) or not (0).", float(shown is not None))
        if shown is not None:
            yield from _state_metrics(shown)
        samples = sum(len(metric.samples) for metric in metrics)
        yield _gauge("fleetmeter_scrape_series", "Samples of the fleet's families in this scrape.", samples)
        yield _gauge(
            "fleetmeter_scrape_duration_seconds",
            "Time to read the store and to merge what was read.",
            time.perf_counter() - started,
            "seconds",
        )
        yield from metrics

    def check(self) -> None:
        """Read the store once; raises `FleetmeterError` where a scrape would show `fleetmeter_up 0`."""
        with self._lock:
            families_of(self._reader.read())

    def look(self) -> Snapshot:
        """The namespace as the store has it, which need not be what may be shown. Raises `FleetmeterError`."""
        with self._lock:
            return self._reader.read()

    def _read(self) -> tuple[Shown | None, list[Family]]:
        try:
            with self._lock:
                shown = self._continuity.show(self._reader.read(self._continuity.known))
            snapshot = shown.snapshot
            families = with_cache_state(families_of(snapshot), snapshot.cache_size)
            left_out = types_left_out(snapshot)
        except FleetmeterError as error:
            if self._up is not False:
                log.error("cannot read namespace %r: %s", self._settings.namespace, error)  # noqa: TRY400  one line
            self._up = False
            return None, []
        if self._up is False:
            log.info("namespace %r can be read again", self._settings.namespace)
        self._up = True
        self._tell_left_out(left_out)
        self._tell_behind(shown)
        return shown, families

    def _tell_left_out(self, types: dict[str, str]) -> None:
        """One line for each family that cannot be served, when it is first left out."""
        with self._lock:
            new, self._left_out = types.keys() - self._left_out, frozenset(types)
        for name in sorted(new):
            log.warning(
                "family %r is not served: its type %r is of a later version; update this one", name, types[name]
            )

    def _tell_behind(self, shown: Shown) -> None:
        """One line when the store turns out to be behind what was served, and one when it no longer is."""
        behind = shown.held or shown.counts_behind > 0
        with self._lock:
            was, self._behind = self._behind, behind
        if behind and not was:
            log.warning(
                "the store is behind what was served of namespace %r, with %d numbers: it was rolled back, or lost "
                "keys; what was served is held until replicas have sent again what was lost",
                self._settings.namespace, shown.counts_behind,
            )  # fmt: skip
        elif was and not behind:
            log.info("the store has caught up with what was served of namespace %r", self._settings.namespace)

    def _flush_own_records(self) -> None:
        runtime = current()
        if runtime is not None and (runtime.settings.url, runtime.settings.namespace) == (
            self._settings.url,
            self._settings.namespace,
        ):
            fleetmeter.flush(OWN_FLUSH_TIMEOUT)


def _metric(family: Family) -> Metric:
    definition = family.definition
    metric = Metric(definition.name, definition.help, definition.type, definition.unit)
    for sample in family.samples:
        name = definition.name + sample.suffix
        metric.add_sample(name, dict(sample.labels), sample.value, exemplar=sample.exemplar)
    return metric


def _gauge(name: str, help_text: str, value: float, unit: str = "") -> Metric:
    return GaugeMetricFamily(name, help_text, value, unit=unit)


def _state_metrics(shown: Shown) -> Iterator[Metric]:
    snapshot = shown.snapshot
    yield _gauge("fleetmeter_replicas", "Processes that record into this namespace and live.", len(snapshot.alive))
    if snapshot.last_write_us is not None:
        yield _gauge(
            "fleetmeter_last_write_timestamp_seconds",
            "When a replica last wrote, heartbeats included, by the store's clock.",
            snapshot.last_write_us / 1e6,
            "seconds",
        )
    if snapshot.epoch is not None:
        yield _gauge(
            "fleetmeter_state_epoch_timestamp_seconds",
            "When the namespace's counts began, by the store's clock.",
            snapshot.epoch.birth_us / 1e6,
            "seconds",
        )
    yield _gauge(
        "fleetmeter_snapshot_held",
        "Whether this scrape shows an older snapshot (1), while replicas send again what the store lost.",
        float(shown.held),
    )
    yield _gauge(
        "fleetmeter_counts_behind",
        "Stored numbers that are below what was served before; what was served is shown in their place.",
        shown.counts_behind,
    )
