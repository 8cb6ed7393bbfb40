"""Which kind of cell a metric's value gets: an amount, which grows, or a level, which is replaced."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fleetmeter.schema.scale import Scale
from fleetmeter.values.amounts import Amount, Money, Seconds
from fleetmeter.values.levels import InfoLevel, Level, State
from fleetmeter.values.packed_amounts import Count, Number, PackedMoney, PackedSeconds

if TYPE_CHECKING:
    from fleetmeter.schema.definition import Definition
    from fleetmeter.values.accumulator import Accumulator

_AMOUNTS = {Scale.PLAIN: Amount, Scale.MICRO: Seconds, Scale.NANO: Money}
_PACKED = {Scale.PLAIN: Count, Scale.FEMTO: Number, Scale.MICRO: PackedSeconds, Scale.NANO: PackedMoney}


def cell_of(
    accumulator: "Accumulator", definition: "Definition", labelvalues: Sequence[str], part: str | None
) -> Amount | Level:
    """The cell for one value. Its kind depends on the family's type, its scale and the part of the series."""
    if definition.type == "info":
        return InfoLevel(accumulator, definition, labelvalues)
    if definition.type == "stateset":
        return State(accumulator, definition, labelvalues)
    if definition.type == "gauge":
        return Level(accumulator, definition, labelvalues)
    scaled = part is None or part == "sum"
    kinds = _PACKED if definition.packed else _AMOUNTS
    return kinds[Scale(definition.scale) if scaled else Scale.PLAIN](accumulator, definition, labelvalues, part)
