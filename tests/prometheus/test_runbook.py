"""The runbook: an entry per alert, each with a query that works."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from support.rules import FOLDER, RULE_FILES, SCRAPED, alerts, declared_series, records, selections

RUNBOOK = (FOLDER / "runbook.md").read_text(encoding="utf-8")
ENTRIES: dict[str, str] = dict(re.findall(r"^## (\w+)$(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))
QUERIES = {title: re.findall(r"```promql\n(.*?)\n```", text, re.DOTALL) for title, text in ENTRIES.items()}
OF_THE_EXPORTER = frozenset(
    (
        "fleetmeter_up",
        "fleetmeter_replicas",
        "fleetmeter_last_write_timestamp_seconds",
        "fleetmeter_last_write_goodbye",
    )
)
"""What the exporter makes itself; that it shows them is tested with the rules, which use the same."""


def test_there_is_an_entry_for_each_alert() -> None:
    """The list is the rules', in both directions."""
    assert ENTRIES.keys() == {rule.name for rule in alerts()}


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_is_complete(name: str) -> None:
    """Meaning, first query, first action, in this order; and one query."""
    parts = re.findall(r"^\*\*(.+?)\*\*", ENTRIES[name], re.MULTILINE)
    assert parts == ["Meaning", "First query", "First action"]
    assert len(QUERIES[name]) == 1


@pytest.mark.parametrize("name", ENTRIES)
def test_a_first_query_asks_for_what_there_is(name: str) -> None:
    """It parses, and each of its series is declared, recorded, or made by Prometheus."""
    known = declared_series().keys() | {rule.name for rule in records()} | SCRAPED | OF_THE_EXPORTER
    asked = {selection.metric for selection in selections(QUERIES[name][0])}
    assert asked
    assert not asked - known


def test_links_lead_to_entries() -> None:
    """A link to another entry names one that there is."""
    assert set(re.findall(r"\(#(\w+)\)", RUNBOOK)) <= {name.lower() for name in ENTRIES}


def test_prometheus_can_evaluate_every_first_query(binary: Callable[[str], str], tmp_path: Path) -> None:
    """Prometheus' own engine takes each of them."""
    cases = tmp_path / "cases.yml"
    queries = [{"expr": f"count({query}) or vector(0)", "eval_time": "1m"} for (query,) in QUERIES.values()]
    samples = [{"labels": "{}", "value": 0}]
    test = {"interval": "1m", "promql_expr_test": [{**query, "exp_samples": samples} for query in queries]}
    cases.write_text(yaml.safe_dump({"rule_files": [str(path) for path in RULE_FILES], "tests": [test]}))
    done = subprocess.run(
        [binary("promtool"), "test", "rules", str(cases)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
