"""What all panels have in common: title, unit, thresholds, queries, and the colours of their series."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, prometheus
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from fleetmeter_board.colours import GOOD, NEUTRAL
from fleetmeter_dashboards.errors import DashboardError
from fleetmeter_dashboards.queries import Expression, Queries

DATASOURCE = shapes.DataSourceRef(type_val="prometheus", uid="${datasource}")
_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
Steps = Sequence[tuple[float | None, str]]
"""Thresholds: the value from which on a colour holds; the first is None."""


@dataclass(frozen=True)
class Target:
    """A query and what its series are called; `{{label}}` stands for a label's value."""

    expression: Expression
    legend: str


@dataclass(frozen=True)
class Panel:
    """A panel without its place. `width` is in 24ths of the page, `height` in Grafana's rows."""

    title: str
    builder: Any = field(repr=False)
    width: int
    height: int

    def at(self, x: int, y: int) -> models.Panel:
        """The panel at a place; its id follows from its title, so that links to it survive new neighbours."""
        panel: models.Panel = self.builder.build()
        panel.id_val = zlib.crc32(self.title.encode()) % 1_000_000 + 1
        panel.grid_pos = models.GridPos(h=self.height, w=self.width, x=x, y=y)
        return panel


@dataclass(frozen=True)
class Value:
    """How values are shown: unit (the expression's own where it is empty), thresholds, bounds, words for numbers.

    `beyond` is the word for all numbers from one on.
    """

    unit: str = ""
    steps: Steps = ()
    low: float | None = None
    high: float | None = None
    decimals: int | None = None
    words: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    beyond: tuple[float, str, str] | None = None
    none: str = "no data"


AS_IT_IS = Value()
"""The expression's own unit, and nothing else."""


def panel_of(
    builder: Any, title: str, text: str, targets: Sequence[Target], value: Value, *, instant: bool, width: int,
    height: int = 8, heat: bool = False, as_table: bool = False,
) -> Panel:  # fmt: skip
    """What every panel has."""
    units = {target.expression.unit for target in targets}
    if not value.unit and len(units) != 1:
        raise DashboardError(f"the panel {title!r} shows several units: {', '.join(sorted(units))}; name one")
    builder.title(title).description(_description(text, targets)).datasource(DATASOURCE)
    builder.unit(value.unit or units.pop()).no_value(value.none)
    builder.thresholds(thresholds(value.steps or ((None, NEUTRAL),)))
    for setting, given in (("min", value.low), ("max", value.high), ("decimals", value.decimals)):
        if given is not None:
            getattr(builder, setting)(given)
    builder.mappings(_mappings(value))
    for place, target in enumerate(targets):
        query = prometheus.Dataquery().expr(target.expression.text).ref_id(reference(place)).datasource(DATASOURCE)
        query.legend_format(target.legend)
        if as_table:
            query.format(PromQueryFormat.TABLE)
        elif heat:
            query.format(PromQueryFormat.HEATMAP)
        builder.with_target(query.instant() if instant else query.range())
    return Panel(title, builder, width, height)


def _description(text: str, targets: Iterable[Target]) -> str:
    families = {family.shown: family for target in targets for family in target.expression.families}
    return "\n\n".join([text, *(f"`{name}`: {family.help}" for name, family in families.items())])


def _mappings(value: Value) -> list[models.ValueMap | models.RangeMap]:
    mappings: list[models.ValueMap | models.RangeMap] = []
    if value.words:
        options = {
            number: models.ValueMappingResult(text=word, color=colour, index=place)
            for place, (number, (word, colour)) in enumerate(value.words.items())
        }
        mappings.append(models.ValueMap(options=options))
    if value.beyond is not None:
        low, word, colour = value.beyond
        result = models.ValueMappingResult(text=word, color=colour, index=len(value.words))
        span = models.DashboardRangeMapOptions(from_val=low, to=1e9, result=result)
        mappings.append(models.RangeMap(options=span))
    return mappings


def override(builder: Any, colours: Mapping[str, str]) -> None:
    """Give series fixed colours, by their names."""
    for name, colour in colours.items():
        fixed = {"mode": "fixed", "fixedColor": colour}
        builder.override_by_name(name, [models.DynamicConfigValue("color", fixed)])


def thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    """Colours by value."""
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=colour) for value, colour in steps])
    )


def colour_scheme(mode: models.FieldColorModeId) -> dashboard.FieldColor:
    """How series without a fixed colour get theirs."""
    return dashboard.FieldColor().mode(mode)


def last_value() -> common.ReduceDataOptions:
    """What one number is made of many: the last one."""
    return common.ReduceDataOptions().values(values=False).calcs(["lastNotNull"]).fields("")


def reference(place: int) -> str:
    """The letter by which a panel knows its query."""
    return chr(ord("A") + place)


def rising(warning: float, bad: float, warning_colour: str = "orange") -> Steps:
    """Thresholds of what is better low."""
    return ((None, GOOD), (warning, warning_colour), (bad, "red"))


def falling(bad: float, warning: float) -> Steps:
    """Thresholds of what is better high."""
    return ((None, "red"), (bad, "orange"), (warning, GOOD))


def quantiles(queries: Queries, family: str) -> list[Target]:
    """The quantiles of a histogram by which all dashboards judge it; their names have colours of their own."""
    return [Target(queries.quantile(share, family), name) for name, share in _QUANTILES.items()]
