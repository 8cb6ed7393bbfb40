"""A custom Collector of prometheus_client that shows the fleet's families instead of this process's."""

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

    `url` and `namespace` default to those of `fleetmeter.install()`, if this process has called it, and else to
    `FLEETMETER_REDIS_URL` and `FLEETMETER_NAMESPACE`; `SettingError` says which of them cannot be used. `collect()`
    never raises for the store: it then yields `fleetmeter_up 0` and no fleet family, so that no stale number is
    served. A store that was rolled back shows what was served before for up to `hold` seconds, and nothing below it
    after that. A process that records into the same namespace hands over its own records first. The
    `credential_provider` is that of `install()`.
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
        """Nothing: what the fleet has is known only at a scrape, and registering must not read the store."""
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
    """Scrapes as prometheus_client's metrics: what `Exposition` writes out at once, for whoever does that otherwise.

    Names that clash where they are shown as `escaping` has it are left out. With `openmetrics` all of it may stand in
    both formats; without, there is a `_count` of histograms with a negative bound, which OpenMetrics forbids.
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
