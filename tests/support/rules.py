"""The rule files of `prometheus/`, parsed, and what their PromQL speaks of."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser as promql
import yaml
from prometheus_client import CollectorRegistry

from fleetmeter.instrumentation import HTTPMetrics
from fleetmeter.llm import REGISTRY
from fleetmeter.writer.telemetry import Telemetry
from fleetmeter_exporter import RedisCollector
from fleetmeter_exporter.exposition.own_metrics import NAMESPACE

FOLDER = Path(__file__).parents[2] / "prometheus"
RULE_FILES = tuple(sorted((FOLDER / "rules").glob("*.yml")))
SCRAPED = frozenset(("up",))
"""Series that Prometheus makes of a scrape."""

TARGET_LABELS = frozenset(("job", "instance", NAMESPACE))
"""Labels that each series of a target may have: Prometheus' own, and that of an exporter of several namespaces."""

_SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_count", "_sum"),
    "info": ("_info",),
}


@dataclass(frozen=True)
class Rule:
    """One rule; `alert` is False for a recording rule, which has no annotations."""

    name: str
    expression: str
    alert: bool
    labels: dict[str, str]
    annotations: dict[str, str]


@dataclass(frozen=True)
class Selection:
    """A series selector: its metric, and the labels that its matchers name."""

    metric: str
    labels: frozenset[str]


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule of every file."""
    groups = [group for path in RULE_FILES for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]]
    return tuple(_rule(rule) for group in groups for rule in group["rules"])


def alerts() -> tuple[Rule, ...]:
    """The alerts among them; one name may stand for several."""
    return tuple(rule for rule in rules() if rule.alert)


def records() -> tuple[Rule, ...]:
    """The recording rules among them."""
    return tuple(rule for rule in rules() if not rule.alert)


def selections(expression: str) -> Iterator[Selection]:
    """Every selector of a PromQL expression. Raises `ValueError` for what does not parse."""
    for node in _nodes(promql.parse(expression)):
        if isinstance(node, promql.VectorSelector):
            matchers: Any = node.matchers
            yield Selection(node.name or "", frozenset(matcher.name for matcher in matchers.matchers))


def grouping_labels(expression: str) -> Iterator[str]:
    """Every label that an aggregation or a join of a PromQL expression names."""
    for node in _nodes(promql.parse(expression)):
        modifier: Any = getattr(node, "modifier", None)
        for part in (modifier, getattr(modifier, "matching", None)):
            yield from getattr(part, "labels", None) or ()


def declared_series(store: RedisCollector | None = None) -> dict[str, frozenset[str]]:
    """The labels of each series name: what catalogue, middleware and replicas declare, and what a scrape shows."""
    http = CollectorRegistry()
    HTTPMetrics(registry=http)
    found: dict[str, frozenset[str]] = {}
    for registry in (http, REGISTRY, Telemetry().registry):
        for metric in dict.fromkeys(registry._names_to_collectors.values()):
            family: Any = metric
            found |= _series(family._name, family._type, frozenset(family._labelnames))
    for shown in store.collect() if store is not None else ():
        labels = frozenset(label for sample in shown.samples for label in sample.labels) - {"le"}
        found.update((name, labels) for name in _series(shown.name, shown.type, labels) if name not in found)
    return found


def _series(name: str, kind: str, labels: frozenset[str]) -> dict[str, frozenset[str]]:
    return {name + suffix: labels | ({"le"} if suffix == "_bucket" else set()) for suffix in _SUFFIXES[kind]}


def _rule(rule: dict[str, Any]) -> Rule:
    alert = "alert" in rule
    return Rule(
        rule["alert" if alert else "record"], rule["expr"], alert, rule.get("labels", {}), rule.get("annotations", {})
    )


def _nodes(expression: Any) -> Iterator[Any]:
    yield expression
    for name in ("lhs", "rhs", "expr", "args", "vector_selector", "param"):
        part = getattr(expression, name, None)
        for node in part if isinstance(part, list) else [part]:
            if isinstance(node, promql.Expr):
                yield from _nodes(node)
