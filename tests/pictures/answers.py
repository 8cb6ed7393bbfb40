"""What Prometheus answers to a panel's queries, named as the panel names its series."""

import re
from dataclasses import dataclass

from observation.dashboards import Panel, Query, Window
from observation.prometheus import Labels, Points, Prometheus


@dataclass(frozen=True)
class Series:
    """One series of a panel; `ref` is the query that it comes from."""

    name: str
    labels: Labels
    ref: str
    points: Points

    @property
    def last(self) -> float:
        """Its newest value."""
        return self.points[-1][1]


def answers(panel: Panel, prometheus: Prometheus, window: Window) -> list[Series]:
    """The series of all queries of a panel."""
    return [series for query in panel.queries for series in _answer(query, prometheus, window.of(panel.time_from))]


def _answer(query: Query, prometheus: Prometheus, window: Window) -> list[Series]:
    expression = window.fill(query.expression)
    if query.instant:
        found = [(labels, [(window.end, value)]) for labels, value in prometheus.vector(expression, window.end)]
    else:
        found = prometheus.matrix(expression, window.start, window.end, window.step)
    return [Series(_name(query.legend, labels), labels, query.ref, points) for labels, points in found]


def _name(legend: str, labels: Labels) -> str:
    return re.sub(r"{{(\w+)}}", lambda label: labels.get(label[1], ""), legend)
