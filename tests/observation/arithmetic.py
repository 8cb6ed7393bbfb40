"""What `increase()` must come to, computed from the raw samples by Prometheus' documented rules.

A reimplementation in Python, so that a panel's figure is checked against something other than Prometheus itself.
"""

import calendar
import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime

from observation.prometheus import Labels, Points, Prometheus

_TOTAL = re.compile(
    r"(?:topk\(10, )?sum(?: by \((?P<by>\w+)\) )?"
    r"\(increase\((?P<selector>\w+\{[^}]*\})\[(?P<window>\d+)(?P<unit>[sh])\]\)\)"
)
_MONTHS_END = " * (24 * (days_in_month() - day_of_month() + 1) - time() % 86400 / 3600)"
"""By this the last hour of a projection is multiplied; what the month has cost stands before it."""
_NEAR = 1.1
"""A series is taken to go on to the edge of the window if that is nearer than so many mean intervals."""
_LOOK_BACK = 300
"""Seconds within which a series must have had a sample to be there already."""


def increase(points: Points, start: float, end: float) -> float:
    """The growth of one counter within a window, carried on to its edges as Prometheus does it."""
    if len(points) < 2:
        return 0.0
    (first, low), (last, high) = points[0], points[-1]
    growth = high - low
    previous = low
    for _, value in points[1:]:
        if value < previous:  # a reset
            growth += previous
        previous = value
    sampled = last - first
    mean = sampled / (len(points) - 1)
    before, after = first - start, end - last
    if growth > 0 and low >= 0:
        before = min(before, sampled * (low / growth))  # a counter was never below 0
    extended = sampled
    extended += before if before < mean * _NEAR else mean / 2
    extended += after if after < mean * _NEAR else mean / 2
    return growth * extended / sampled


def is_total(expression: str) -> bool:
    """Whether a filled expression is a sum of increases, which `totals` can compute."""
    return _TOTAL.match(expression) is not None


def hours_left(moment: float) -> float:
    """Hours from a moment to the end of its month, in UTC."""
    now = datetime.fromtimestamp(moment, UTC)
    days = calendar.monthrange(now.year, now.month)[1]
    return 24 * (days - now.day + 1) - moment % 86_400 / 3_600


def totals(prometheus: Prometheus, expression: str, moment: float) -> Mapping[str, float]:
    """What a sum of increases must be, by the value of the label that it is grouped by (empty without one).

    Of the projection to the month's end: what there was, and the last hour for each hour that is left.
    """
    if expression.endswith(_MONTHS_END):
        spent, _, hour = expression.removesuffix(_MONTHS_END).partition(" + ")
        so_far, pace = totals(prometheus, spent, moment), totals(prometheus, hour, moment)
        return {name: amount + pace[name] * hours_left(moment) for name, amount in so_far.items()}
    selector, window, by = _parts(expression)
    sums: defaultdict[str, float] = defaultdict(float)
    for labels, points in prometheus.raw(selector, window, moment):
        if len(points) > 1:
            sums[group(labels, by)] += increase(points, moment - window, moment)
    return sums


def born(prometheus: Prometheus, expression: str, moment: float) -> Mapping[str, float]:
    """What of a sum of increases PromQL cannot see: the first values of series that came to be within the window."""
    selector, window, by = _parts(expression)
    start = moment - window
    known = [labels for labels, _ in prometheus.raw(selector, _LOOK_BACK, start)]
    sums: defaultdict[str, float] = defaultdict(float)
    for labels, points in prometheus.raw(selector, window, moment):
        if labels not in known:
            sums[group(labels, by)] += points[0][1]
    return sums


def _parts(expression: str) -> tuple[str, int, str | None]:
    """Selector, window in seconds and grouping label of a sum of increases."""
    found = _TOTAL.match(expression)
    if found is None:
        raise ValueError(f"no sum of increases: {expression}")
    return found["selector"], int(found["window"]) * {"s": 1, "h": 3_600}[found["unit"]], found["by"]


def group(labels: Labels, by: str | None) -> str:
    """The value of a label, empty without one."""
    return labels.get(by, "") if by else ""
