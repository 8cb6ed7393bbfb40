"""A dashboard's picture: header, headings, and each panel in its place on the grid."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from observation.dashboards import Panel, Window
from observation.prometheus import Prometheus
from pictures import lines, numbers
from pictures.answers import answers
from pictures.frame import Box, Page
from pictures.look import CANVAS, FAINT, TEXT

WIDTH = 1600
DRAWN_FROM = "fleetmeter-dashboard"
"""The key of a picture's note that says which dashboard it shows."""
_ROW = 38
"""Pixels of one of Grafana's rows: 30, and 8 between two panels."""
_GAP = 8
_HEADER = 78
_TIME_NAMES = {"now/d": "Today so far", "now/M": "This month so far"}
_WORDS = "preview: drawn from the dashboard's JSON and a live Prometheus; Grafana's own drawing looks different"


def draw(name: str, document: Mapping[str, Any], prometheus: Prometheus, window: Window, folder: Path) -> list[str]:
    """Write `name`.png into a folder; the texts and series that had no room.

    Rows that are folded are opened: what is drawn is a fleet with the gateway, which has something to show in them.
    """
    found = [*_opened(document["panels"])]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in found) * _ROW
    page = Page(WIDTH, _HEADER + height + _GAP, CANVAS)
    _header(page, document, window)
    for panel in found:
        place = panel["gridPos"]
        column = (WIDTH - _GAP) / 24
        box = Box(
            _GAP + place["x"] * column,
            _HEADER + place["y"] * _ROW,
            place["w"] * column - _GAP,
            place["h"] * _ROW - _GAP,
        )
        if panel["type"] == "row":
            page.write(box.x + 4, box.y + box.height / 2, f"⌄  {panel['title']}", 11, TEXT)
        else:
            _panel(page, box, Panel(name, panel), prometheus, window)
    page.save(folder / f"{name}.png", (DRAWN_FROM, digest(document)))
    return page.cuts


def _opened(found: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Panels and headings as they stand once every row is opened, without the notes that say why it was folded."""
    down = 0
    for panel in found:
        yield _moved(panel, down)
        inside = [each for each in panel.get("panels", ()) if each["type"] != "text"]
        if inside:
            top = panel["gridPos"]["y"] + 1
            first = min(each["gridPos"]["y"] for each in inside)
            yield from (_moved(each, down + top - first) for each in inside)
            down += max(each["gridPos"]["y"] + each["gridPos"]["h"] for each in inside) - first


def _moved(panel: Mapping[str, Any], down: int) -> Mapping[str, Any]:
    return {**panel, "gridPos": {**panel["gridPos"], "y": panel["gridPos"]["y"] + down}}


def digest(document: Mapping[str, Any]) -> str:
    """What tells one dashboard's picture from another's; descriptions, which are not drawn, do not count."""
    left_out = ("description", "panels")
    panels = [
        {key: value for key, value in panel.items() if key not in left_out} for panel in _opened(document["panels"])
    ]
    drawn = {"title": document["title"], "templating": document["templating"], "panels": panels}
    return hashlib.sha256(json.dumps(drawn, sort_keys=True).encode()).hexdigest()


def _panel(page: Page, box: Box, panel: Panel, prometheus: Prometheus, window: Window) -> None:
    page.frame(box)
    found = answers(panel, prometheus, window)
    if panel.kind == "stat" and found:
        numbers.fill_background(page, box, panel, found)
    own = _TIME_NAMES.get(panel.time_from, "")
    width = page.write(box.x + box.width - 8, box.y + 15, own, 7.5, FAINT, align="right") + 8 if own else 0
    on_colour = panel.kind == "stat" and panel.document["options"]["colorMode"] == "background"
    page.write(box.x + 10, box.y + 15, panel.title, 9.5, "#ffffff" if on_colour else TEXT, room=box.width - 18 - width)
    inside = box.inner(10, 32, 10, 8)
    if not found:
        numbers.draw_nothing(page, inside, panel)
    elif panel.kind == "timeseries":
        lines.draw_lines(page, inside, panel, found, window)
    elif panel.kind == "heatmap":
        lines.draw_heat(page, inside, panel, found, window)
    elif panel.kind == "stat":
        numbers.draw_stat(page, box.inner(1, 28, 1, 1), panel, found)
    else:
        draws = {
            "gauge": numbers.draw_gauge,
            "bargauge": numbers.draw_bars,
            "piechart": numbers.draw_pie,
            "table": numbers.draw_table,
        }
        draws[panel.kind](page, inside, panel, found)


def _header(page: Page, document: Mapping[str, Any], window: Window) -> None:
    page.write(_GAP + 6, 22, document["title"], 15, TEXT)
    start, end = (
        datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S") for moment in (window.start, window.end)
    )
    page.write(WIDTH - _GAP - 6, 22, f"{start} to {end} UTC", 9, TEXT, align="right")
    x: float = _GAP + 6
    values = {"datasource": "Prometheus", "job": "fleetmeter"}
    for variable in document["templating"]["list"]:
        x += page.write(x, 54, variable["label"], 9, "#6E9FFF") + 8
        x += page.write(x, 54, values.get(variable["name"], "All"), 9, TEXT) + 24
    page.write(WIDTH - _GAP - 6, 54, _WORDS, 8.5, FAINT, align="right")
