"""The README and ARCHITECTURE say what is so."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from fleetmeter.embedded import EmbeddedStore
from fleetmeter.instrumentation import HTTPMetrics, default_registry
from fleetmeter.instrumentation.replica_metrics import replica_gauges
from fleetmeter.llm import REGISTRY
from fleetmeter.schema import keys
from fleetmeter_exporter import RedisCollector
from fleetmeter_exporter.scraper import Scraper
from support.exposition import parse, total
from support.store import StoreAddress

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SHOWN_AS = {"counter": "_total", "info": "_info"}


def table_rows(text: str) -> Iterator[list[str]]:
    """The cells of every table row."""
    for line in text.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]


def declared(registry: CollectorRegistry) -> dict[str, tuple[str, str, str]]:
    """Type, labels and help of each family of a registry, by the name it is shown under."""
    found = {}
    for metric in dict.fromkeys(registry._names_to_collectors.values()):
        family: Any = metric
        mode = getattr(family, "_multiprocess_mode", "")
        found[family._name + SHOWN_AS.get(family._type, "")] = (
            family._type + (f" ({mode})" if mode else ""),
            ", ".join(f"`{label}`" for label in family._labelnames),
            family._documentation,
        )
    return found


@pytest.fixture
def documented() -> dict[str, tuple[str, ...]]:
    """The rows of the README's metric tables, by family."""
    metrics = README.partition("## Metrics")[2].partition("## What is where")[0]
    rows = {cells[0].strip("`"): tuple(cells[1:]) for cells in table_rows(metrics)}
    del rows["family"], rows["---"]
    return rows


def test_metric_table_is_the_catalogue(documented: dict[str, tuple[str, ...]]) -> None:
    """The table lists every family that is declared, with its type, labels and help, and no other."""
    http = CollectorRegistry()
    HTTPMetrics(registry=http)
    replica_gauges()
    replica = {name: row for name, row in declared(default_registry()).items() if name.startswith("replica_")}
    families = {**declared(http), **replica, **declared(REGISTRY)}
    assert {name: row for name, row in documented.items() if not name.startswith("fleetmeter_")} == families


def test_machinery_table_is_what_is_served(documented: dict[str, tuple[str, ...]], installed: StoreAddress) -> None:
    """Every `fleetmeter_*` family that a scrape shows is in the table, with its help, and no other is."""
    import fleetmeter

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


def test_ten_lines_count_across_processes(server: EmbeddedStore, store: StoreAddress, tmp_path: Path) -> None:
    """The README's first example, run twice, adds up to what the README shows."""
    (example,) = re.findall(r"```python\n(import fleetmeter\nfrom prometheus_client.*?)```", README, re.DOTALL)
    program = tmp_path / "count.py"
    program.write_text(example)
    for _ in range(2):
        subprocess.run([sys.executable, str(program)], env={**os.environ, **store.environ}, check=True)
    text = Scraper.of(store.url, [store.namespace]).scrape()
    for line in re.findall(r"^(?:orders|revenue)\S* \S+$", README, re.MULTILINE):
        assert f"\n{line}\n" in text.decode()
    assert total(parse(text), "revenue_usd_total") == 39.98


def test_key_table_is_the_one_of_the_code() -> None:
    """ARCHITECTURE shows the keys as keys.py documents them."""
    code: list[list[str]] = []
    for key, kind, meaning in table_rows(keys.__doc__ or ""):
        if key or kind:
            code.append([key, kind, meaning])
        else:  # the row above goes on
            code[-1][2] += f" {meaning}"
    text = (ROOT / "ARCHITECTURE.md").read_text()
    shown = [cells for cells in table_rows(text) if cells[0].startswith("`<tag>")]
    assert shown == [row for row in code if row[0].startswith("`<tag>")]


def test_commands_exist() -> None:
    """Every make target that the documents name is in the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set()
    for document in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for command in re.findall(r"make ((?:[a-z-]+ ?)+)", (ROOT / document).read_text()):
            named |= set(command.split()) & {"demo", "test", "bench", "lint", "types", "setup", "format", "wheel-test"}
    assert {"demo", "test"} <= named <= targets
