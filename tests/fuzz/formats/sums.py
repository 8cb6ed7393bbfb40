"""What was recorded, added up exactly: a second account of a plan, which knows nothing of a store."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from math import isfinite

from fleetmeter.schema.scale import float_of
from fuzz.formats.drawing import REPLICAS
from fuzz.formats.plan import Amount, Deed, Plan, Version

Series = tuple[str, ...]
"""Label values by sorted name."""


@dataclass
class _Pending:
    """What a replica has not handed over. It adds floats up as floats do."""

    amount: float = 0
    count: int = 0


@dataclass
class Total:
    """One series of the fleet: its sum, how many observations it has, and how many batches brought fractions."""

    amount: Fraction = Fraction(0)
    count: int = 0
    batches: int = 0


Layout = tuple[int, Series]
"""A family's place in the plan, and its label names in their order: versions that have the same add up."""


@dataclass
class Sums:
    """The totals of a plan, deed by deed."""

    plan: Plan
    totals: dict[Layout, dict[Series, Total]] = field(default_factory=lambda: defaultdict(dict))

    def __post_init__(self) -> None:
        self._pending: list[dict[tuple[Layout, Series], _Pending]] = [{} for _ in range(REPLICAS)]
        self._removals: list[list[tuple[Layout, Series, Series]]] = [[] for _ in range(REPLICAS)]

    def do(self, deed: Deed) -> None:
        """Take in a deed."""
        pending = self._pending[deed.replica]
        if deed.what == "flush":
            self._hand_over(deed.replica)
            return
        if deed.what == "scrape":
            return
        version = self.plan.families[deed.family][deed.replica]
        layout, series = place_of(deed, version)
        if deed.what == "record":
            units = _units(deed.amount, version.kind)
            if units is not None:
                found = pending.setdefault((layout, series), _Pending())
                found.amount += units
                found.count += 1
            return
        if not version.labels:
            return
        wanted = {"remove": series, "clear": ("",) * len(series)}.get(deed.what, ())
        names = {"remove": layout[1], "clear": (), "match": (version.labels[0],)}[deed.what]
        removal = layout, tuple(names), wanted or series
        self._removals[deed.replica].append(removal)
        for key in [key for key in pending if key[0] == layout and _fits(removal, key[1])]:
            del pending[key]

    def _hand_over(self, replica: int) -> None:
        for removal in self._removals[replica]:
            totals = self.totals[removal[0]]
            for series in [series for series in totals if _fits(removal, series)]:
                del totals[series]
        for (layout, series), pending in self._pending[replica].items():
            total = self.totals[layout].setdefault(series, Total())
            total.amount += Fraction(repr(pending.amount))
            total.count += pending.count
            total.batches += type(pending.amount) is float
        self._pending[replica], self._removals[replica] = {}, []

    def of(self, family: int) -> Iterator[tuple[frozenset[tuple[str, str]], Total]]:
        """The totals of a family, each with its labels."""
        for (place, names), totals in self.totals.items():
            if place == family:
                for series, total in totals.items():
                    yield frozenset(zip(names, series, strict=True)), total


def place_of(deed: Deed, version: Version) -> tuple[Layout, Series]:
    """The layout and the series that a deed is about."""
    values = dict(zip(version.labels, version.values(deed.values), strict=True))
    names = tuple(sorted(values))
    return (deed.family, names), tuple(values[name] for name in names)


def _units(amount: Amount, kind: str) -> float | None:
    """What is added; None for what is refused."""
    units = amount if type(amount) is int or type(amount) is float else float_of(amount)
    if not isfinite(units) or (kind == "counter" and units < 0):
        return None
    return units


def _fits(removal: tuple[Layout, Series, Series], series: Series) -> bool:
    (_, names), wanted_names, wanted = removal
    return all(
        name not in wanted_names or value == given for name, value, given in zip(names, series, wanted, strict=True)
    )
