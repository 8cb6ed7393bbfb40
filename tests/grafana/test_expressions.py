"""What the queries say in trouble, asked of Prometheus' own engine with series that are made up."""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from observation.dashboards import Window, documents, panels

_WINDOW = Window(0.0, 600.0)
_UP = 'up{job="fleetmeter", instance="a"}'
_READ = 'fleetmeter_up{job="fleetmeter", instance="a"}'
TRUST = "Can these numbers be trusted?"
FAILED = "What share of requests fails?"
REPLICAS = "How many replicas live?"
MISSING = "What is missing from a scrape?"
_UNPRICED = 'openai_unpriced_calls_total{job="fleetmeter", instance="a", model="%s"}'
_DROPPED = 'fleetmeter_dropped_series_total{job="fleetmeter", instance="a", family="x"}'
_REFUSED = 'fleetmeter_rejected_values_total{job="fleetmeter", instance="a", reason="not_finite"}'
_LOST = 'fleetmeter_lost_batches_total{job="fleetmeter", instance="a"}'
_SERVICE = 'service_info{job="fleetmeter", instance="a", service="ask", version="%s"}'
_SPENT = 'openai_total_cost_usd_total{job="fleetmeter", instance="a", model="m"}'
REQUESTS = 'http_requests_total{job="fleetmeter", method="GET", endpoint="/ask", status="%s"}'


def query(title: str) -> str:
    """The query of a panel, its variables filled in."""
    (found, *_) = (panel.queries[0].expression for panel in panels() if panel.title == title)
    return _WINDOW.fill(found)


def annotation(name: str) -> str:
    """The query of an annotation, its variables filled in."""
    (found,) = (each["expr"] for each in documents()["cost"]["annotations"]["list"] if each["name"] == name)
    return _WINDOW.fill(found)


def complaint(
    binary: str, folder: Path, title: str, series: Mapping[str, str], samples: Mapping[str, float], text: str = ""
) -> str:
    """What promtool has to say where the series do not give these samples at minute 10; empty where they do.

    The query is a panel's, by its title, or else `text`.
    """
    expected = [{"labels": labels, "value": value} for labels, value in samples.items()]
    test = {
        "interval": "5s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": text or query(title), "eval_time": "10m", "exp_samples": expected}],
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
        ({_UP: "1x120", _READ: "1x120", _DROPPED: "_x60 1x60"}, 0.4),
        ({_UP: "1x120", _READ: "1x120", _DROPPED: "_x60 1x60", _UNPRICED % "a": "0x60 1x60"}, 0.5),
        ({_UP: "1x120", _READ: "1x120", _REFUSED: "0x60 1x60", _DROPPED: "_x60 1x60"}, 0.3),
        ({_UP: "1x120", _READ: "1x120", _LOST: "0x60 2x60", _UNPRICED % "a": "0x60 1x60"}, 0.2),
        ({_UP: "1x120", _READ: "1x120", _LOST: "2x120", _REFUSED: "1x120", _DROPPED: "7x120"}, 1),
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
        "series dropped",
        "dropped and unpriced",
        "values refused",
        "counts lost",
        "all of it before",
    ],
)
def test_trust_tells_what_is_wrong(
    binary: Callable[[str], str], tmp_path: Path, series: dict[str, str], value: float
) -> None:
    """1 if all is well, 0 if not all was read, -1 without an exporter, the number of targets if there are several.

    It is less than 1 if, within the time shown, batches were lost (0.2), values refused (0.3), series dropped (0.4) or
    calls counted without a price (0.5), be it as the first value of a new series; of several, the worst is told.
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


def test_the_months_end_goes_on_as_the_last_hour(binary: Callable[[str], str], tmp_path: Path) -> None:
    """120 dollars in the first ten minutes of January: these, and 120 for each of the 743 h 50 min that are left."""
    titles = ("What did the last hour cost?", "Cost of this month?", "Cost at month's end?")
    rising, flat = {_SPENT: "0+1x120"}, {_SPENT: "120x120"}
    for title, risen in zip(titles, (120, 120, 120 + 120 * (24 * 31 - 1 / 6)), strict=True):
        rounded = f"round({query(title)})"
        assert complaint(binary("promtool"), tmp_path, "", rising, {"{}": round(risen)}, rounded) == ""
        assert complaint(binary("promtool"), tmp_path, "", flat, {"{}": 0}, rounded) == ""


def test_data_begin_where_the_first_scrape_was(binary: Callable[[str], str], tmp_path: Path) -> None:
    """A fleet that is seen from minute 4 on says so, to the minute, in milliseconds."""
    seen = {_READ: "_x48 1x80"}
    assert complaint(binary("promtool"), tmp_path, "Data since when?", seen, {"{}": 240_000}) == ""


@pytest.mark.parametrize(
    ("series", "deployed"),
    [
        ({_SERVICE % "2": "_x118 1x10", _SERVICE % "1": "1x130"}, "2"),
        ({_SERVICE % "2": "_x60 1x80", _SERVICE % "1": "1x130"}, ""),
        ({_SERVICE % "2": "_x118 1x10", _SERVICE % "1": "1x130", _READ: "0x117 1x10"}, ""),
    ],
    ids=["now", "five minutes ago", "the store came back"],
)
def test_a_deploy_is_a_version_that_was_not_there(
    binary: Callable[[str], str], tmp_path: Path, series: dict[str, str], deployed: str
) -> None:
    """A new version is an event once, while it is new; what was out of sight only because nobody could read is none."""
    samples = {f'{{service="ask", version="{deployed}"}}': 1.0} if deployed else {}
    seen = {_READ: "1x130"} | series
    assert complaint(binary("promtool"), tmp_path, "", seen, samples, annotation("Deploys")) == ""


def test_a_hold_is_drawn_while_it_lasts(binary: Callable[[str], str], tmp_path: Path) -> None:
    """While an older snapshot is shown there is an event, and none otherwise."""
    held = 'fleetmeter_snapshot_held{job="fleetmeter", instance="a"}'
    assert complaint(binary("promtool"), tmp_path, "", {held: "0x100 1x30"}, {"{}": 1}, annotation("Holds")) == ""
    assert complaint(binary("promtool"), tmp_path, "", {held: "1x100 0x30"}, {}, annotation("Holds")) == ""
