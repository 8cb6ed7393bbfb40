"""The kinds of panels, each with the look that all dashboards share."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    gauge,
    heatmap,
    piechart,
    prometheus,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heatmaps
from grafana_foundation_sdk.models import piechart as pies
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from fleetmeter_dashboards.colours import COLOURS, GOOD, NEUTRAL, WARNING
from fleetmeter_dashboards.errors import DashboardError
from fleetmeter_dashboards.queries import Expression

DATASOURCE = shapes.DataSourceRef(type_val="prometheus", uid="${datasource}")
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


def stat_of(
    title: str, text: str, expression: Expression, value: Value = Value(), *, time_from: str = "", width: int = 4,
    legend: str = "", solid: bool = False, height: int = 4,
) -> Panel:  # fmt: skip
    """One number, or one for each series of `legend`."""
    builder = (
        stat.Panel()
        .reduce_options(_last())
        .color_mode(shapes.BigValueColorMode.BACKGROUND if solid else shapes.BigValueColorMode.VALUE)
        .graph_mode(shapes.BigValueGraphMode.NONE)
        .text_mode(shapes.BigValueTextMode.VALUE_AND_NAME if legend else shapes.BigValueTextMode.VALUE)
        .color_scheme(_colours(models.FieldColorModeId.THRESHOLDS))
    )
    if time_from:
        builder.time_from(time_from)
    targets = [Target(expression, legend or "value")]
    return _panel(builder, title, text, targets, value, instant=True, width=width, height=height)


def series(
    title: str, text: str, targets: Sequence[Target], value: Value = Value(), *, colour: str = "", stack: bool = False,
    width: int = 12, lines: str = "", calcs: Sequence[str] = ("mean", "max"), logarithmic: bool = False,
) -> Panel:  # fmt: skip
    """Lines over time; `colour` is the label (of `COLOURS`) that the legend shows, `lines` how thresholds are drawn.

    Lines with names of their own, and no label's, get colours by their order.
    """
    many = any("{{" in target.legend for target in targets)
    legend = (
        common.VizLegendOptions()
        .show_legend(show_legend=True)
        .display_mode(shapes.LegendDisplayMode.TABLE if many else shapes.LegendDisplayMode.LIST)
        .placement(shapes.LegendPlacement.RIGHT if many else shapes.LegendPlacement.BOTTOM)
        .calcs([*calcs] if many else [])
    )
    if many:
        legend.sort_by(calcs[0].capitalize()).sort_desc(sort_desc=True)
    builder = (
        timeseries.Panel()
        .legend(legend)
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING))
        .color_scheme(_colours(models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .line_width(1)
        .fill_opacity(40 if stack else 8)
        .show_points(shapes.VisibilityMode.NEVER)
        .stacking(
            common.StackingConfig().mode(shapes.StackingMode.NORMAL if stack else shapes.StackingMode.NONE).group("A")
        )
    )
    if lines:
        builder.thresholds_style(common.GraphThresholdsStyleConfig().mode(shapes.GraphThresholdsStyleMode(lines)))
    if logarithmic:
        scale = common.ScaleDistributionConfig().type(shapes.ScaleDistribution.LOG).log(10)
        builder.scale_distribution(scale)
    if many or colour:
        _override(builder, COLOURS[colour] if colour else {})
    else:
        names = [target.legend for target in targets]
        _override(builder, dict(zip(names, (NEUTRAL, WARNING), strict=False)))
    return _panel(builder, title, text, targets, value, instant=False, width=width)


def pie(
    title: str, text: str, target: Target, colour: str, value: Value = Value(), *, donut: bool = False, width: int = 8
) -> Panel:
    """Parts of a whole within the time that is shown."""
    legend = (
        piechart.PieChartLegendOptions()
        .show_legend(show_legend=True)
        .display_mode(shapes.LegendDisplayMode.TABLE)
        .placement(shapes.LegendPlacement.RIGHT)
        .values([pies.PieChartLegendValues.VALUE, pies.PieChartLegendValues.PERCENT])
    )
    builder = (
        piechart.Panel()
        .pie_type(pies.PieChartType.DONUT if donut else pies.PieChartType.PIE)
        .reduce_options(_last())
        .legend(legend)
        .color_scheme(_colours(models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    )
    _override(builder, COLOURS[colour] if colour else {})
    return _panel(builder, title, text, [target], value, instant=True, width=width)


def bars(
    title: str, text: str, targets: Sequence[Target], value: Value = Value(), *, colour: str = "", width: int = 8,
) -> Panel:  # fmt: skip
    """One bar for each series, as it stands at the end of the time that is shown."""
    mode = models.FieldColorModeId.THRESHOLDS if value.steps else models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME
    builder = (
        bargauge.Panel()
        .reduce_options(_last())
        .orientation(shapes.VizOrientation.HORIZONTAL)
        .display_mode(shapes.BarGaugeDisplayMode.BASIC)
        .value_mode(shapes.BarGaugeValueMode.TEXT)
        .color_scheme(_colours(mode))
    )
    _override(builder, COLOURS[colour] if colour else {})
    return _panel(builder, title, text, targets, value, instant=True, width=width)


def dial(title: str, text: str, expression: Expression, value: Value, *, width: int = 6) -> Panel:
    """A gauge between two bounds, with its thresholds."""
    builder = (
        gauge.Panel()
        .reduce_options(_last())
        .show_threshold_markers(show_threshold_markers=True)
        .color_scheme(_colours(models.FieldColorModeId.THRESHOLDS))
    )
    return _panel(builder, title, text, [Target(expression, "value")], value, instant=True, width=width)


def heat(title: str, text: str, expression: Expression, unit: str, *, width: int = 12) -> Panel:
    """A histogram over time: the more observations, the brighter. `unit` is that of the buckets' bounds."""
    builder = (
        heatmap.Panel()
        .calculate(calculate=False)
        .color(
            heatmap.HeatmapColorOptions().mode(heatmaps.HeatmapColorMode.SCHEME).scheme("Oranges").steps(64)
            .scale(heatmaps.HeatmapColorScale.EXPONENTIAL).exponent(0.5).fill("dark-orange")
        )
        .y_axis(heatmap.YAxisConfig().unit(unit).axis_placement(shapes.AxisPlacement.LEFT))
        .cell_gap(1)
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .show_legend()
    )  # fmt: skip
    value = Value(unit="cps")
    return _panel(builder, title, text, [Target(expression, "{{le}}")], value, instant=False, width=width, heat=True)


def rows_of(
    title: str, text: str, columns: Mapping[str, Expression], labels: Sequence[str], *, width: int = 12,
    units: Mapping[str, Value] = {}, sort_by: str = "", hide_values: bool = False, none: str = "no data",
) -> Panel:  # fmt: skip
    """A table: one line for each set of label values, one column for each expression (header → expression)."""
    builder = table.Panel()
    shown = {header: f"Value #{_ref(place)}" if len(columns) > 1 else "Value" for place, header in enumerate(columns)}
    hidden = {"Time": True} | (dict.fromkeys(shown.values(), True) if hide_values else {})
    order = {name: place for place, name in enumerate([*labels, *shown.values()])}
    renamed = {} if hide_values else {name: header for header, name in shown.items()}
    builder.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    builder.with_transformation(
        models.DataTransformerConfig(
            id_val="organize", options={"excludeByName": hidden, "indexByName": order, "renameByName": renamed}
        )
    )
    for header, expression in columns.items():
        value = units.get(header, Value())
        properties = [models.DynamicConfigValue("unit", value.unit or expression.unit)]
        if value.decimals is not None:
            properties.append(models.DynamicConfigValue("decimals", value.decimals))
        if value.steps:
            properties.append(models.DynamicConfigValue("thresholds", _thresholds(value.steps).build()))
            properties.append(models.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
        if not hide_values:
            builder.override_by_name(header, properties)
    if sort_by:
        builder.sort_by([common.TableSortByFieldState().display_name(sort_by).desc(desc=True)])
    targets = [Target(expression, "") for expression in columns.values()]
    value = Value(unit="short", none=none)
    return _panel(builder, title, text, targets, value, instant=True, width=width, as_table=True)


def _panel(
    builder: Any, title: str, text: str, targets: Sequence[Target], value: Value, *, instant: bool, width: int,
    height: int = 8, heat: bool = False, as_table: bool = False,
) -> Panel:  # fmt: skip
    """What every panel has."""
    units = {target.expression.unit for target in targets}
    if not value.unit and len(units) != 1:
        raise DashboardError(f"the panel {title!r} shows several units: {', '.join(sorted(units))}; name one")
    builder.title(title).description(_description(text, targets)).datasource(DATASOURCE)
    builder.unit(value.unit or units.pop()).no_value(value.none)
    builder.thresholds(_thresholds(value.steps or ((None, NEUTRAL),)))
    for setting, given in (("min", value.low), ("max", value.high), ("decimals", value.decimals)):
        if given is not None:
            getattr(builder, setting)(given)
    builder.mappings(_mappings(value))
    for place, target in enumerate(targets):
        query = prometheus.Dataquery().expr(target.expression.text).ref_id(_ref(place)).datasource(DATASOURCE)
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


def _override(builder: Any, colours: Mapping[str, str]) -> None:
    for name, colour in colours.items():
        fixed = {"mode": "fixed", "fixedColor": colour}
        builder.override_by_name(name, [models.DynamicConfigValue("color", fixed)])


def _thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=colour) for value, colour in steps])
    )


def _colours(mode: models.FieldColorModeId) -> dashboard.FieldColor:
    return dashboard.FieldColor().mode(mode)


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().values(values=False).calcs(["lastNotNull"]).fields("")


def _ref(place: int) -> str:
    return chr(ord("A") + place)


def rising(warning: float, bad: float, warning_colour: str = "orange") -> Steps:
    """Thresholds of what is better low."""
    return ((None, GOOD), (warning, warning_colour), (bad, "red"))


def falling(bad: float, warning: float) -> Steps:
    """Thresholds of what is better high."""
    return ((None, "red"), (bad, "orange"), (warning, GOOD))
