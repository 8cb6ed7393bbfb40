"""A whole dashboard: sections of panels on the grid, variables, links; as JSON that Grafana 10 reads."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from fleetmeter_dashboards.annotations import annotations
from fleetmeter_dashboards.errors import DashboardError
from fleetmeter_dashboards.panel import DATASOURCE, Panel
from fleetmeter_dashboards.panels import note

GRID = 24
TAG = "fleetmeter"
SCHEMA_VERSION = 39
"""Grafana 10.4's. Later versions bring a dashboard up to theirs when they load it; an older one cannot go back."""

_NEWER = frozenset(
    {
        "preload", "wideLayout", "percentChangeColorMode", "showPercentChange", "sizing", "minVizWidth", "minVizHeight",
        "maxVizHeight", "namePlacement", "selectionMode", "allowCustomValue",
    }
)  # fmt: skip
_NEWER_THERE = {
    "bargauge": ("options", "legend"),
    "heatmap": ("options", "tooltip", "mode"),
    "table": ("options", "footer"),
}
"""Fields that the builders write and Grafana 10 does not have, or 13 has no more; all say what holds anyway."""


@dataclass(frozen=True)
class Variable:
    """A variable that chooses values of a label, read from a series that has them."""

    name: str
    series: str
    text: str


@dataclass(frozen=True)
class Section:
    """Lines of panels, under a heading if it has one.

    With `why`, the section is folded: only its heading is seen until somebody opens it, and then `why` (Markdown) comes
    first. It is for panels that most fleets have nothing for, and says what would fill them.
    """

    heading: str
    panels: Sequence[Panel]
    why: str = ""


@dataclass(frozen=True)
class Page:
    """One dashboard."""

    uid: str
    title: str
    text: str
    variables: Sequence[Variable]
    sections: Sequence[Section]

    def to_json(self) -> str:
        """The file's text; the same content is always the same text."""
        document = json.loads(json.dumps(self._build(), cls=JSONEncoder))
        for link in document["links"]:
            del link["placement"]
        for variable in document["templating"]["list"]:
            for automatic in ("auto", "auto_min", "auto_count"):
                variable.pop(automatic, None)
        for annotation in document["annotations"]["list"]:
            del annotation["placement"], annotation["builtIn"]
        for panel in _each(document["panels"]):
            *way, newer = _NEWER_THERE.get(panel["type"], ("",))
            reduce(getitem, way, panel).pop(newer, None)
        return json.dumps(_without_newer(document), indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    def _build(self) -> models.Dashboard:
        builder = (
            dashboard.Dashboard(self.title)
            .uid(self.uid)
            .description(self.text)
            .tags([TAG])
            .readonly()
            .refresh("30s")
            .time("now-6h", "now")
            .timezone("browser")
            .tooltip(models.DashboardCursorSync.CROSSHAIR)
            .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
            .with_variable(
                _label_variable("job", "label_values(fleetmeter_up, job)", "The job that scrapes the fleet.")
            )
            .link(
                dashboard.DashboardLink("fleetmeter")
                .type(models.DashboardLinkType.DASHBOARDS)
                .tags([TAG])
                .keep_time(keep_time=True)
                .include_vars(include_vars=True)
                .icon("external link")
                .url("")
                .tooltip("")
            )
        )
        for annotation in annotations():
            builder.annotation(annotation)
        for variable in self.variables:
            query = f'label_values({variable.series}{{job="$job"}}, {variable.name})'
            builder.with_variable(
                _label_variable(variable.name, query, variable.text)
                .multi(multi=True)
                .include_all(include_all=True)
                .all_value(".*")
                .current(models.VariableOption(selected=True, text="All", value="$__all"))
            )
        page = builder.build()
        page.panels = list(self._placed())
        page.schema_version = SCHEMA_VERSION
        return page

    def _placed(self) -> Iterable[models.Panel | models.RowPanel]:
        """Sections one below the other; a folded one is as high as its heading."""
        y = 0
        for place, section in enumerate(self.sections, 1):
            panels = [note(section.heading, section.why), *section.panels] if section.why else section.panels
            row = models.RowPanel(
                id_val=2_000_000 + place,
                title=section.heading,
                collapsed=bool(section.why),
                grid_pos=models.GridPos(h=1, w=GRID, x=0, y=y),
            )
            y += bool(section.heading)
            placed, below = self._lines(section.heading, panels, y)
            if section.heading:
                row.panels = placed if section.why else []
                yield row
            if not section.why:
                yield from placed
                y = below

    def _lines(self, heading: str, panels: Iterable[Panel], y: int) -> tuple[list[models.Panel], int]:
        """Panels from left to right, a line that is full goes on below; and where the last line ends."""
        placed = []
        x = height = 0
        for panel in panels:
            if x + panel.width > GRID:
                x, y, height = 0, y + height, 0
            placed.append(panel.at(x, y))
            x += panel.width
            height = max(height, panel.height)
        if x != GRID:
            raise DashboardError(f"{self.title}: the last line of {heading or 'the first row'} is {x} of {GRID} wide")
        return placed, y + height


def _each(panels: Iterable[Any]) -> Iterator[Any]:
    """Panels, those of folded rows included."""
    for panel in panels:
        yield panel
        yield from _each(panel.get("panels", ()))


def _label_variable(name: str, query: str, text: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(name.capitalize())
        .description(text)
        .datasource(DATASOURCE)
        .query(query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
    )


def _without_newer(document: Any) -> Any:
    if isinstance(document, dict):
        return {name: _without_newer(value) for name, value in document.items() if name not in _NEWER}
    if isinstance(document, list):
        return [_without_newer(item) for item in document]
    return document
