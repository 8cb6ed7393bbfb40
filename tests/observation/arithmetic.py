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
    r"(?:topk\(10, )?sum(?: by \((?P<by>\w+)\) )?\(increase\((?P<selector>\w+\{[^}]*\})\[(?P<window>\d+)s\]\)\)"
)
_MONTH = re.compile(r" / (\d+) \* 86400 \* days_in_month\(\)$")
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


def factor(expression: str) -> float:
    """What a filled total is multiplied by behind the sum: the projection to a whole month."""
    found = _MONTH.search(expression)
    if found is None:
        return 1.0
    today = datetime.now(UTC)
    return 86_400 * calendar.monthrange(today.year, today.month)[1] / float(found[1])


def totals(prometheus: Prometheus, expression: str, moment: float) -> Mapping[str, float]:
    """What a sum of increases must be, by the value of the label that it is grouped by (empty without one)."""
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
    return found["selector"], int(found["window"]), found["by"]


def group(labels: Labels, by: str | None) -> str:
    """The value of a label, empty without one."""
    return labels.get(by, "") if by else ""
