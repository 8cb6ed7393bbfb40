"""The series of a family's layouts: which there are, in their order, and where each layout has their numbers.

What is known of a series stays between two scrapes. Each number has a *slot*: the number of its series times `MOST`,
plus its column. So a scrape that finds new fields takes apart those, and finds the others' slots in a dict.
"""

from array import array
from collections.abc import Callable, Sequence
from itertools import chain, repeat
from operator import add, floordiv
from typing import Any

from fleetmeter.reader.numbers import plain_values
from fleetmeter.schema.definition import Definition, series_key
from fleetmeter_exporter.exposition.block import Subject, picker
from fleetmeter_exporter.exposition.columns import Columns

MOST = 4096
"""Columns that a series may have."""

Make = Callable[[int, Sequence[Sequence[str]]], list[list[str]]]
"""Given a layout's place and label values of series in it: what stands before the numbers of each."""


class Series:
    """The series of the layouts of a subject. `width` is how many texts `make` makes of each series."""

    def __init__(self, subject: Subject, columns: Columns, make: Make, width: int) -> None:
        self._layouts, self._columns, self._make, self._width = subject.layouts, columns, make, width
        sets = [frozenset(layout.labels) for layout in self._layouts]
        self._sets = {labels: place for place, labels in enumerate(dict.fromkeys(sets))}
        self._set_of = [self._sets[labels] for labels in sets]  # layouts of one set of labels share series
        self._display = [tuple[str, ...]()] * len(self._sets)
        for definition in (*reversed(self._layouts), subject.newest):
            labels = frozenset(definition.labels)
            if labels in self._sets:
                self._display[self._sets[labels]] = definition.labels
        self._numbers: list[dict[bytes, int]] = [{} for _ in self._sets]
        self._tails: dict[bytes, int] = {}
        self._keys: list[Any] = []  # by number: what a series is sorted by
        self._starts: list[str] = []  # so many for each series
        self._known = [(list[bytes](), array("q")) for _ in self._layouts]
        self._order: list[int] = []
        self.picks: list[Callable[[Sequence[float]], Sequence[float]]] = []
        """By layout: what takes its numbers, and behind them a 0 for what is missing, to columns of all series."""

    @property
    def count(self) -> int:
        """How many series there are."""
        return len(self._order)

    def learn(self, fields: Sequence[list[bytes]]) -> bool:
        """Find the series of each layout's fields; False if one is not as a writer spells it. Raises `UnfitName`."""
        found = []
        for at, some in enumerate(fields):
            slots = self._slots(at, some)
            if slots is None:
                return False
            found.append(slots)
        here = set(map(floordiv, chain.from_iterable(found), repeat(MOST)))
        if len(here) < len(self._keys):
            found = self._without_others(here, found)
        self._known = [(some, array("q", slots)) for some, slots in zip(fields, found, strict=True)]
        self._order = sorted(range(len(self._keys)), key=self._keys.__getitem__)
        first = [number * MOST for number in self._order]
        self.picks = []
        for slots in found:
            places = dict(zip(slots, range(len(slots)), strict=True))
            wanted = chain.from_iterable(map(add, first, repeat(column)) for column in range(self._columns.count))
            self.picks.append(picker(list(map(places.get, wanted, repeat(len(slots))))))
        return True

    def starts(self) -> list[str]:
        """What stands before the numbers of all series, in their order."""
        if self._width == 1:
            return list(map(self._starts.__getitem__, self._order))
        width, starts = self._width, self._starts
        return list(chain.from_iterable(starts[number * width : (number + 1) * width] for number in self._order))

    def slots(self, at: int) -> dict[bytes, tuple[int, int]]:
        """By field of a layout: the rank of its series, and its column."""
        ranks = {number: rank for rank, number in enumerate(self._order)}
        fields, slots = self._known[at]
        return {field: (ranks[slot // MOST], slot % MOST) for field, slot in zip(fields, slots, strict=True)}

    def _slots(self, at: int, fields: list[bytes]) -> list[int] | None:
        known = dict(zip(*self._known[at], strict=True))
        slots: list[Any] = list(map(known.get, fields))
        new = [place for place, slot in enumerate(slots) if slot is None]
        if new:
            apart = self._parted if self._layouts[at].has_parts else self._whole
            made = apart(at, [fields[place] for place in new])
            if made is None:
                return None
            for place, slot in zip(new, made, strict=True):
                slots[place] = slot
        return slots

    def _whole(self, at: int, fields: list[bytes]) -> list[int] | None:
        """The slots of new fields of series that have one number each."""
        values = plain_values(self._layouts[at], fields)
        if values is None:
            return None
        self._add(at, fields, values)
        return [self._numbers[self._set_of[at]][field] * MOST for field in fields]

    def _parted(self, at: int, fields: list[bytes]) -> list[int] | None:
        """The slots of new fields of series that have several.

        A field is what its series begins with, and a tail: one of each is taken apart, and no other.
        """
        layout, numbers = self._layouts[at], self._numbers[self._set_of[at]]
        keys = [series_key(field, has_part=True) for field in fields]
        tails = [field[len(key) :] for field, key in zip(fields, keys, strict=True)]
        one_of_each = {key: field for key, field in zip(keys, fields, strict=True) if key not in numbers}
        values = plain_values(layout, list(one_of_each.values())) if one_of_each else []
        if values is None:
            return None
        for tail, field in {
            tail: field for tail, field in zip(tails, fields, strict=True) if tail not in self._tails
        }.items():
            column = self._column(layout, field)
            if column is None:
                return None
            self._tails[tail] = column
        self._add(at, list(one_of_each), [texts[:-1] for texts in values])
        return [numbers[key] * MOST + self._tails[tail] for key, tail in zip(keys, tails, strict=True)]

    def _column(self, layout: Definition, field: bytes) -> int | None:
        values = plain_values(layout, [field])
        column = self._columns.of(values[0][-1]) if values is not None else None
        return column if column is not None and column < MOST else None

    def _add(self, at: int, keys: Sequence[bytes], values: Sequence[Sequence[str]]) -> None:
        """Give numbers to the series that are new; of two layouts that share one, the first has it."""
        group = self._set_of[at]
        numbers = self._numbers[group]
        new = [place for place, key in enumerate(keys) if key not in numbers]
        starts = self._make(at, [values[place] for place in new])
        for place, made in zip(new, starts, strict=True):
            key = keys[place]
            numbers[key] = len(self._keys)
            self._keys.append(key if len(self._sets) == 1 else (key, self._pairs(at, values[place])))
            self._starts += made

    def _pairs(self, at: int, values: Sequence[str]) -> tuple[tuple[str, str], ...]:
        """The labels of a series in the order in which they are displayed: two sets of labels may have equal fields."""
        own = dict(zip(sorted(self._layouts[at].labels), values, strict=True))
        return tuple((name, own[name]) for name in self._display[self._set_of[at]])

    def _without_others(self, here: set[int], found: list[list[int]]) -> list[list[int]]:
        """Forget the series that are not here, and number the others anew; the slots of those."""
        kept = sorted(here)
        anew = {number: place for place, number in enumerate(kept)}
        width = self._width
        self._keys = [self._keys[number] for number in kept]
        self._starts = list(chain.from_iterable(self._starts[n * width : (n + 1) * width] for n in kept))
        self._numbers = [
            {key: anew[number] for key, number in numbers.items() if number in anew} for numbers in self._numbers
        ]
        return [[anew[slot // MOST] * MOST + slot % MOST for slot in slots] for slots in found]
