"""What charts and tables show of a span of time, wherever it comes from: this process's memory, or a Prometheus."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fleetmeter.watching.history import History, gaps, lines
from fleetmeter.watching.measures import DURATIONS, MOST
from fleetmeter.watching.quantile import QUANTILES, quantile

Line = list[float | None]
"""A value for each time; None where nothing is known."""

_SOURCE = "in memory, since this program runs"


@dataclass(frozen=True)
class Shown:
    """Lines and amounts of the last `seconds`.

    `times` are the ends of the steps, in seconds since 1970. `lines` has, by measure and label's value, the growth per
    second at each time, money in nano-dollars. `quantiles` has, by histogram, seconds under `p50`, `p95` and `p99`.
    `levels` are values that are no counts. `amounts` is the growth over the whole span. `source` says in words where
    it comes from, `problem` why something is missing; empty if nothing is.
    """

    seconds: float
    times: list[float] = field(default_factory=list)
    lines: Mapping[str, Mapping[str, Line]] = field(default_factory=dict)
    quantiles: Mapping[str, Mapping[str, Line]] = field(default_factory=dict)
    levels: Mapping[str, Line] = field(default_factory=dict)
    amounts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    source: str = ""
    problem: str = ""


def remembered(history: History, seconds: float) -> Shown:
    """What a history has of the last `seconds`."""
    points = history.points(seconds)
    span = history.last(seconds)
    if not points or span is None:
        return Shown(seconds, source=_SOURCE)
    broken = set(gaps(points, history.length(seconds)))
    measures = sorted(set().union(*(point.grown for point in points)) - set(DURATIONS))
    levels = sorted(set().union(*(point.levels for point in points)))
    return Shown(
        seconds,
        [point.ended for point in points],
        {name: {key: _broken(line, broken) for key, line in lines(points, name).items()} for name in measures},
        {
            family: {
                name: _broken([quantile(share, point.amount(family)) for point in points], broken)
                for name, share in QUANTILES.items()
            }
            for family in DURATIONS
            if any(point.amount(family) for point in points)
        },
        {name: _broken([point.levels.get(name) for point in points], broken) for name in levels},
        {name: dict(span.amount(name).most_common(MOST + 1)) for name in measures},
        _SOURCE,
    )


def _broken(line: "list[float] | Line", places: set[int]) -> Line:
    """The line, with None where nothing was seen for a while."""
    return [None if place in places else value for place, value in enumerate(line)]
