"""What the lines of packed series show: columns of numbers, taken out of the slots for many series at once."""

from collections.abc import Sequence
from itertools import compress, repeat
from operator import add, mul, truediv
from typing import Any

from fleetmeter.reader.digits import quotients
from fleetmeter.reader.packed import PackedNumbers, any_set, values_of
from fleetmeter.reader.places import Places
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.packing import FRACTION
from fleetmeter.schema.scale import Scale
from fleetmeter_exporter.exposition.block import picker
from fleetmeter_exporter.exposition.columns import Columns


class PackedColumns:
    """Takes the numbers of `columns` out of the slots of a layout's rows."""

    def __init__(self, columns: Columns, layout: Definition) -> None:
        self._columns = columns
        self._scale = layout.scale
        self._parts: list[list[int]] = []  # of each group the columns of its parts
        self._blocks: list[Sequence[int]] = []  # of each group the place of each row's block, or one behind all

    def learn(self, places: Places) -> bool:
        """Find the columns of all parts. False if a part can have none."""
        self._parts, self._blocks = [], []
        for group in places.groups:
            found = list(map(self._columns.of, group.shape.parts))
            self._parts.append([column for column in found if column is not None])
            if len(self._parts[-1]) < len(found):
                return False
            blocks: Sequence[int] = range(len(places))
            if len(places.groups) > 1:
                blocks = [len(group.starts)] * len(places)
                for place, row in enumerate(group.rows):
                    blocks[row] = place
            self._blocks.append(blocks)
        return True

    def of(self, numbers: PackedNumbers) -> list[Sequence[float]] | None:
        """The numbers of each line, row by row; None if no block can show them."""
        found: list[Sequence[float]] = [()] * self._columns.count
        values: list[Sequence[int]] = []
        slots = numbers.slots()
        for group, parts, blocks in zip(numbers.places.groups, self._parts, self._blocks, strict=True):
            columns: list[Sequence[int]] = [pick(slots) for pick in group.all_picks]
            if len(self._blocks) > 1:
                columns = [picker(blocks)([*column, 0]) for column in columns]
            value = group.shape.value
            values = list(map(_sum, values, columns)) if values else columns[:value]
            for place, column in zip(parts[1:], columns[value:], strict=True):
                found[place] = _sum(found[place], column) if found[place] else column
        found[self._columns.scaled] = self._shown(values) if values else ()
        none = [0] * len(numbers.places)
        return self._columns.shown([column or none for column in found])

    def _shown(self, slots: Sequence[Sequence[int]]) -> Sequence[float]:
        """Values in the family's unit. Those without a unit are `int` if they have no fraction."""
        if self._scale != Scale.FEMTO:
            return list(map(truediv, values_of(slots), repeat(self._scale)))
        high, whole, fractions = slots
        if any_set(high):
            whole = values_of([high, whole])
        if not any_set(fractions):
            return whole
        if 0 not in fractions:
            return _femto(whole, fractions)
        places = list(compress(range(len(whole)), fractions))
        pick, shown = picker(places), list[float](whole)
        for place, value in zip(places, _femto(pick(whole), pick(fractions)), strict=True):
            shown[place] = value
        return shown


def _femto(whole: Sequence[int], fractions: Sequence[int]) -> list[float]:
    """What has so many whole ones and fractions of 10^-15, rounded once."""
    return quotients(list(map(add, map(mul, whole, repeat(FRACTION)), fractions)), 15)


def _sum(some: Sequence[float], others: Sequence[int]) -> list[Any]:
    return list(map(add, some, others))
