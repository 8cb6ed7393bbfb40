"""The dashboards as Grafana would read them: panels, their queries, and variables filled in."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "grafana" / "dashboards"
ORDER = ("cost", "performance", "calls", "routing", "fleet", "runbook")
JOB = "fleetmeter"
_PROVISIONED = ROOT / "grafana" / "provisioning" / "datasources" / "fleetmeter.yml"
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)
"""Seconds that Grafana rounds an interval up to."""
_DATA_POINTS = 400
"""About as many as a panel is pixels wide."""


@dataclass(frozen=True)
class Query:
    """One target of a panel."""

    ref: str
    expression: str
    legend: str
    instant: bool


@dataclass(frozen=True)
class Panel:
    """One panel; `document` is its JSON. A folded one is seen only once its row is opened."""

    dashboard: str
    document: Mapping[str, Any]
    folded: bool = False

    @property
    def title(self) -> str:
        """The question that it answers."""
        return str(self.document["title"])

    @property
    def kind(self) -> str:
        """Grafana's name of its kind."""
        return str(self.document["type"])

    @property
    def unit(self) -> str:
        """Grafana's name of the unit of its values."""
        return str(self.document["fieldConfig"]["defaults"]["unit"])

    @property
    def time_from(self) -> str:
        """Its own range of time, empty for the dashboard's."""
        return str(self.document.get("timeFrom", ""))

    @property
    def queries(self) -> list[Query]:
        """Its targets."""
        return [
            Query(target["refId"], target["expr"], target.get("legendFormat", ""), bool(target.get("instant")))
            for target in self.document["targets"]
        ]


@dataclass(frozen=True)
class Window:
    """The time that is shown, in Unix seconds."""

    start: float
    end: float

    @property
    def seconds(self) -> int:
        """How long it is."""
        return round(self.end - self.start)

    @property
    def step(self) -> int:
        """Seconds between two points of a line, as Grafana chooses them."""
        fine = max(self.seconds / _DATA_POINTS, scrape_interval())
        return next((step for step in _STEPS if step >= fine), _STEPS[-1])

    def of(self, time_from: str) -> "Window":
        """The window of a panel with a range of its own: `now/d` and `now/M` begin with the day and month (UTC)."""
        if not time_from:
            return self
        now = datetime.fromtimestamp(self.end, UTC)
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        starts = {"now/d": day, "now/M": day.replace(day=1)}
        return Window(starts[time_from].timestamp(), self.end)

    def fill(self, expression: str, job: str = JOB) -> str:
        """The expression with every variable replaced, all models and intents chosen."""
        values = {
            "__rate_interval": f"{max(self.step + scrape_interval(), 4 * scrape_interval())}s",
            "__range_s": str(self.seconds),
            "__range": f"{self.seconds}s",
            "job": job,
            "model": ".*",
            "intent": ".*",
        }
        return re.sub(r"\$(\w+)", lambda found: values[found[1]], expression)


def scrape_interval() -> int:
    """Seconds, as the provisioned data source states them."""
    (stated,) = re.findall(r"timeInterval: (\d+)s", _PROVISIONED.read_text())
    return int(stated)


def documents() -> dict[str, dict[str, Any]]:
    """Every dashboard's JSON by its file's name, without the ending."""
    found = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}
    return {name: found[name] for name in sorted(found, key=lambda name: (*ORDER, name).index(name))}


def panels() -> Iterator[Panel]:
    """All panels of all dashboards that ask something: headings and notes left out."""
    for name, document in documents().items():
        for panel, folded in opened(document["panels"]):
            if panel["type"] not in ("row", "text"):
                yield Panel(name, panel, folded)


def opened(found: Iterable[Mapping[str, Any]], *, folded: bool = False) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Panels and headings, each with whether it is in a folded row."""
    for panel in found:
        yield panel, folded
        yield from opened(panel.get("panels", ()), folded=True)
