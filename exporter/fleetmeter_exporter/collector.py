"""A custom Collector of prometheus_client that shows the families of the fleet."""

import time
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.openmetrics.exposition import UNDERSCORES

from fleetmeter.connection.provider import CredentialProvider
from fleetmeter.keywords import names_its_arguments
from fleetmeter.reader.continuity import HOLD
from fleetmeter.reader.families import Family
from fleetmeter_exporter.exposition.exposition import shown_samples, with_constant
from fleetmeter_exporter.exposition.groups import groups_of
from fleetmeter_exporter.exposition.own_metrics import constant_labels, own_families
from fleetmeter_exporter.fleet import Scrape
from fleetmeter_exporter.scraper import Scraper


class RedisCollector:
    """Collects the families of one namespace. Register it in a registry of its own.

    If `url` or `namespace` is left out, it is that of `fleetmeter.install()`, if this process has called it, and else
    `FLEETMETER_REDIS_URL` or `FLEETMETER_NAMESPACE`. Raises `SettingError` for one that cannot be used. The
    `credential_provider` is that of `install()`.

    `collect()` never raises because of the store. If it cannot be read, `collect()` yields `fleetmeter_up 0` and no
    family of the fleet, so that no stale number is served. If this process records into the same namespace, its own
    records are handed over first.

    Example of a roll-back: 120 was served, and then the store goes back to 100. For up to `hold` seconds `collect()`
    shows the last snapshot, with 120. After that it shows the larger of served and stored: 120 again, until replicas
    have sent again what was lost.
    """

    @names_its_arguments
    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        *,
        url: str | None = None,
        namespace: str | None = None,
        hold: float = HOLD,
        credential_provider: CredentialProvider | None = None,
    ) -> None:
        self._scraper = Scraper.of(url, [namespace], hold, credential_provider=credential_provider)
        if registry is not None:
            registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Nothing. Only a scrape knows which families the fleet has, and registering must not read the store."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The exporter's own metrics, and the fleet's families by name."""
        started = time.perf_counter()
        (fleet,) = self._scraper.fleets
        scrape = fleet.scrape()
        yield from metrics_of([scrape], started)
        fleet.tell(scrape)


def metrics_of(
    scrapes: Sequence[Scrape],
    started: float,
    escaping: str = UNDERSCORES,
    *,
    created: bool = False,
    openmetrics: bool = True,
) -> list[Metric]:
    """Scrapes as metrics of prometheus_client, for code that writes them out in its own way; `Exposition` writes text.

    A family whose name clashes with an older one's under the scheme `escaping` is left out. With `openmetrics`, all
    samples fit both formats. Without, a histogram with a negative bound has a `_count`, which OpenMetrics forbids.
    """
    series = dict.fromkeys((scrape.namespace for scrape in scrapes), 0)
    metrics = []
    for group in groups_of(scrapes, escaping):
        merged = Family(group.definition, 0)
        members = 0
        for scrape, source in group.members:
            family = scrape.family(source)
            if family is not None:
                constant = constant_labels(scrape, scrapes)
                shown = shown_samples(family, created=created, openmetrics=openmetrics)
                samples = [with_constant(sample, constant) for sample in shown]
                series[scrape.namespace] += len(samples)
                merged.samples += samples
                members += 1
        if members:
            metrics.append(_metric(merged))
    return [*map(_metric, own_families(scrapes, list(series.values()), started)), *metrics]


def _metric(family: Family) -> Metric:
    definition = family.definition
    unit = definition.unit if definition.name.endswith(f"_{definition.unit}") else ""
    metric = Metric(definition.name, definition.help, definition.type, unit)
    for sample in family.samples:
        name = definition.name + sample.suffix
        metric.add_sample(name, dict(sample.labels), sample.value, exemplar=sample.exemplar)
    return metric
