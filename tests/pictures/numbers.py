"""Panels of single numbers: stat, gauge, bars, pie, table."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.patches import Wedge

from observation.dashboards import Panel
from pictures.answers import Series
from pictures.frame import Box, Page
from pictures.look import FAINT, GRID, TEXT, colour, mapped, overrides, series_colour, step_colour
from pictures.units import write

_ROW = 19.0


def fill_background(page: Page, box: Box, panel: Panel, found: Sequence[Series]) -> None:
    """Colour a stat's background where the panel says so."""
    if panel.document["options"]["colorMode"] == "background":
        width = box.width / len(found)
        for place, series in enumerate(found):
            page.bar(Box(box.x + place * width, box.y, width, box.height), _word(panel, series.last)[1], 0.72)


def draw_stat(page: Page, box: Box, panel: Panel, found: Sequence[Series]) -> None:
    """One large number for each series."""
    options = panel.document["options"]
    width = box.width / len(found)
    for place, series in enumerate(found):
        part = Box(box.x + place * width, box.y, width, box.height)
        text, paint = _word(panel, series.last)
        if options["colorMode"] == "background":
            paint = "#ffffff"
        size = 21 if len(text) <= 9 else 16 if len(text) < 17 else 13
        named = options["textMode"] == "value_and_name"
        page.write(
            part.x + width / 2, part.y + part.height / 2 + (8 if named else 0), text, size, paint, align="center",
            room=width - 12,
        )  # fmt: skip
        if named:
            page.write(part.x + width / 2, part.y + part.height / 2 - 22, series.name, 9, TEXT, align="center")


def draw_gauge(page: Page, box: Box, panel: Panel, found: Sequence[Series]) -> None:
    """An arc between the bounds, the thresholds around it."""
    defaults = panel.document["fieldConfig"]["defaults"]
    low, high, steps = defaults["min"], defaults["max"], defaults["thresholds"]["steps"]
    text, paint = _word(panel, found[0].last)
    axes = page.axes(box)
    axes.set_axis_off()
    axes.set_aspect("equal")
    axes.set_xlim(-1.25, 1.25)
    axes.set_ylim(-0.75, 1.2)

    def angle(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return 210.0 - 240.0 * float(share)

    axes.add_patch(Wedge((0, 0), 1.0, angle(high), angle(low), width=0.28, facecolor=GRID))
    axes.add_patch(Wedge((0, 0), 1.0, angle(found[0].last), angle(low), width=0.28, facecolor=paint))
    ends = [*(step["value"] for step in steps[1:]), high]
    starts = [low, *(step["value"] for step in steps[1:])]
    for step, start, end in zip(steps, starts, ends, strict=True):
        axes.add_patch(Wedge((0, 0), 1.1, angle(end), angle(start), width=0.06, facecolor=colour(step["color"])))
    axes.text(0, -0.05, text, color=paint, fontsize=24, ha="center", va="center")


def draw_bars(page: Page, box: Box, panel: Panel, found: Sequence[Series]) -> None:
    """A bar for each series, its name before and its value behind it."""
    config = panel.document["fieldConfig"]
    defaults = config["defaults"]
    names = max(page.measure(series.name, 9) for series in found) + 12
    texts = max(page.measure(_word(panel, series.last)[0], 11) for series in found) + 12
    room = box.width - names - texts
    high = defaults.get("max", max(series.last for series in found) or 1.0)
    height = min(34.0, box.height / len(found) - 5)
    if height < 12:
        page.cuts.append(f"{panel.title}: {len(found)} bars")
    for place, series in enumerate(found):
        y = box.y + place * (height + 6) + 4
        text, _ = _word(panel, series.last)
        paint = series_colour(config, series.name, series.last)
        page.write(box.x, y + height / 2, series.name, 9, TEXT, room=names)
        page.bar(Box(box.x + names, y, room, height), GRID, 0.6)
        page.bar(Box(box.x + names, y, max(2.0, room * min(series.last / high, 1.0)), height), paint, 0.9)
        page.write(box.x + box.width, y + height / 2, text, 11, paint, align="right")


def draw_pie(page: Page, box: Box, panel: Panel, found: Sequence[Series]) -> None:
    """Shares of a whole, the largest first, with value and percent in the legend."""
    config = panel.document["fieldConfig"]
    parts = sorted(found, key=lambda series: -series.last)
    whole = sum(series.last for series in parts)
    decimals = config["defaults"].get("decimals")
    cells = [(write(each.last, panel.unit, decimals), f"{each.last / whole * 100:.0f}%") for each in parts]
    names = max(page.measure(series.name, 8) for series in parts)
    values = max(page.measure("Value", 8), *(page.measure(value, 8) for value, _ in cells))
    legend = 24 + names + values + 66
    side = min(box.height, box.width - legend)
    axes = page.axes(
        Box(box.x + max(0.0, (box.width - legend - side) / 2), box.y + (box.height - side) / 2, side, side)
    )
    axes.set_axis_off()
    axes.set_xlim(-1.05, 1.05)
    axes.set_ylim(-1.05, 1.05)
    start, donut = 90.0, panel.document["options"]["pieType"] == "donut"
    right, left = box.x + box.width, box.x + box.width - legend
    if side < 90:
        page.cuts.append(f"{panel.title}: a pie of {side:.0f} pixels")
    page.write(left, box.y + 10, "Name", 8, "#6E9FFF")
    page.write(right - 52, box.y + 10, "Value", 8, "#6E9FFF", align="right")
    page.write(right, box.y + 10, "Percent", 8, "#6E9FFF", align="right")
    for place, (series, (value, percent)) in enumerate(zip(parts, cells, strict=True)):
        angle, paint = 360 * series.last / whole, series_colour(config, series.name)
        shape = Wedge(
            (0, 0), 1.0, start - angle, start, width=0.4 if donut else None, facecolor=paint, edgecolor="#181b1f"
        )
        axes.add_patch(shape)
        start -= angle
        y = box.y + 10 + 17 * (place + 1)
        page.bar(Box(left, y - 4, 9, 9), paint)
        page.write(left + 16, y, series.name, 8)
        page.write(right - 52, y, value, 8, align="right")
        page.write(right, y, percent, 8, align="right")


def draw_table(page: Page, box: Box, panel: Panel, found: Sequence[Series]) -> None:
    """Lines of label values and columns of numbers, after the panel's transformations."""
    document, config = panel.document, panel.document["fieldConfig"]
    organize = next(each["options"] for each in document["transformations"] if each["id"] == "organize")
    lines: dict[tuple[str, ...], dict[str, str | float]] = {}
    for series in found:
        labels = {name: text for name, text in series.labels.items() if name != "__name__"}
        line = lines.setdefault(tuple(sorted(labels.items())), dict(labels))  # type: ignore[arg-type]
        line["Value" if len(panel.queries) == 1 else f"Value #{series.ref}"] = series.last
    place_of = organize["indexByName"]
    present = {name for line in lines.values() for name in line}
    columns = [name for name in sorted(place_of, key=place_of.__getitem__) if name in present]
    columns = [name for name in columns if not organize["excludeByName"].get(name)]
    shown = {name: organize["renameByName"].get(name, name) for name in columns}
    rows = list(lines.values())
    for order in document["options"].get("sortBy", ()):
        key = next(name for name, header in shown.items() if header == order["displayName"])
        rows.sort(key=lambda line: float(line.get(key, math.nan)), reverse=order["desc"])
    width = box.width / len(columns)
    for place, name in enumerate(columns):
        number = name.startswith("Value")
        edge = box.x + width * (place + 1) - 8 if number else box.x + width * place + 4
        page.write(edge, box.y + 10, shown[name], 8.5, "#6E9FFF", align="right" if number else "left")
        for number_of_line, row in enumerate(rows, 1):
            y = box.y + 12 + _ROW * number_of_line
            if y > box.y + box.height:
                page.cuts.append(f"{panel.title}: lines from {number_of_line} on")
                break
            text, paint = _cell(config, shown[name], row.get(name))
            page.write(edge, y, text, 8.5, paint, align="right" if number else "left", room=width - 10)
    for place in range(len(rows)):
        page.bar(Box(box.x, box.y + 12 + _ROW * (place + 0.5), box.width, 0.8), GRID)


def draw_nothing(page: Page, box: Box, panel: Panel) -> None:
    """The panel's word for no data."""
    text = panel.document["fieldConfig"]["defaults"].get("noValue", "No data")
    page.write(box.x + box.width / 2, box.y + box.height / 2, text, 12, FAINT, align="center", room=box.width - 8)


def _cell(config: Mapping[str, Any], header: str, value: str | float | None) -> tuple[str, str]:
    if value is None:
        return "", TEXT
    if isinstance(value, str):
        return value, TEXT
    own = overrides(config, header)
    text = write(value, own.get("unit", "short"), own.get("decimals"))
    coloured = own.get("custom.cellOptions", {}).get("type") == "color-text"
    return text, step_colour(own["thresholds"]["steps"], value) if coloured else TEXT


def _word(panel: Panel, value: float) -> tuple[str, str]:
    """A value's text and colour, by the panel's words or its unit and thresholds."""
    defaults = panel.document["fieldConfig"]["defaults"]
    word = mapped(defaults, value)
    if word is not None:
        return word
    return write(value, panel.unit, defaults.get("decimals")), step_colour(defaults["thresholds"]["steps"], value)
