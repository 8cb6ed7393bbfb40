"""Panels over time: lines, stacks, heat maps."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from observation.dashboards import Panel, Window
from pictures.answers import Series
from pictures.frame import Box, Page
from pictures.look import CANVAS, FAINT, TEXT, colour, series_colour
from pictures.units import write

_CALCULATIONS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "mean": lambda values: sum(values) / len(values),
    "max": max,
    "min": min,
    "lastNotNull": lambda values: values[-1],
    "sum": sum,
}
_UNSCALED = {"currencyUSD": 1, "percentunit": 100, "reqps": 1, "suffix": 1, "count": 1}
"""Units that are written without a prefix below `_SCALED_FROM`, and by what a value is multiplied."""
_SCALED_FROM = 1000
_AXIS = (58.0, 6.0, 8.0, 24.0)
"""Pixels at least about a chart: left, top, right, bottom."""
_LINE = 17.0
_WIDEST_LEGEND = 0.46
"""Share of the panel that a legend beside it may take."""
_HEAT = LinearSegmentedColormap.from_list("heat", ["#2b1d12", "#7f2704", "#d94801", "#fd8d3c", "#fdd0a2"])


def draw_lines(page: Page, box: Box, panel: Panel, found: Sequence[Series], window: Window) -> None:
    """Lines, filled where the panel says so, with their legend and thresholds."""
    config = panel.document["fieldConfig"]
    defaults, custom = config["defaults"], config["defaults"]["custom"]
    options = panel.document["options"]["legend"]
    if options["displayMode"] == "table" and options["placement"] == "right":
        plot, legend = _beside(page, box, panel, found)
    else:
        plot = Box(box.x, box.y, box.width, box.height - _LINE - 4)
        legend = Box(box.x, box.y + box.height - _LINE, box.width, _LINE)
    axes = page.axes(plot.inner(*_AXIS))
    stacked = custom["stacking"]["mode"] == "normal"
    opacity = custom["fillOpacity"] / 100
    moments = np.arange(window.start, window.end + 1, window.step)
    below = np.zeros(len(moments))
    for series in found:
        paint = series_colour(config, series.name)
        values = _aligned(series, moments)
        if stacked:
            values = np.nan_to_num(values)
            axes.fill_between(moments, below, below + values, color=paint, alpha=opacity, linewidth=0)
            below = below + values
            axes.plot(moments, below, color=paint, linewidth=1.2)
        else:
            axes.plot(moments, values, color=paint, linewidth=1.4)
            if custom.get("scaleDistribution", {}).get("type") != "log":
                axes.fill_between(moments, 0, values, color=paint, alpha=opacity, linewidth=0)
    _scale(axes, defaults, panel.unit, logarithmic=custom.get("scaleDistribution", {}).get("type") == "log")
    _thresholds(axes, defaults, custom)
    page.make_room(axes, plot, _AXIS)
    _clock(axes, window, plot.width)
    if options["displayMode"] == "table":
        _legend_table(page, legend, panel, found)
    else:
        _legend_list(page, legend, config, found)


def draw_heat(page: Page, box: Box, panel: Panel, found: Sequence[Series], window: Window) -> None:
    """A histogram over time: one row for each bucket that was ever hit."""
    options = panel.document["options"]
    rows = sorted(found, key=lambda series: float(series.labels["le"]))
    moments = np.arange(window.start, window.end + 1, window.step)
    cumulative = np.array([np.nan_to_num(_aligned(series, moments)) for series in rows])
    counts = np.diff(cumulative, axis=0, prepend=0)
    hit = [place for place in range(len(rows)) if counts[place].max() > options["filterValues"]["le"]]
    low, high = max(0, hit[0] - 1), min(len(rows), hit[-1] + 2)
    shown = np.ma.masked_less_equal(counts[low:high], options["filterValues"]["le"])
    axes = page.axes(box.inner(64, 6, 76, 24))
    axes.grid(visible=False)
    edges = np.append(moments, moments[-1] + window.step) - window.step
    drawn = axes.pcolormesh(
        edges, np.arange(low, high + 1), shown, cmap=_HEAT, norm=PowerNorm(options["color"]["exponent"]),
        edgecolors=CANVAS, linewidth=0.4,
    )  # fmt: skip
    unit = options["yAxis"]["unit"]
    bounds = [float(series.labels["le"]) for series in rows]
    axes.set_yticks([place + 1 for place in range(low, high)])
    axes.set_yticklabels(
        ["∞" if math.isinf(bounds[place]) else write(bounds[place], unit) for place in range(low, high)]
    )
    axes.set_xlim(window.start, window.end)
    _clock(axes, window, box.width)
    bar = page.axes(Box(box.x + box.width - 66, box.y + 10, 10, box.height - 40))
    painted = page.figure.colorbar(drawn, cax=bar)
    painted.outline.set_visible(False)
    bar.yaxis.set_major_locator(MaxNLocator(4))
    bar.yaxis.set_major_formatter(FuncFormatter(lambda value, _: write(value, panel.unit)))
    bar.tick_params(colors=FAINT, labelsize=7, length=0)


def _aligned(series: Series, moments: Any) -> Any:
    """Values at each moment; a gap where there is none."""
    known = {round(moment): value for moment, value in series.points}
    return np.array([known.get(round(moment), math.nan) for moment in moments])


def _scale(axes: Axes, defaults: Mapping[str, Any], unit: str, *, logarithmic: bool) -> None:
    decimals = defaults.get("decimals")
    if logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_locator(LogLocator(10, numticks=6))
    else:
        low, high = axes.get_ylim()
        low = defaults.get("min", low)
        high = defaults.get("max", max(high, 1.0) if decimals == 0 else high)
        axes.set_ylim(low, high if high > low else low + 1)
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=decimals == 0 and unit != "percentunit"))
        kind = unit.partition(":")[0]
        if decimals is None and kind in _UNSCALED and axes.get_ylim()[1] < _SCALED_FROM:
            decimals = _tick_decimals([mark * _UNSCALED[kind] for mark in axes.get_yticks()])
        elif decimals == 0 and axes.get_ylim()[1] >= _SCALED_FROM:
            decimals = None  # 1,200 and 1,600 would be 1 K and 2 K
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: write(value, unit, decimals)))


def _tick_decimals(marks: Sequence[float]) -> int:
    """The fewest decimals that tell the marks of an axis from each other."""
    return next((few for few in range(8) if all(abs(round(mark, few) - mark) < 1e-9 for mark in marks)), 8)


def _thresholds(axes: Axes, defaults: Mapping[str, Any], custom: Mapping[str, Any]) -> None:
    mode = custom.get("thresholdsStyle", {}).get("mode", "off")
    low, high = axes.get_ylim()
    for step in defaults["thresholds"]["steps"] if mode != "off" else ():
        if step["value"] is not None and low < step["value"] < high:
            paint = colour(step["color"])
            axes.axhline(step["value"], color=paint, linewidth=1, linestyle="--" if "dashed" in mode else "-")
            if "area" in mode:
                axes.axhspan(step["value"], high, color=paint, alpha=0.08)


def _clock(axes: Axes, window: Window, width: float) -> None:
    axes.set_xlim(window.start, window.end)
    step = next(step for step in (5, 10, 15, 30, 60, 120, 300, 600, 3600) if window.seconds / step <= width / 90)
    first = math.ceil(window.start / step) * step
    marks = [first + place * step for place in range(int((window.end - first) // step) + 1)]
    axes.set_xticks(marks)
    axes.set_xticklabels([datetime.fromtimestamp(mark, UTC).strftime("%H:%M:%S") for mark in marks])


def _sorted(panel: Panel, found: Sequence[Series]) -> list[tuple[Series, list[str]]]:
    """Series in the legend's order, with their calculated columns."""
    options = panel.document["options"]["legend"]
    rows = []
    for series in found:
        values = [value for _, value in series.points if not math.isnan(value)] or [math.nan]
        rows.append((series, [_CALCULATIONS[name](values) for name in options["calcs"]]))
    if options.get("sortBy"):
        rows.sort(key=lambda row: -row[1][0])
    decimals = panel.document["fieldConfig"]["defaults"].get("decimals")
    return [(series, [write(value, panel.unit, decimals) for value in values]) for series, values in rows]


def _beside(page: Page, box: Box, panel: Panel, found: Sequence[Series]) -> tuple[Box, Box]:
    rows = _sorted(panel, found)
    names = max((page.measure(series.name, 8) for series, _ in rows), default=0)
    several = range(len(panel.document["options"]["legend"]["calcs"]))
    columns = [max((page.measure(cells[place], 8) for _, cells in rows), default=0) for place in several]
    width = min(24 + names + sum(max(column, 30) + 16 for column in columns), box.width * _WIDEST_LEGEND)
    return Box(box.x, box.y, box.width - width - 8, box.height), Box(
        box.x + box.width - width, box.y, width, box.height
    )


def _legend_table(page: Page, box: Box, panel: Panel, found: Sequence[Series]) -> None:
    options = panel.document["options"]["legend"]
    rows = _sorted(panel, found)
    widths = [
        max(page.measure(name.capitalize(), 8), *(page.measure(cells[place], 8) for _, cells in rows)) + 14
        for place, name in enumerate(options["calcs"])
    ]
    right = box.x + box.width
    page.write(box.x, box.y + 10, "Name", 8, "#6E9FFF")
    edges = [right - sum(widths[place + 1 :]) for place in range(len(widths))]
    for edge, name in zip(edges, options["calcs"], strict=True):
        mark = " ↓" if options.get("sortBy", "") == name.capitalize() else ""
        page.write(edge, box.y + 10, name.capitalize() + mark, 8, "#6E9FFF", align="right")
    for place, (series, cells) in enumerate(rows):
        y = box.y + 10 + _LINE * (place + 1)
        if y > box.y + box.height:
            page.cuts.append(f"{panel.title}: legend from {series.name} on")
            break
        page.bar(Box(box.x, y - 2, 13, 4), series_colour(panel.document["fieldConfig"], series.name))
        page.write(box.x + 18, y, series.name, 8, TEXT, room=box.width - 18 - sum(widths))
        for edge, text in zip(edges, cells, strict=True):
            page.write(edge, y, text, 8, TEXT, align="right")


def _legend_list(page: Page, box: Box, config: Mapping[str, Any], found: Sequence[Series]) -> None:
    x = box.x + 6
    for series in found:
        page.bar(Box(x, box.y + _LINE / 2 - 2, 13, 4), series_colour(config, series.name))
        x += 18 + page.write(x + 18, box.y + _LINE / 2, series.name, 8) + 14
    if x > box.x + box.width:
        page.cuts.append(f"legend of {[series.name for series in found]}")
