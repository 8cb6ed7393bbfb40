"""What an exposition has to say: the same families by prometheus_client, and which of them no format can hold."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.openmetrics import exposition
from prometheus_client.openmetrics.exposition import ALLOWUTF8, escape_label_name, escape_metric_name
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from fleetmeter_exporter.collector import metrics_of
from fleetmeter_exporter.exposition.formats import Format
from fleetmeter_exporter.exposition.own_metrics import NAMESPACE, OWN_NAMES
from fleetmeter_exporter.fleet import Scrape

exposition._escape = lru_cache(20_000)(exposition._escape)  # the same few names over and over

METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

UNCOMPARED = ("fleetmeter_scrape_duration_seconds", "fleetmeter_scrape_series", "fleetmeter_last_scrape_error")
"""What differs from scrape to scrape, and what `Expected` tells of in another way."""


@dataclass
class Expected:
    """The families that have to be shown, without `UNCOMPARED`; `errors` is the reason for each that is not."""

    metrics: list[Metric]
    errors: list[dict[str, str]]
    form: Format
    names: Collection[str] = ()

    @property
    def samples(self) -> int:
        """How many samples of the fleet's families there are."""
        return sum(len(metric.samples) for metric in self.metrics if metric.name not in OWN_NAMES)

    def restricted(self, names: Collection[str]) -> "Expected":
        """The same for who asked for samples of these names alone."""
        kept = []
        for metric in self.metrics:
            samples = [sample for sample in metric.samples if sample.name in names]
            if samples:
                kept.append(_copy(metric, samples))
        return Expected(kept, self.errors, self.form, names)

    def text(self) -> str:
        """prometheus_client's own exposition of them."""
        registry = CollectorRegistry()
        registry.register(_Fixed([_with_fit_unit(metric, self.form) for metric in self.metrics]))
        generate = generate_openmetrics if self.form.openmetrics else generate_latest
        return generate(registry, self.form.escaping).decode()


class _Fixed(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self.metrics = metrics

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> list[Metric]:
        return self.metrics


def expected(scrapes: Sequence[Scrape], form: Format, *, created: bool) -> Expected:
    """What has to be shown of these scrapes, which nobody else may have used."""
    metrics = metrics_of(scrapes, 0.0, form.escaping, created=created, openmetrics=form.openmetrics)
    errors = [{what: reason for what, (reason, _) in scrape.errors.items()} for scrape in scrapes]
    found = []
    for metric in metrics:
        if metric.name in UNCOMPARED:
            continue
        if metric.name in OWN_NAMES:
            found.append(metric)
            continue
        kept: list[Sample] = []
        members = 0
        for scrape, wrong in zip(scrapes, errors, strict=True):
            if scrape.families is None or metric.name not in scrape.families.sources or metric.name in wrong:
                continue
            own = [
                sample for sample in metric.samples if len(scrapes) == 1 or sample.labels[NAMESPACE] == scrape.namespace
            ]
            if _fit(own, form):
                kept += own
                members += 1
            else:
                wrong[metric.name] = "conflict"
        if members:
            found.append(_copy(metric, kept))
    return Expected(found, errors, form)


def shown_name(name: str, form: Format) -> str:
    """A metric's name as a parser reads it."""
    return name if form.escaping == ALLOWUTF8 else str(escape_metric_name(name, form.escaping))


def shown_label(name: str, form: Format) -> str:
    """A label's name as a parser reads it."""
    return name if form.escaping == ALLOWUTF8 else str(escape_label_name(name, form.escaping))


def _fit(samples: Sequence[Sample], form: Format) -> bool:
    """Whether a format has a way to show the names of these samples, and shows no series under another's name.

    prometheus_client takes a name that ends in one line feed for an ordinary one ("$" matches before it), and writes
    the line feed as it is, or unquoted: `c_total{a\n="x"} 1`. It checks no name for being empty.
    """
    series: dict[object, Sample] = {}
    for sample in samples:
        names = [shown_label(name, form) for name in sample.labels]
        shown = shown_name(sample.name, form)
        if form.escaping == ALLOWUTF8:
            fits = not any(name.endswith("\n") and LABEL_NAME.fullmatch(name[:-1]) for name in names)
            fits = fits and not (shown.endswith("\n") and METRIC_NAME.fullmatch(shown[:-1]))
        else:
            fits = all(map(LABEL_NAME.fullmatch, names)) and METRIC_NAME.fullmatch(shown) is not None
        if not (fits and all(names) and len(set(names)) == len(names)):
            return False
        key = (shown, tuple(sorted(zip(names, sample.labels.values(), strict=True))))
        if series.setdefault(key, sample) is not sample:
            return False
    return True


def _with_fit_unit(metric: Metric, form: Format) -> Metric:
    """Without its unit, where the name that is shown does not end in it, or would end the line: no parser takes that.

    prometheus_client writes `# UNIT a_b_c b.c` for a family `a_b.c`, and a line feed in a unit as it is.
    """
    shown = shown_name(metric.name, form)
    copy = _copy(metric, metric.samples)
    if not (shown.endswith(f"_{metric.unit}") and METRIC_NAME.fullmatch(f"_{metric.unit}")):
        copy.unit = ""
    return copy


def _copy(metric: Metric, samples: list[Sample]) -> Metric:
    copy = Metric(metric.name, metric.documentation, metric.type)
    copy.unit = metric.unit
    copy.samples = samples
    return copy
