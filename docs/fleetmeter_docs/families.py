"""The page of metrics: every family that a scrape of a fleet can show."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry

from fleetmeter.attribution.families import _followers
from fleetmeter.instrumentation import HTTPMetrics, default_registry
from fleetmeter.instrumentation.replica_metrics import replica_gauges
from fleetmeter.llm import REGISTRY
from fleetmeter.writer.telemetry import Telemetry
from fleetmeter_docs.markdown import code, codes, table
from fleetmeter_docs.markdown import page as page_of
from fleetmeter_exporter.exposition import own_metrics

SHOWN_AS = {"counter": "_total", "info": "_info"}
"""What an exposition adds to a family's name; a histogram's samples add `_bucket`, `_sum` and `_count`."""

INTRODUCTION = """
A scrape shows every metric of `prometheus_client` that your services declare. This page lists those that fleetmeter
declares itself.

`instrument_fastapi()` declares the `http_*` and `replica_*` families. Importing `fleetmeter.llm` declares the others of
the first table. A histogram has samples with the suffixes `_bucket`, `_sum` and `_count`. The mode of a gauge, in
brackets, says how the values of several replicas become one ([recording](../recording.md#gauges)).
"""


@dataclass(frozen=True)
class Row:
    """One family, by the name that an exposition shows; `follows` says whether it has labels of the user's own."""

    name: str
    type: str
    labels: tuple[str, ...]
    help: str
    follows: bool = False

    def cells(self) -> tuple[str, str, str, str]:
        """The family as a line of a table."""
        return code(self.name), self.type, codes(self.labels), self.help


def catalogue() -> list[Row]:
    """The families of HTTP requests, of replicas and of model calls."""
    http = CollectorRegistry()
    HTTPMetrics(registry=http)
    replica_gauges()
    replica = [row for row in _of(default_registry()) if row.name.startswith("replica_")]
    return [*_of(http), *replica, *_of(REGISTRY)]


def machinery() -> list[Row]:
    """The families that say how fleetmeter itself is doing: the exporter's, then the replicas'."""
    exporter = [
        Row(definition.name, definition.type, labels, definition.help) for definition, labels in own_metrics.declared()
    ]
    return [*exporter, *_of(Telemetry().registry)]


def page() -> str:
    """The text of the page."""
    rows = catalogue()
    heads = ("family", "type", "labels", "meaning")
    return page_of(
        "Metrics",
        INTRODUCTION,
        "## Requests, models, tokens and money",
        table(heads, [row.cells() for row in rows]),
        "## The machinery itself",
        "The exporter makes the gauges at each scrape; replicas send the rest along with their records.",
        table(heads, [row.cells() for row in machinery()]),
        "## OpenTelemetry's names",
        "With `FLEETMETER_GENAI_METRICS=true`, calls are also recorded as `gen_ai_client_token_usage` and "
        "`gen_ai_client_operation_duration_seconds` ([when to use them](../attribution.md#opentelemetrys-names)).",
        "## Labels of your own",
        "These families have the labels that `configure(labels=…)` or `FLEETMETER_LABELS` name "
        "([who spent it](../attribution.md)). The `http_*` families have them, too, by "
        "`instrument_fastapi(app, labels=…)`.",
        "\n".join(f"* `{row.name}`" for row in rows if row.follows),
    )


def _of(registry: CollectorRegistry) -> Iterator[Row]:
    followers = {metric._name for metric in _followers}  # noqa: SLF001  a registry tells labels and modes of nothing
    for collector in dict.fromkeys(registry._names_to_collectors.values()):  # noqa: SLF001
        metric: Any = collector
        mode = getattr(metric, "_multiprocess_mode", "")
        yield Row(
            metric._name + SHOWN_AS.get(metric._type, ""),  # noqa: SLF001
            metric._type + (f" ({mode})" if mode else ""),  # noqa: SLF001
            tuple(metric._labelnames),  # noqa: SLF001
            metric._documentation,  # noqa: SLF001
            metric._name in followers,  # noqa: SLF001
        )
