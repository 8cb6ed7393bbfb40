"""What the queries say in trouble, asked of Prometheus' own engine with series that are made up."""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from observation.dashboards import Window, panels

_WINDOW = Window(0.0, 600.0)
_UP = 'up{job="fleetmeter", instance="a"}'
_READ = 'fleetmeter_up{job="fleetmeter", instance="a"}'
TRUST = "Can these numbers be trusted?"
FAILED = "What share of requests fails?"
REPLICAS = "How many replicas live?"
MISSING = "What is missing from a scrape?"
_UNPRICED = 'openai_unpriced_calls_total{job="fleetmeter", instance="a", model="%s"}'
REQUESTS = 'http_requests_total{job="fleetmeter", method="GET", endpoint="/ask", status="%s"}'


def query(title: str) -> str:
    """The query of a panel, its variables filled in."""
    (found, *_) = (panel.queries[0].expression for panel in panels() if panel.title == title)
    return _WINDOW.fill(found)


def complaint(binary: str, folder: Path, title: str, series: Mapping[str, str], samples: Mapping[str, float]) -> str:
    """What promtool has to say where the series do not give these samples at minute 10; empty where they do."""
    expected = [{"labels": labels, "value": value} for labels, value in samples.items()]
    test = {
        "interval": "5s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": query(title), "eval_time": "10m", "exp_samples": expected}],
    }
    path = folder / "test.yml"
    path.write_text(yaml.safe_dump({"rule_files": [], "tests": [test]}))
    done = subprocess.run([binary, "test", "rules", str(path)], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize(
    ("series", "value"),
    [
        ({_UP: "1x120", _READ: "1x120"}, 1),
        ({_UP: "1x120", _READ: "0x120"}, 0),
        ({_UP: "0x120"}, -1),
        ({_UP: "1x120", _READ: "1x120", _UP.replace('"a"', '"b"'): "1x120", _READ.replace('"a"', '"b"'): "1x120"}, 2),
        ({_UP: "1x120", _READ[:-1] + ', namespace="x"}': "1x120", _READ[:-1] + ', namespace="y"}': "1x120"}, 1),
        ({_UP: "1x120", _READ[:-1] + ', namespace="x"}': "1x120", _READ[:-1] + ', namespace="y"}': "0x120"}, 0),
        ({_UP: "1x120", _READ: "1x120", _UNPRICED % "a": "3x120", _UNPRICED % "b": "0x120"}, 1),
        ({_UP: "1x120", _READ: "1x120", _UNPRICED % "a": "3x120", _UNPRICED % "b": "0x60 1x60"}, 0.5),
        ({_UP: "1x120", _READ: "1x120", _UNPRICED % "a": "3x120", _UNPRICED % "b": "_x60 1x60"}, 0.5),
        ({_UP: "1x120", _READ: "1x120", _UNPRICED % "a": "_x60 0x60"}, 1),
        ({_UP: "0x60 1x60", _READ: "_x60 1x60", _UNPRICED % "a": "_x60 7x60"}, 1),
        ({_UP: "1x120", _READ: "0x60 1x60", _UNPRICED % "a": "_x60 7x60"}, 1),
        ({_UP: "0x60 1x60", _READ: "_x60 1x60", _UNPRICED % "a": "_x60 7x30 8x30"}, 0.5),
        ({_UP: "1x120", _READ: "0x120", _UNPRICED % "a": "0+1x120"}, 0),
        ({_UP: "0x120", _UNPRICED % "a": "0+1x60"}, -1),
    ],
    ids=[
        "right",
        "unread",
        "exporter down",
        "scraped twice",
        "two namespaces",
        "one of them unread",
        "unpriced before",
        "unpriced now",
        "born unpriced",
        "born priced",
        "exporter came back",
        "store came back",
        "came back and unpriced",
        "unread and unpriced",
        "down and unpriced",
    ],
)
def test_trust_tells_what_is_wrong(
    binary: Callable[[str], str], tmp_path: Path, series: dict[str, str], value: float
) -> None:
    """1 if all is well, 0 if not all was read, -1 without an exporter, the number of targets if there are several.

    It is 0.5 if calls without a price were counted within the time shown, be it as the first value of a new series.
    """
    assert complaint(binary("promtool"), tmp_path, TRUST, series, {"{}": value}) == ""


@pytest.mark.parametrize(
    ("series", "samples"),
    [
        ({REQUESTS % 200: "0+1x120"}, {"{}": 0}),
        ({REQUESTS % 200: "0+3x120", REQUESTS % 503: "0+1x120"}, {"{}": 0.25}),
        ({REQUESTS % 200: "7x120", REQUESTS % 503: "0x120"}, {}),
        ({}, {}),
    ],
    ids=["no error yet", "one in four", "no traffic", "nothing"],
)
def test_a_ratio_is_0_where_nothing_failed_and_nothing_without_traffic(
    binary: Callable[[str], str], tmp_path: Path, series: dict[str, str], samples: dict[str, float]
) -> None:
    """A service without a 5xx fails 0 of its requests; one without requests fails no share of them."""
    assert complaint(binary("promtool"), tmp_path, FAILED, series, samples) == ""


def test_namespaces_add_up_and_targets_do_not(binary: Callable[[str], str], tmp_path: Path) -> None:
    """Two targets that show the same 3 replicas show 3; two namespaces of 3 and 2 are 5."""
    name = 'fleetmeter_replicas{job="fleetmeter", instance="%s", namespace="%s"}'
    twice = {name % ("a", "x"): "3x120", name % ("b", "x"): "3x120"}
    assert complaint(binary("promtool"), tmp_path, REPLICAS, twice, {"{}": 3}) == ""
    assert complaint(binary("promtool"), tmp_path, REPLICAS, {**twice, name % ("a", "y"): "2x120"}, {"{}": 5}) == ""


def test_nothing_wrong_is_a_0_and_nothing_known_is_nothing(binary: Callable[[str], str], tmp_path: Path) -> None:
    """Without a trouble there is one bar at 0; with one, it alone; while nothing can be read, none."""
    trouble = 'fleetmeter_last_scrape_error{job="fleetmeter", instance="a", reason="%s"}'
    right = {_READ: "1x120", trouble % "timeout": "0x120"}
    none = {'{reason="none"}': 0.0}
    assert complaint(binary("promtool"), tmp_path, MISSING, right, none) == ""
    wrong = {_READ: "1x120", trouble % "conflict": "1x120", trouble % "timeout": "0x120"}
    assert complaint(binary("promtool"), tmp_path, MISSING, wrong, {'{reason="conflict"}': 1.0}) == ""
    assert complaint(binary("promtool"), tmp_path, MISSING, {_READ: "0x120"}, {}) == ""
