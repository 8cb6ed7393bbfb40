"""Alerts in the demo: shorter windows, and whom they are told to."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleetmeter_app.demo.alertmanager import configuration, reason_to_leave_out, with_receivers
from fleetmeter_app.demo.windows import shortened
from support.rules import FOLDER, RULE_FILES

ALERTMANAGER = (FOLDER / "alertmanager.yml").read_text(encoding="utf-8")
UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def durations(text: str) -> list[str]:
    """Whatever stands in a YAML text where Prometheus and Alertmanager have durations."""
    # Found otherwise than the code does it: every number with a unit that is a word by itself, in what is no comment
    # and no text for people.
    document = yaml.safe_load(text)
    found: list[str] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            for key, part in node.items():
                if key not in {"record", "annotations", "labels", "receivers", "inhibit_rules"}:
                    walk(part)
        elif isinstance(node, list):
            for part in node:
                walk(part)
        elif isinstance(node, str):
            found.extend(re.findall(r"(?<![\w:.])\d+(?:ms|s|m|h|d)\b", node))

    walk(document)
    return found


def milliseconds(duration: str) -> float:
    """A duration as a number."""
    unit = duration.lstrip("0123456789")
    return int(duration.removesuffix(unit)) * UNITS[unit]


@pytest.mark.parametrize("path", [*RULE_FILES, FOLDER / "alertmanager.yml"], ids=lambda path: path.stem)
def test_every_window_is_divided(path: Path) -> None:
    """Whatever lasts some time lasts a thirtieth of it, and nothing else changes."""
    text = path.read_text(encoding="utf-8")
    before, after = durations(text), durations(shortened(text, 30))
    assert [milliseconds(one) / 30 for one in before] == pytest.approx([milliseconds(one) for one in after], abs=1)
    assert bool(before) == (path.stem != "thresholds")
    assert shortened(text, 1) == text


def test_prometheus_takes_the_shortened_rules(tmp_path: Path, binary: Callable[[str], str]) -> None:
    """`promtool check rules` finds them as good as the long ones."""
    for path in RULE_FILES:
        (tmp_path / path.name).write_text(shortened(path.read_text(encoding="utf-8"), 30), encoding="utf-8")
    command = [binary("promtool"), "check", "rules", "--lint=all", "--lint-fatal", *map(str, tmp_path.glob("*.yml"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_webhook_is_told(tmp_path: Path, binary: Callable[[str], str]) -> None:
    """With an address the shipped webhook receiver is taken in and aimed there; Alertmanager takes the file."""
    text = configuration(ALERTMANAGER, "http://127.0.0.1:1234/x", 30)
    config = tmp_path / "alertmanager.yml"
    config.write_text(text, encoding="utf-8")
    receivers = {receiver.pop("name"): receiver for receiver in yaml.safe_load(text)["receivers"]}
    assert receivers == {
        "on-call": {},
        "team": {"webhook_configs": [{"url": "http://127.0.0.1:1234/x", "send_resolved": True}]},
    }
    done = subprocess.run([binary("amtool"), "check-config", str(config)], capture_output=True, check=False)
    assert done.returncode == 0


def test_without_a_webhook_the_file_is_the_shipped_one() -> None:
    """Nobody is told of a demo's alerts who did not ask for it."""
    assert configuration(ALERTMANAGER, None, 1) == ALERTMANAGER == with_receivers(ALERTMANAGER)


def test_why_there_is_no_alertmanager(tmp_path: Path) -> None:
    """A missing Prometheus and a missing binary are told apart; Debian's name for it will do."""
    assert "without a Prometheus" in (reason_to_leave_out(str(tmp_path), "left out") or "")
    assert "no program 'alertmanager'" in (reason_to_leave_out(str(tmp_path), None) or "")
    (tmp_path / "prometheus-alertmanager").touch(mode=0o755)
    assert reason_to_leave_out(str(tmp_path), None) is None
