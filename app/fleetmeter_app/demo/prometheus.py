"""A Prometheus for the demo: the repository's own configuration, aimed at the demo's exporter."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from fleetmeter.cli.assets import asset
from fleetmeter_app.demo.errors import DemoError
from fleetmeter_app.demo.processes import Program
from fleetmeter_app.demo.windows import shortened

TEMPLATE = asset("prometheus")
"""The folder that is shipped."""


def configuration(template: str, target: str, alertmanager: str | None = None, speed: float = 1) -> str:
    """The text with this target and Alertmanager (or none), and a scrape each second, because a demo is short.

    With a `speed` above 1 the windows of the rules are divided by it, so they are evaluated each second, too. Raises
    `DemoError` if a text that is replaced does not occur exactly once.
    """
    replaced = {
        '"127.0.0.1:9847"': f'"{target}"',
        '"127.0.0.1:9093"': "" if alertmanager is None else f'"{alertmanager}"',
        "scrape_interval: 5s": "scrape_interval: 1s",
        "evaluation_interval: 15s": "evaluation_interval: 15s" if speed == 1 else "evaluation_interval: 1s",
    }
    for old, new in replaced.items():
        if template.count(old) != 1:
            raise DemoError(f"prometheus.yml has {old!r} {template.count(old)} times; the demo expects it once")
        template = template.replace(old, new)
    return template


def reason_to_leave_out(search_path: str | None) -> str | None:
    """Why there will be no Prometheus, or None."""
    if shutil.which("prometheus", path=search_path) is None:
        return "left out: no program 'prometheus' on the PATH"
    return None


def program(
    directory: Path,
    address: str,
    target: str,
    environ: Mapping[str, str],
    alertmanager: str | None = None,
    speed: float = 1,
) -> Program:
    """Prometheus with its data and a copy of its configuration below `directory`."""
    folder = directory / "prometheus"
    # The whole folder is copied, because the configuration refers to files beside itself.
    shutil.copytree(TEMPLATE, folder)
    config = folder / "prometheus.yml"
    config.write_text(configuration(config.read_text(encoding="utf-8"), target, alertmanager, speed), encoding="utf-8")
    for rules in (folder / "rules").glob("*.yml"):
        rules.write_text(shortened(rules.read_text(encoding="utf-8"), speed), encoding="utf-8")
    command = [
        shutil.which("prometheus", path=environ.get("PATH")) or "prometheus", f"--config.file={config}",
        f"--storage.tsdb.path={directory / 'prometheus-data'}", f"--web.listen-address={address}",
    ]  # fmt: skip
    return Program("prometheus", command, environ, address, f"http://{address}/-/ready")
