"""What a fleet does, whatever the format of its numbers."""

from dataclasses import dataclass
from decimal import Decimal

from fleetmeter_exporter.exposition.formats import Format

Amount = int | float | Decimal


@dataclass(frozen=True)
class Version:
    """A family as one replica declares it: the arguments of prometheus_client's class."""

    kind: str
    name: str
    help: str
    unit: str
    labels: tuple[str, ...]
    bounds: tuple[float, ...] = ()

    def values(self, drawn: tuple[str, ...]) -> tuple[str, ...]:
        """The label values of a series, given some for every label that any version has."""
        return drawn[: len(self.labels)]


@dataclass(frozen=True)
class Deed:
    """One step of a replica, or `scrape`, which is nobody's.

    A replica can `record`, `remove` a series, remove those with a value of the first label (`match`), `clear` a family,
    and `flush`.
    """

    what: str
    replica: int = 0
    family: int = 0
    values: tuple[str, ...] = ()
    amount: Amount = 1
    exemplar: str | None = None


@dataclass(frozen=True)
class Plan:
    """Families, each as the replicas declare it; and what happens, the last scrape included.

    `loose` are the families with amounts whose sum depends on the format: fractions without a unit, and what is too
    large for a field. With a `bound` on label sets some series share one. `both` says whether it is done by replicas of
    both formats in one namespace, too.
    """

    form: Format
    created: bool
    bound: int
    families: tuple[tuple[Version, ...], ...]
    deeds: tuple[Deed, ...]
    loose: frozenset[int] = frozenset()
    both: bool = True
