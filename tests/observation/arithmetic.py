"""What `increase()` must come to, computed from the raw samples by Prometheus' documented rules.

A reimplementation in Python, so that a panel's figure is checked against something other than Prometheus itself.
"""

import re
from collections import defaultdict
from collections.abc import Mapping

from observation.prometheus import Labels, Points, Prometheus

_TOTAL = re.compile(r"(?:topk\(10, )?sum(?: by \((?P<by>\w+)\) )?\(increase\((?P<selector>\w+\{[^}]*\})\[(?P<window>\d+)s\]\)\)")
_NEAR = 1.1
"""A series is taken to go on to the edge of the window if that is nearer than so many mean intervals."""


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


def totals(prometheus: Prometheus, expression: str, moment: float) -> Mapping[str, float]:
    """What a sum of increases must be, by the value of the label that it is grouped by (empty without one)."""
    found = _TOTAL.match(expression)
    if found is None:
        raise ValueError(f"no sum of increases: {expression}")
    window = int(found["window"])
    sums: defaultdict[str, float] = defaultdict(float)
    for labels, points in prometheus.raw(found["selector"], window, moment):
        if len(points) > 1:
            sums[group(labels, found["by"])] += increase(points, moment - window, moment)
    return sums


def group(labels: Labels, by: str | None) -> str:
    """The value of a label, empty without one."""
    return labels.get(by, "") if by else ""
