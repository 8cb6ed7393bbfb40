"""The cases out of step are what their helper says, and find what they are for."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.rules import FOLDER
from support.steps import expanded, failed, lagging, loaded, out_of_step, shifted

CASES = Path(__file__).parent / "rules"


@pytest.mark.parametrize(
    ("values", "samples"),
    [
        ("1 _ stale", ["1", "_", "stale"]),
        ("0x2", ["0.0", "0.0", "0.0"]),
        ("1+0.5x2 _x2", ["1.0", "1.5", "2.0", "_", "_"]),
        ("3-1x1", ["3.0", "2.0"]),
    ],
)
def test_a_series_is_read_as_promtool_reads_it(values: str, samples: list[str]) -> None:
    """`axN` are N + 1 samples, `_xN` are N that are missing."""
    assert list(expanded(values)) == samples


def test_what_is_no_series_is_named() -> None:
    """A typing error in a case is no shorter series."""
    with pytest.raises(ValueError, match="'1y5' is no series"):
        list(expanded("1y5"))


def test_hexadecimal_is_no_series() -> None:
    """`0x60` stays what promtool reads: 61 zeros, not the number 96."""
    values = [each["values"] for case in loaded(CASES / "cost.yml")["tests"] for each in case["input_series"]]
    assert all(isinstance(each, str) for each in values)
    assert "0x300" in values


def test_a_shifted_series_has_the_same_samples_later() -> None:
    """Each comes after one part of its interval."""
    assert shifted("1 2", 3) == "_ 1 _ _ 2 _"


def test_a_failed_scrape_leaves_marks_and_an_up_of_0() -> None:
    """Every seventh sample is a mark of staleness, as in Prometheus; `up` is 0 then."""
    assert failed('a{job="j"}', "1x7").split() == ["1.0"] * 6 + ["stale", "1.0"]
    assert failed('up{job="j"}', "1x6").split() == ["1.0"] * 6 + ["0"]


def test_another_groups_results_are_late_and_the_own_are_not() -> None:
    """A rule sees what its own group recorded at this moment, and what another recorded before."""
    groups = [
        {"rules": [{"record": "job:a:min", "expr": "min(a)"}, {"record": "job:b:min", "expr": "b and job:a:min"}]},
        {"rules": [{"alert": "A", "expr": "job:a:min offset 1h == 1 or max_over_time(job:b:min[1d]) > 0"}]},
    ]
    changed = lagging({"groups": groups}, 15)["groups"]
    assert changed[0]["rules"][1]["expr"] == "b and job:a:min"
    late = "job:a:min offset 3615s == 1 or max_over_time(job:b:min[1d] offset 15s) > 0"
    assert changed[1]["rules"][0]["expr"] == late


@pytest.mark.parametrize(
    ("cases", "window", "alert"), [("cost", "1h", "UnpricedCalls"), ("state", "15m", "SeriesDropped")]
)
def test_an_alert_that_asks_a_rule_what_a_scrape_said_is_found(
    binary: Callable[[str], str], tmp_path: Path, cases: str, window: str, alert: str
) -> None:
    """With the recorded series in the place of the scrape's, the cases pass in step and fail out of step."""
    rules = tmp_path / "prometheus" / "rules"
    rules.mkdir(parents=True)
    for path in (FOLDER / "rules").glob("*.yml"):
        (rules / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    text = (rules / "alerts.yml").read_text(encoding="utf-8")
    right = f"and on (job, instance, namespace) (fleetmeter_up offset {window} == 1)"
    assert text.count(right) == 1
    wrong = f"and on (job) (job:fleetmeter_up:min offset {window} == 1)"
    (rules / "alerts.yml").write_text(text.replace(right, wrong), encoding="utf-8")
    paths = out_of_step(CASES / f"{cases}.yml", rules, tmp_path)
    done = subprocess.run(
        [binary("promtool"), "test", "rules", *map(str, paths)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    (failure,) = re.findall("expr: .*", done.stderr)
    assert f'ALERTS{{alertname=\\"{alert}\\"' in failure
