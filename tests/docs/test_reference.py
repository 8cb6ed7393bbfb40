"""The reference is what the code says, and says all of it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

import fleetmeter
from fleetmeter.instrumentation import HTTPMetrics, default_registry
from fleetmeter.instrumentation.replica_metrics import replica_gauges
from fleetmeter.llm import REGISTRY
from fleetmeter_docs import __main__ as reference
from fleetmeter_docs import interface
from fleetmeter_docs.families import SHOWN_AS
from fleetmeter_exporter import RedisCollector
from support.documents import ROOT, text_of
from support.store import StoreAddress

METRICS, SETTINGS = "docs/reference/metrics.md", "docs/reference/settings.md"
PACKAGES = ("state/fleetmeter", "exporter/fleetmeter_exporter", "app/fleetmeter_app")


def table_rows(text: str) -> Iterator[list[str]]:
    """The cells of every table row."""
    for line in text.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]


@pytest.fixture
def documented() -> dict[str, tuple[str, ...]]:
    """The rows of the metric tables, by family."""
    rows = {cells[0].strip("`"): tuple(cells[1:]) for cells in table_rows(text_of(METRICS))}
    del rows["family"], rows["---"]
    return rows


def test_the_pages_are_what_the_code_says() -> None:
    """Whoever changes a flag, a family or a docstring runs `make reference`."""
    assert reference.differing() == []


def test_a_page_that_is_left_over_or_changed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--check` names each, changes nothing, and fails; without it the pages are written."""
    monkeypatch.setattr(reference, "FOLDER", tmp_path)
    assert reference.main([]) == 0
    (tmp_path / "old.md").write_text("")
    (tmp_path / "python.md").write_text("")
    assert reference.main(["--check"]) == 1
    told = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in told] == ["docs/reference/old.md", "docs/reference/python.md"]


def test_the_metric_table_is_the_catalogue(documented: dict[str, tuple[str, ...]]) -> None:
    """It lists every family that is declared, and no other."""
    HTTPMetrics(registry=(http := CollectorRegistry()))
    replica_gauges()
    replica = [family for family in default_registry().collect() if family.name.startswith("replica_")]
    families = [*http.collect(), *replica, *REGISTRY.collect()]
    declared = {family.name + SHOWN_AS.get(family.type, ""): family.documentation for family in families}
    assert {name: row[2] for name, row in documented.items() if not name.startswith("fleetmeter_")} == declared


def test_the_machinery_table_is_what_is_served(documented: dict[str, tuple[str, ...]], installed: StoreAddress) -> None:
    """Every `fleetmeter_*` family that a scrape shows is in the table, with its help, and no other is."""
    HTTPMetrics(registry=CollectorRegistry()).families.in_progress.inc()
    assert fleetmeter.flush()
    registry = CollectorRegistry(support_collectors_without_names=True)
    RedisCollector(registry, url=installed.url, namespace=installed.namespace)
    served = {
        family.name + SHOWN_AS.get(family.type, ""): family.documentation
        for family in registry.collect()
        if family.name.startswith("fleetmeter_")
    }
    assert {name: row[2] for name, row in documented.items() if name.startswith("fleetmeter_")} == served


def variables() -> set[str]:
    """The names of environment variables that stand in the code as texts, with the twins that are files."""
    found = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found |= set(re.findall(r"\b(?:FLEETMETER|DEMO)_[A-Z_]*[A-Z]\b", node.value))
    return found


def test_every_variable_of_the_code_is_among_the_settings() -> None:
    """Nothing is read from the environment that the page does not name."""
    text = text_of(SETTINGS)
    unwritten = {"DEMO_ALERT", "FLEETMETER_DASHBOARDS", "FLEETMETER_PROMETHEUS_URL"}  # a beginning; Grafana's files
    assert {name for name in variables() - unwritten if f"`{name}`" not in text} == set()


def test_every_public_name_is_described() -> None:
    """Each name that `__all__` promises has a heading."""
    text = text_of("docs/reference/python.md")
    for module, names in interface.modules().items():
        assert names
        for name in names:
            assert f"\n### {module.__name__}.{name}\n" in text
