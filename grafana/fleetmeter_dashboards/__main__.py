"""`python -m fleetmeter_dashboards` writes the dashboards into the folder beside this package."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from fleetmeter.attribution.settings import labels_of
from fleetmeter.errors import SettingError
from fleetmeter_dashboards import calls, cost, fleet, performance, routing, runbook
from fleetmeter_dashboards.errors import DashboardError

FOLDER = Path(__file__).parents[1] / "dashboards"
ORDER = ("cost", "performance", "calls", "routing", "fleet", "runbook")


def texts(labels: Sequence[str] = ()) -> Mapping[str, str]:
    """The text of each file by its name, with variables for labels of the user's own. Raises `DashboardError`."""
    pages = dict(zip(ORDER, (cost, performance, calls, routing, fleet, runbook), strict=True))
    return {f"{name}.json": module.page(labels).to_json() for name, module in pages.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write them all, or with `--check` only compare; the exit status."""
    parser = argparse.ArgumentParser(prog="fleetmeter_dashboards", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if a file is not what the code builds")
    parser.add_argument("--labels", default="", help="labels of your own, for variables and panels: team,tenant")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write them (default: %(default)s)")
    given = parser.parse_args(arguments)
    try:
        labels = tuple(name for name in (name.strip() for name in given.labels.split(",")) if name)
        labels_of("--labels", dict.fromkeys(labels, 1))
        files = texts(labels)
    except (DashboardError, SettingError) as error:
        sys.stderr.write(f"fleetmeter_dashboards: {error}\n")
        return 1
    if given.check:
        return _compare(files)
    given.folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (given.folder / name).write_text(text, encoding="utf-8")
    return 0


def _compare(files: Mapping[str, str]) -> int:
    there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    differing = sorted(name for name in {*files, *there} if files.get(name) != there.get(name))
    for name in differing:
        sys.stderr.write(f"grafana/dashboards/{name} is not what the code builds; run `make dashboards`\n")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
