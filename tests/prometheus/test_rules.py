"""The rules as they stand in the files: which alerts there are, what each carries, and what they speak of."""

import re
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
import yaml
from prometheus_client import CollectorRegistry

import fleetmeter
from drill.faults import one_by_one, side_by_side
from fleetmeter.instrumentation import HTTPMetrics
from fleetmeter_exporter import RedisCollector
from support.rules import (
    FOLDER,
    SCRAPED,
    TARGET_LABELS,
    Rule,
    alerts,
    declared_series,
    grouping_labels,
    records,
    rules,
    selections,
)
from support.store import StoreAddress

if TYPE_CHECKING:
    from drill.stage import Stage
    from drill.traffic import Traffic

CATALOGUE = {
    "CostPerHourHigh": 1,
    "CostBudgetBurn": 2,
    "UnpricedCalls": 1,
    "HighErrorRate": 1,
    "HighLatencyP99": 1,
    "FallbackRateHigh": 1,
    "OpenAIErrors": 1,
    "OpenAIRateLimited": 1,
    "CacheHitRateCollapse": 1,
    "ModelShutdownSoon": 1,
    "ReplicaCountDropped": 1,
    "ExporterDown": 1,
    "StoreDown": 1,
    "StateStale": 1,
    "CountsLost": 1,
    "SeriesDropped": 1,
    "DefinitionConflict": 1,
}
"""Every alert, and how many rules have its name: the budget's burns fast or slowly."""

CASES = tuple(sorted((Path(__file__).parent / "rules").glob("*.yml")))


@cache
def cases() -> list[dict[str, Any]]:
    """What promtool is asked to try."""
    return [case for path in CASES for case in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]]


def name_of(rule: Rule) -> str:
    """What pytest calls a case."""
    return rule.name


@pytest.fixture
def declared(installed: StoreAddress) -> dict[str, frozenset[str]]:
    """Every series name that a fleet can show, and its labels."""
    HTTPMetrics(registry=CollectorRegistry()).families.in_progress.inc()
    assert fleetmeter.flush()
    collector = RedisCollector(
        CollectorRegistry(support_collectors_without_names=True), url=installed.url, namespace=installed.namespace
    )
    return declared_series(collector)


def test_every_alert_is_there() -> None:
    """The alerts are those of the catalogue, no other; the budget's has a fast and a slow half."""
    assert Counter(rule.name for rule in alerts()) == {name: 2 if name == "CostBudgetBurn" else 1 for name in CATALOGUE}


def test_the_drill_lets_every_alert_fire() -> None:
    """Each has a fault that has to raise it in a running system."""
    stage, traffic = cast("Stage", None), cast("Traffic", None)  # used when a fault begins, not before
    faults = (*side_by_side(stage, traffic), *one_by_one(stage, traffic))
    assert sorted(alert for fault in faults for alert in fault.alerts) == sorted(CATALOGUE)


@pytest.mark.parametrize("rule", alerts(), ids=name_of)
def test_an_alert_says_what_to_do(rule: Rule) -> None:
    """Each has a severity, a summary, a description, and the place of its entry in the runbook."""
    assert rule.labels["severity"] in {"critical", "warning", "info"}
    assert rule.annotations.keys() == {"summary", "description", "runbook"}
    assert rule.annotations["runbook"] == f"prometheus/runbook.md#{rule.name.lower()}"
    assert re.search(rf"^## {rule.name}$", (FOLDER / "runbook.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("rule", records(), ids=name_of)
def test_recording_rules_are_named_as_is_usual(rule: Rule) -> None:
    """level:metric:operation, where the level is the labels that are left."""
    level, _, operation = rule.name.split(":")
    if level == "fleetmeter":
        assert operation in {"threshold", "minimum"}
        assert not set(selections(rule.expression))
    else:
        grouped = {label for label in grouping_labels(rule.expression) if label != "le"}
        assert grouped == set(level.split("_"))


def test_every_threshold_is_compared_with() -> None:
    """A threshold that no alert looks at would be changed in vain."""
    used = {selection.metric for rule in alerts() for selection in selections(rule.expression)}
    assert {rule.name for rule in records() if rule.name.startswith("fleetmeter:")} <= used


def test_thresholds_stand_in_their_file_alone() -> None:
    """thresholds.yml holds all of them and nothing else, so that it can be kept through an upgrade."""
    groups: Any = yaml.safe_load((FOLDER / "rules" / "thresholds.yml").read_text(encoding="utf-8"))["groups"]
    held = {rule["record"] for group in groups for rule in group["rules"]}
    assert held == {rule.name for rule in records() if rule.name.startswith("fleetmeter:")}


def test_every_series_and_label_is_declared(declared: dict[str, frozenset[str]]) -> None:
    """A metric or a label that somebody renames is found here, with the rule that still uses the old name."""
    recorded = {rule.name for rule in records()}
    wrong = set()
    for rule in rules():
        for selection in selections(rule.expression):
            if selection.metric in declared:
                unknown = selection.labels - declared[selection.metric] - TARGET_LABELS
                wrong |= {f"{rule.name}: {selection.metric} has no label {label}" for label in unknown}
            elif selection.metric not in recorded | SCRAPED:
                wrong.add(f"{rule.name}: nothing declares {selection.metric}")
        known = TARGET_LABELS.union(*declared.values())
        wrong |= {
            f"{rule.name}: nothing has a label {label}"
            for label in grouping_labels(rule.expression)
            if label not in known
        }
    assert not wrong


@pytest.mark.parametrize("rule", alerts(), ids=name_of)
def test_every_alert_has_its_cases(rule: Rule) -> None:
    """Each alert has a case for promtool in which it is silent, then fires, then resolves.

    Beside it the case has neighbours just below the threshold, which would be among the alerts if they fired.
    """
    shown = []
    for case in cases():
        fires = [
            any(rule.labels.items() <= alert["exp_labels"].items() for alert in evaluation.get("exp_alerts", ()))
            for evaluation in case.get("alert_rule_test", ())
            if evaluation["alertname"] == rule.name
        ]
        changes = list(pairwise(fires))
        shown.append((False, True) in changes and (True, False) in changes)
    assert any(shown)


def test_prometheus_scrapes_one_target() -> None:
    """One job with one target and a fixed instance: replicas show the whole fleet each, and a sum would be wrong."""
    (job,) = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    assert job["job_name"] == "fleetmeter"
    (targets,) = job["static_configs"]
    assert len(targets["targets"]) == 1
    assert targets["labels"] == {"instance": "fleetmeter"}
