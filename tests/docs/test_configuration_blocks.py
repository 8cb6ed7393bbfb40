"""The configuration in the documents: everything parses, and is read by the program that would read it."""

import csv
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import yaml

from fleetmeter.pricing import PriceList
from fleetmeter.reader.gauge_read import GROUP
from fleetmeter_app.config.settings import AppSettings
from fleetmeter_app.main import load
from fleetmeter_exporter.exposition.own_metrics import OWN_NAMES
from fleetmeter_exporter.http.web_file import WebFile
from support.documents import ROOT, Block, blocks
from support.rules import SCRAPED, declared_series, records, selections
from support.tls import Authority

LANGUAGES = frozenset(("python", "sh", "toml", "yaml", "promql", "ini", "json", "csv", "diff", "text"))
"""What a block may be. `text` is output and drawings; each other language has a test."""

PACKAGED = tomllib.loads((ROOT / "app" / "fleetmeter_app" / "gateway.toml").read_text(encoding="utf-8"))
TOOL = 'def weather(city: str) -> str:\n    """The weather of a city."""\n    return city\n'
OF_THE_READER = frozenset(("orders_total",))
"""Series of the programs that a page has had saved."""

TOML, YAML, PROMQL = list(blocks("toml")), list(blocks("yaml")), list(blocks("promql"))
Record = Callable[[str, object], None]


def merged(whole: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """A table with another one's values in it."""
    both = dict(whole)
    for key, value in part.items():
        both[key] = merged(both.get(key, {}), value) if isinstance(value, dict) else value
    return both


def toml(table: Mapping[str, Any]) -> str:
    """A table as TOML: tables inside tables are inline, as JSON's texts, numbers and lists are TOML's."""
    return "\n".join(f"{json.dumps(key)} = {_value(value)}" for key, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_value(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value)


def test_every_block_says_what_it_is() -> None:
    """Its language is one of those that are checked."""
    assert {block.place: block.language for block in blocks() if block.language not in LANGUAGES} == {}


@pytest.mark.parametrize("block", TOML, ids=[block.place for block in TOML])
def test_toml_is_read(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Record) -> None:
    """By the gateway beside its packaged file, as a file of prices, or as an entry point of a package."""
    table = tomllib.loads(block.text)
    if "project" in table:
        assert GROUP in table["project"]["entry-points"]
    elif block.page in ("docs/pricing.md", "docs/llm-calls.md", "docs/how-to/cost-by-team.md"):
        (tmp_path / "prices.toml").write_text(block.text)
        assert PriceList.from_file(tmp_path / "prices.toml").models()
    else:
        (tmp_path / "my_tools.py").write_text(TOOL)
        (tmp_path / "prices").mkdir()
        (tmp_path / "gateway.toml").write_text(toml(merged(PACKAGED, table)))
        monkeypatch.syspath_prepend(tmp_path)
        environ = {"OPENAI_API_KEY": "sk-test", "SECOND_KEY": "sk-test"}
        found = load(AppSettings.from_arguments(["--config", str(tmp_path / "gateway.toml")], environ), environ)
        assert {*table} <= {*vars(found.config)} | {"prices"}
        sys.modules.pop("my_tools", None)
    record_property("blocks", ("TOML that its program reads", 1))


@pytest.mark.parametrize("block", YAML, ids=[block.place for block in YAML])
def test_yaml_is_read(block: Block, tmp_path: Path, binary: Callable[[str], str], record_property: Record) -> None:
    """By the exporter, or by promtool; of other programs' files the form is looked at."""
    content = yaml.safe_load(block.text)
    file = tmp_path / "file.yml"
    if "tls_server_config" in content:
        authority = Authority(tmp_path, "ca")
        authority.issue("exporter")
        hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
        file.write_text(re.sub(r"\$2y\$10\$…", hashed, block.text))
        assert WebFile(str(file)).current().tls is not None
    elif content.keys() & {"scrape_configs", "groups"}:
        file.write_text(block.text)
        what = ["rules"] if "groups" in content else ["config", "--syntax-only"]
        done = subprocess.run([binary("promtool"), "check", *what, file], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    else:
        assert {"apiVersion", "kind", "metadata", "spec"} <= content.keys() or "instances" in content
    record_property("blocks", ("YAML that its program reads", 1))


@pytest.mark.parametrize("block", PROMQL, ids=[block.place for block in PROMQL])
def test_promql_asks_for_what_there_is(block: Block, record_property: Record) -> None:
    """It parses, and each of its series is declared, recorded, or made by a program of the page."""
    known = declared_series().keys() | {*OWN_NAMES} | {rule.name for rule in records()} | SCRAPED | OF_THE_READER
    asked = {selection.metric for selection in selections(block.text)}
    assert asked
    assert not asked - known, block.place
    record_property("blocks", ("PromQL that Prometheus evaluates", 1))


def test_prometheus_evaluates_every_query(binary: Callable[[str], str], tmp_path: Path) -> None:
    """Its own engine takes each of them, over no samples at all."""
    queries = [
        {"expr": f"count({block.text}) or vector(0)", "eval_time": "1m", "exp_samples": [{"labels": "{}", "value": 0}]}
        for block in PROMQL
        if "vector(" not in block.text
    ]
    rules = [str(path) for path in (ROOT / "prometheus" / "rules").glob("*.yml")]
    cases = tmp_path / "cases.yml"
    tests = [{"interval": "1m", "promql_expr_test": queries}]
    cases.write_text(yaml.safe_dump({"rule_files": rules, "tests": tests}))
    done = subprocess.run([binary("promtool"), "test", "rules", cases], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_other_files_parse(record_property: Record) -> None:
    """Variables and settings of a store are names with values, CSV has rows of one length, a diff has both sides."""
    found = list(blocks("ini", "json", "csv", "diff"))
    for block in found:
        if block.language == "ini":
            lines = [line for line in block.text.splitlines() if line and not line.startswith("#")]
            assert all(re.fullmatch(r"[A-Z_]+=\S+|[a-z-]+ \S+", line) for line in lines), block.place
        elif block.language == "json":
            json.loads(block.text)
        elif block.language == "csv":
            rows = list(csv.reader(block.text.splitlines()))
            assert len({len(row) for row in rows}) == 1, block.place
        else:
            assert {line[0] for line in block.text.splitlines()} >= {"+", "-"}, block.place
    record_property("blocks", ("other files that parse", len(found)))
