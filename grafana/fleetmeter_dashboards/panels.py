"""The kinds of panels, each with the look that all dashboards share."""

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    gauge,
    heatmap,
    piechart,
    stat,
    table,
    text,
    timeseries,
)
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heatmaps
from grafana_foundation_sdk.models import piechart as pies
from grafana_foundation_sdk.models import text as texts

from fleetmeter_board.colours import COLOURS, NEUTRAL, WARNING
from fleetmeter_dashboards.panel import (
    AS_IT_IS,
    Panel,
    Target,
    Value,
    colour_scheme,
    last_value,
    override,
    panel_of,
    reference,
    thresholds,
)
from fleetmeter_dashboards.queries import Expression, per_second


def stat_of(
    title: str, text: str, expression: Expression, value: Value = AS_IT_IS, *, time_from: str = "", width: int = 4,
    legend: str = "", solid: bool = False, height: int = 4,
) -> Panel:  # fmt: skip
    """One number, or one for each series of `legend`."""
    builder = (
        stat.Panel()
        .reduce_options(last_value())
        .color_mode(shapes.BigValueColorMode.BACKGROUND if solid else shapes.BigValueColorMode.VALUE)
        .graph_mode(shapes.BigValueGraphMode.NONE)
        .text_mode(shapes.BigValueTextMode.VALUE_AND_NAME if legend else shapes.BigValueTextMode.VALUE)
        .color_scheme(colour_scheme(models.FieldColorModeId.THRESHOLDS))
    )
    if time_from:
        builder.time_from(time_from)
    targets = [Target(expression, legend or "value")]
    return panel_of(builder, title, text, targets, value, instant=True, width=width, height=height)


def series(
    title: str, text: str, targets: Sequence[Target], value: Value = AS_IT_IS, *, colour: str = "", stack: bool = False,
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
        .color_scheme(colour_scheme(models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
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
        override(builder, COLOURS[colour] if colour else {})
    else:
        names = [target.legend for target in targets]
        override(builder, dict(zip(names, (NEUTRAL, WARNING), strict=False)))
    return panel_of(builder, title, text, targets, value, instant=False, width=width)


def pie(
    title: str, text: str, target: Target, colour: str, value: Value = AS_IT_IS, *, donut: bool = False, width: int = 8
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
        .reduce_options(last_value())
        .legend(legend)
        .color_scheme(colour_scheme(models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    )
    override(builder, COLOURS[colour] if colour else {})
    return panel_of(builder, title, text, [target], value, instant=True, width=width)


def bars(
    title: str, text: str, targets: Sequence[Target], value: Value = AS_IT_IS, *, colour: str = "", width: int = 8,
) -> Panel:  # fmt: skip
    """One bar for each series, as it stands at the end of the time that is shown."""
    mode = models.FieldColorModeId.THRESHOLDS if value.steps else models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME
    builder = (
        bargauge.Panel()
        .reduce_options(last_value())
        .orientation(shapes.VizOrientation.HORIZONTAL)
        .display_mode(shapes.BarGaugeDisplayMode.BASIC)
        .value_mode(shapes.BarGaugeValueMode.TEXT)
        .color_scheme(colour_scheme(mode))
    )
    override(builder, COLOURS[colour] if colour else {})
    return panel_of(builder, title, text, targets, value, instant=True, width=width)


def dial(title: str, text: str, expression: Expression, value: Value, *, width: int = 6) -> Panel:
    """A gauge between two bounds, with its thresholds."""
    builder = (
        gauge.Panel()
        .reduce_options(last_value())
        .show_threshold_markers(show_threshold_markers=True)
        .color_scheme(colour_scheme(models.FieldColorModeId.THRESHOLDS))
    )
    return panel_of(builder, title, text, [Target(expression, "value")], value, instant=True, width=width)


def heat(title: str, text: str, expression: Expression, unit: str, noun: str, *, width: int = 12) -> Panel:
    """A histogram over time: the more observations (`noun`), the brighter. `unit` is that of the buckets' bounds."""
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
    value = Value(unit=per_second(noun))
    return panel_of(builder, title, text, [Target(expression, "{{le}}")], value, instant=False, width=width, heat=True)


def rows_of(
    title: str, text: str, columns: Mapping[str, Expression], labels: Sequence[str], *, width: int = 12,
    units: Mapping[str, Value] = {}, sort_by: str = "", hide_values: bool = False, none: str = "no data",
) -> Panel:  # fmt: skip
    """A table: one line for each set of label values, one column for each expression (header → expression)."""
    builder = table.Panel()
    shown = {
        header: f"Value #{reference(place)}" if len(columns) > 1 else "Value" for place, header in enumerate(columns)
    }
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
        value = units.get(header, AS_IT_IS)
        properties = [models.DynamicConfigValue("unit", value.unit or expression.unit)]
        if value.decimals is not None:
            properties.append(models.DynamicConfigValue("decimals", value.decimals))
        if value.steps:
            properties.append(models.DynamicConfigValue("thresholds", thresholds(value.steps).build()))
            properties.append(models.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
        if not hide_values:
            builder.override_by_name(header, properties)
    if sort_by:
        builder.sort_by([common.TableSortByFieldState().display_name(sort_by).desc(desc=True)])
    targets = [Target(expression, "") for expression in columns.values()]
    value = Value(unit="short", none=none)
    return panel_of(builder, title, text, targets, value, instant=True, width=width, as_table=True)


def note(title: str, words: str, *, width: int = 24, height: int = 3, headed: bool = False) -> Panel:
    """Words (Markdown) in the place of a picture; `title` tells it from others, and is seen if `headed`."""
    builder = text.Panel().mode(texts.TextMode.MARKDOWN).content(words).transparent(transparent=not headed)
    return Panel(title, builder.title(title if headed else ""), width, height)
