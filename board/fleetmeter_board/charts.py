"""The charts: what each shows, and the options that draw it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fleetmeter.watching.figures import is_failure
from fleetmeter.watching.measures import CALL_SECONDS, FIRST_TOKEN_SECONDS, FLUSH_SECONDS, OTHERS, REQUEST_SECONDS
from fleetmeter.watching.shown import Line, Shown
from fleetmeter_board.colours import GOOD, NEUTRAL, colour, variable
from fleetmeter_board.numbers import dollars, duration, per_second, share, short

_SCRIPTS: dict[Callable[[float | None], str], str] = {
    dollars: "fmDollars", per_second: "fmRate", duration: "fmSeconds", share: "fmShare", short: "fmShort",
}  # fmt: skip
"""The browser's twins of our ways to write numbers, in page.js."""

_SHORTEST = 60.0
"""Seconds of a time axis at least."""


@dataclass(frozen=True)
class Chart:
    """One chart: its lines, in the order of their names if there is no better one, and how numbers are written.

    `label` is the label whose values the lines stand for: it decides their colours. Stacked lines are filled.
    """

    key: str
    title: str
    unit: str
    lines: Callable[[Shown], Mapping[str, Line]]
    write: Callable[[float | None], str]
    label: str = ""
    stacked: bool = False


def _measure(name: str, factor: float = 1.0) -> Callable[[Shown], Mapping[str, Line]]:
    def lines(shown: Shown) -> Mapping[str, Line]:
        found = shown.lines.get(name, {})
        return {key: [None if value is None else value * factor for value in line] for key, line in found.items()}

    return lines


def _quantiles(family: str) -> Callable[[Shown], Mapping[str, Line]]:
    return lambda shown: shown.quantiles.get(family, {})


def _level(name: str, shown_as: str) -> Callable[[Shown], Mapping[str, Line]]:
    return lambda shown: {shown_as: shown.levels[name]} if name in shown.levels else {}


def _errors(shown: Shown) -> Mapping[str, Line]:
    """Errors by type; for a service that records no types, what HTTP counted. Never both: they are the same events."""
    recorded = shown.lines.get("errors", {})
    http = shown.lines.get("requests", {})
    return recorded or {status: line for status, line in http.items() if is_failure(status)}


def _hits(shown: Shown) -> Mapping[str, Line]:
    results = shown.lines.get("cache", {})
    if not results:
        return {}
    sums = [sum(value or 0.0 for value in at) for at in zip(*results.values(), strict=True)]
    hits = results.get("hit", [0.0] * len(sums))
    return {
        "hits per get": [
            hit / every if every and hit is not None else None for hit, every in zip(hits, sums, strict=True)
        ]
    }


FIRST = (
    Chart("cost", "What does an hour cost?", "$ per hour, by model", _measure("cost", 3600), dollars, "model", True),
    Chart(
        "requests",
        "How many requests come in?",
        "per second, by status",
        _measure("requests"),
        per_second,
        "status",
        True,
    ),
    Chart(
        "latency", "How long do requests take?", "to the last byte", _quantiles(REQUEST_SECONDS), duration, "quantile"
    ),
    Chart("tokens", "Which tokens are used?", "per second, by type", _measure("tokens"), per_second, "type", True),
)
"""Those of the first screen."""

MONEY = (
    Chart(
        "cost_by_intent", "Which intents cost the money?", "$ per hour", _measure("cost_by_intent", 3600), dollars,
        "intent", True,
    ),
    Chart(
        "savings", "What do routing and cache save?", "$ per hour", _measure("savings", 3600), dollars, "source", True
    ),
)  # fmt: skip
MODELS = (
    Chart(
        "call_seconds",
        "How long do model calls take?",
        "to the last chunk",
        _quantiles(CALL_SECONDS),
        duration,
        "quantile",
    ),
    Chart(
        "first_token",
        "How long until the first token?",
        "streams",
        _quantiles(FIRST_TOKEN_SECONDS),
        duration,
        "quantile",
    ),
)
ERRORS = (
    Chart("errors", "Which errors does the service answer?", "per second, by type", _errors, per_second, "error", True),
    Chart(
        "call_errors", "Which errors do models answer?", "per second, by type", _measure("call_errors"), per_second,
        "error", True,
    ),
)  # fmt: skip
ROUTING = (
    Chart(
        "selections",
        "Which tiers are chosen?",
        "questions per second",
        _measure("selections"),
        per_second,
        "tier",
        True,
    ),
    Chart(
        "fallbacks",
        "Why is another model asked?",
        "per second, by reason",
        _measure("fallbacks"),
        per_second,
        "reason",
        True,
    ),
)
CACHE = (
    Chart("hits", "What share of questions does it answer?", "hits per get", _hits, share),
    Chart("cache_size", "How full is it?", "entries", _level("cache_size", "entries"), short),
)
HEALTH = (
    Chart(
        "flush_seconds",
        "How long does a flush take?",
        "until the store has it",
        _quantiles(FLUSH_SECONDS),
        duration,
        "quantile",
    ),
    Chart("flushes", "How many batches does the store take?", "per second", _measure("flushes"), per_second),
    Chart("replicas", "Do replicas come and go?", "alive", _level("replicas", "replicas"), short),
    Chart("read", "How long does a read take?", "of everything, as for a scrape", _level("read", "read"), duration),
)


def paint(chart: Chart, name: str) -> str:
    """The colour of one line."""
    if chart.label:
        return colour(chart.label, "other" if name == OTHERS else name)
    return variable(GOOD if chart.key == "replicas" else NEUTRAL)


def named(chart: Chart, name: str) -> str:
    """A line's name in words; an empty value of a label is none."""
    return name or ({"flushes": "batches"}.get(chart.key, "(none)"))


def options(chart: Chart, shown: Shown, now: float) -> dict[str, Any]:
    """ECharts' options. Colours are the style sheet's variables, so that a theme needs no new options."""
    write = _SCRIPTS[chart.write]
    series = []
    for name, line in chart.lines(shown).items():
        found = paint(chart, name)
        series.append(
            {
                "type": "line",
                "name": named(chart, name),
                "data": [[round(at * 1000), value] for at, value in zip(shown.times, line, strict=True)],
                "showSymbol": len(shown.times) < 3,
                "symbolSize": 4,
                "lineStyle": {"width": 1 if chart.stacked else 1.8, "color": found},
                "itemStyle": {"color": found},
                "color": found,
                "emphasis": {"disabled": True},
                "connectNulls": False,
                **({"stack": "all", "areaStyle": {"color": found, "opacity": 0.55}} if chart.stacked else {}),
            }
        )
    return {
        "animation": False,
        "grid": {"left": 4, "right": 10, "top": 10, "bottom": 2, "containLabel": True},
        "xAxis": {
            "type": "time",
            "min": round(_begin(shown, now) * 1000),
            "max": round(now * 1000),
            "splitNumber": 4,
            "axisLine": {"lineStyle": {"color": "var(--rule)"}},
            "axisTick": {"show": False},
            "axisLabel": {
                ":formatter": f"at => fmTime(at, {now - _begin(shown, now):.0f})",
                "hideOverlap": True,
                "fontSize": 11,
            },
            "splitLine": {"show": False},
        },
        "yAxis": {
            "type": "value",
            "min": 0,
            "splitNumber": 3,
            "axisLabel": {":formatter": write, "fontSize": 11},
            "splitLine": {"lineStyle": {"color": "var(--rule)", "width": 1}},
            **({"minInterval": 1} if chart.write is short else {}),
        },
        "tooltip": {
            "trigger": "axis",
            "confine": True,
            "className": "tip",
            "order": "valueDesc",
            ":valueFormatter": write,
            "axisPointer": {"lineStyle": {"color": "var(--muted)"}},
        },
        "series": series,
    }


def _begin(shown: Shown, now: float) -> float:
    """Where the time axis begins: at the first time that is known, so that a young board's lines fill their charts."""
    return max(now - shown.seconds, min(shown.times[0], now - _SHORTEST)) if shown.times else now - shown.seconds
