"""Grafana's dark theme: its colours by name, and the colour of a series."""

from collections.abc import Mapping, Sequence
from typing import Any

CANVAS, PANEL, BORDER, GRID = "#111217", "#181b1f", "#2b2e34", "#2a2d33"
TEXT, FAINT = "#d5d5e0", "#9a9aa8"

_NAMED = {
    "green": "#73BF69", "blue": "#5794F2", "orange": "#FF9830", "red": "#F2495C", "yellow": "#FADE2A",
    "purple": "#B877D9", "light-blue": "#8AB8FF", "dark-green": "#37872D", "dark-orange": "#FA6400",
    "semi-dark-yellow": "#F2CC0C", "semi-dark-orange": "#FF780A", "transparent": "none",
}  # fmt: skip
_CLASSIC = (
    "green", "semi-dark-yellow", "light-blue", "semi-dark-orange", "red", "blue", "purple", "#705DA0", "dark-green",
    "yellow", "#447EBC", "#C15C17", "#890F02", "#0A437C", "#6D1F62", "#584477", "#B7DBAB", "#F4D598", "#70DBED",
    "#F9BA8F", "#F29191", "#82B5D8", "#E5A8E2", "#AEA2E0", "#629E51", "#E5AC0E", "#64B0C8", "#E0752D", "#BF1B00",
    "#0A50A1", "#962D82", "#614D93", "#9AC48A", "#F2C96D", "#65C5DB", "#F9934E", "#EA6460", "#5195CE", "#D683CE",
    "#806EB7", "#3F6833", "#967302", "#2F575E", "#99440A", "#58140C", "#052B51", "#511749", "#3F2B5B", "#E0F9D7",
    "#FCEACA", "#CFFAFF", "#F9E2D2", "#FCE2DE", "#BADFF4", "#F9D9F9", "#DEDAF7",
)  # fmt: skip
"""The palette that Grafana calls classic."""
_LEAST_CONTRAST = 3
"""By name, Grafana takes only those of the palette that can be told from the background."""


def colour(name: str) -> str:
    """What matplotlib calls a colour of Grafana's."""
    return _NAMED.get(name, name)


def overrides(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The properties that are set for a series or column of that name."""
    found: dict[str, Any] = {}
    for override in config.get("overrides", ()):
        if override["matcher"] == {"id": "byName", "options": name}:
            found |= {entry["id"]: entry["value"] for entry in override["properties"]}
    return found


def series_colour(config: Mapping[str, Any], name: str, value: float | None = None) -> str:
    """The colour of one series: an override's, that of its thresholds, or the palette's by its name."""
    fixed = overrides(config, name).get("color")
    if fixed is not None:
        return colour(fixed["fixedColor"])
    defaults = config["defaults"]
    if defaults["color"]["mode"] == "thresholds" and value is not None:
        return step_colour(defaults["thresholds"]["steps"], value)
    readable = [found for found in _CLASSIC if _contrast(colour(found)) >= _LEAST_CONTRAST]
    return colour(readable[_hash(name) % len(readable)])


def step_colour(steps: Sequence[Mapping[str, Any]], value: float) -> str:
    """The colour of the highest threshold that a value has reached."""
    reached = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return colour(reached[-1])


def mapped(defaults: Mapping[str, Any], value: float) -> tuple[str, str] | None:
    """The word and colour that stand for a value, if any do."""
    for mapping in defaults.get("mappings", ()):
        options = mapping["options"]
        if mapping["type"] == "value" and f"{value:g}" in options:
            result = options[f"{value:g}"]
        elif mapping["type"] == "range" and options["from"] <= value <= options["to"]:
            result = options["result"]
        else:
            continue
        return result["text"], colour(result["color"])
    return None


def _contrast(paint: str) -> float:
    """How a colour stands out from a panel's background, by the formula of WCAG 2."""
    light, dark = sorted((_luminance(paint), _luminance(PANEL)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(paint: str) -> float:
    parts = (int(paint[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _hash(text: str) -> int:
    """The number that Grafana makes of a name: Java's string hash in 32 bits."""
    number = 0
    for character in text:
        number = (number * 31 + ord(character)) & 0xFFFFFFFF
    return abs(number - (1 << 32) if number >= 1 << 31 else number)
