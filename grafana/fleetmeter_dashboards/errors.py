"""What a dashboard can get wrong about the families that it shows.

DashboardError
├── UndeclaredFamily
└── UndeclaredLabel
"""

from collections.abc import Iterable
from difflib import get_close_matches


class DashboardError(Exception):
    """A dashboard cannot be built."""


class UndeclaredFamily(DashboardError):
    """A query asks for a family that nothing declares."""

    def __init__(self, name: str, declared: Iterable[str]) -> None:
        self.name = name
        near = get_close_matches(name, list(declared), 3, 0.5)
        super().__init__(
            f"no family {name!r} is declared; if it was renamed, rename it in grafana/fleetmeter_dashboards too"
            + (f" (there is: {', '.join(near)})" if near else "")
        )


class UndeclaredLabel(DashboardError):
    """A query names a label that the family does not have."""

    def __init__(self, family: str, label: str, labels: Iterable[str]) -> None:
        self.family = family
        self.label = label
        super().__init__(
            f"the family {family!r} has no label {label!r}; it has: {', '.join(labels) or 'none'}. "
            "If it was renamed, rename it in grafana/fleetmeter_dashboards too"
        )
