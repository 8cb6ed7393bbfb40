"""Which cell stands behind a value of a metric: an amount, which grows, or a level, which is replaced."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from fleetmeter.schema.scale import Scale
from fleetmeter.values.amounts import Amount, Money, Seconds
from fleetmeter.values.levels import Facts, Level, State

if TYPE_CHECKING:
    from fleetmeter.schema.definition import Definition
    from fleetmeter.values.accumulator import Accumulator
    from fleetmeter.values.batch import Batch

_AMOUNTS = {Scale.PLAIN: Amount, Scale.MICRO: Seconds, Scale.NANO: Money}


class Cell(Protocol):
    """One value of one metric in this process."""

    definition: "Definition"
    labelvalues: Sequence[str]
    dirty: bool
    quiet: bool

    def take(self) -> Any:
        """What is pending, which is pending no longer; called under the lock."""

    def drop(self) -> None:
        """Let go of what is pending and cannot be taken."""

    def put(self, batch: "Batch", taken: Any) -> None:
        """Put what was taken into a batch; called without the lock."""

    def forget(self) -> None:
        """Start from nothing, as a forked child does."""


def cell_of(
    accumulator: "Accumulator", definition: "Definition", labelvalues: Sequence[str], part: str | None
) -> Amount | Level:
    """The cell for one value: its kind follows from the family's type, its scale and the part of the series."""
    if definition.type == "info":
        return Facts(accumulator, definition, labelvalues)
    if definition.type == "stateset":
        return State(accumulator, definition, labelvalues)
    if definition.type == "gauge":
        return Level(accumulator, definition, labelvalues)
    scaled = part is None or part == "sum"
    return _AMOUNTS[Scale(definition.scale) if scaled else Scale.PLAIN](accumulator, definition, labelvalues, part)
