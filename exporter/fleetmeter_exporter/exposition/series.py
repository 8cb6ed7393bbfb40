"""The series of a family's layouts, in their order, and the places of their numbers in each layout.

What is known of a series is kept from scrape to scrape. Each number has a *slot*: the number of its series times the
largest number of columns, plus its own column. If a scrape finds new fields, it parses only these.
"""

from array import array
from collections.abc import Callable, Sequence
from itertools import chain, repeat
from operator import add
from typing import Any

from fleetmeter.reader.hashes import Fields
from fleetmeter.reader.numbers import plain_values
from fleetmeter.schema.definition import Definition, series_key
from fleetmeter_exporter.exposition.block import Subject, picker
from fleetmeter_exporter.exposition.columns import Columns

Make = Callable[[int, Sequence[Sequence[str]]], list[str]]
"""Takes a layout's place and label values of series in it; returns the text before their numbers, series by series."""


class Series:
    """The series of the layouts of a subject. `width` is the number of texts that `make` returns for each series."""

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
        self._keys: list[Any] = []  # the sort key of each series, by its number
        self._starts: list[str] = []  # `width` texts for each series
        self._known = [(Fields(), array("q")) for _ in self._layouts]
        self._strays = False  # whether there may be series of which no field is known
        self.order: list[int] = []
        """The numbers of the series in their order."""
        self.before: list[int] = []
        """What `order` was before something was learnt; empty if the numbers were others."""
        self._stride = columns.most
        self.picks: list[Callable[[Sequence[float]], Sequence[float]]] = []
        """For each layout a function from its numbers, with a 0 behind them, to the columns of all series."""

    @property
    def count(self) -> int:
        """The number of series."""
        return len(self.order)

    def learn(self, fields: Sequence[Fields]) -> bool:
        """Find the series of each layout's fields. False if no writer would spell one so. Raises `UnfitName`."""
        gone = self._strays
        self.before = [*self.order]
        self._strays = True
        found = []
        for at, (some, (known, _)) in enumerate(zip(fields, self._known, strict=True)):
            places = some.places_in(known)
            slots = self._slots(at, some, places)
            if slots is None:
                return False
            gone = gone or len(places) - places.count(None) < len(known)
            found.append(slots)
        self.order += range(len(self.order), len(self._keys))
        if gone:
            found = self._without_others({slot // self._stride for slots in found for slot in slots}, found)
        self._known = [(some, array("q", slots)) for some, slots in zip(fields, found, strict=True)]
        self._strays = False
        self.order.sort(key=self._keys.__getitem__)  # of which most is in order
        if gone:
            self.before = []  # they had other numbers
        self.picks = [self._pick(slots) for slots in found]
        return True

    def _pick(self, slots: Sequence[int]) -> Callable[[Sequence[float]], Sequence[float]]:
        missing, stride = len(slots), self._stride
        places = [missing] * (len(self._keys) * stride)
        for place, slot in enumerate(slots):
            places[slot] = place
        first = self.order if stride == 1 else [number * stride for number in self.order]
        wanted = chain.from_iterable(map(add, first, repeat(column)) for column in range(self._columns.count))
        return picker(list(map(places.__getitem__, wanted)))

    def starts(self) -> list[str]:
        """The text before the numbers of all series, in their order."""
        if self._width == 1:
            return list(map(self._starts.__getitem__, self.order))
        width, starts = self._width, self._starts
        return list(chain.from_iterable(starts[number * width : (number + 1) * width] for number in self.order))

    def slots(self, at: int) -> dict[bytes, tuple[int, int]]:
        """By field of a layout: the rank of its series, and its column."""
        ranks = {number: rank for rank, number in enumerate(self.order)}
        fields, slots = self._known[at]
        pairs = (divmod(slot, self._stride) for slot in slots)
        return {field: (ranks[number], column) for field, (number, column) in zip(fields, pairs, strict=True)}

    def _slots(self, at: int, fields: Fields, places: Sequence[int | None]) -> list[int] | None:
        """The slots of fields. `places` are their places among the known fields, None for a new field."""
        known = self._known[at][1]
        slots: list[Any] = [known[place] if place is not None else None for place in places] if known else []
        new = [place for place, slot in enumerate(slots) if slot is None] if slots else range(len(fields))
        apart = self._parted if self._layouts[at].has_parts else self._whole
        made = apart(at, [fields[place] for place in new] if slots else fields)
        if made is None or not slots:
            return made
        for place, slot in zip(new, made, strict=True):
            slots[place] = slot
        return slots

    def _whole(self, at: int, fields: list[bytes]) -> list[int] | None:
        """The slots of new fields of series that have one number each."""
        values = plain_values(self._layouts[at], fields)
        return None if values is None else self._add(at, fields, values)

    def _parted(self, at: int, fields: list[bytes]) -> list[int] | None:
        """The slots of new fields of series that have several numbers each.

        A field is the text of its series, and a tail with the part. Only one field of each series and one of each tail
        are parsed.
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
        stride, columns = self._stride, self._tails
        return [numbers[key] * stride + columns[tail] for key, tail in zip(keys, tails, strict=True)]

    def _column(self, layout: Definition, field: bytes) -> int | None:
        values = plain_values(layout, [field])
        return self._columns.of(values[0][-1]) if values is not None else None

    def _add(self, at: int, keys: Sequence[bytes], values: Sequence[Sequence[str]]) -> list[int]:
        """The numbers of series. New series get one; if two layouts share a series, the first layout's text is kept."""
        numbers = self._numbers[self._set_of[at]]
        if numbers:
            new = [(key, own) for key, own in zip(keys, values, strict=True) if key not in numbers]
            fresh, values = [key for key, _ in new], [own for _, own in new]
        else:
            fresh = list(keys)
        self._starts += self._make(at, values)
        numbers.update(zip(fresh, range(len(self._keys), len(self._keys) + len(fresh)), strict=True))
        single = len(self._sets) == 1
        self._keys += fresh if single else [(key, self._pairs(at, own)) for key, own in zip(fresh, values, strict=True)]
        return [numbers[key] for key in keys]

    def _pairs(self, at: int, values: Sequence[str]) -> tuple[tuple[str, str], ...]:
        """The labels of a series in the order of display, to sort by: two sets of labels may have equal fields."""
        own = dict(zip(sorted(self._layouts[at].labels), values, strict=True))
        return tuple((name, own[name]) for name in self._display[self._set_of[at]])

    def _without_others(self, here: set[int], found: list[list[int]]) -> list[list[int]]:
        """Forget the series that are not `here`, and give the others new numbers. Returns the new slots of `found`."""
        kept = sorted(here)
        anew = {number: place for place, number in enumerate(kept)}
        width, stride = self._width, self._stride
        self._keys = [self._keys[number] for number in kept]
        self._starts = list(chain.from_iterable(self._starts[n * width : (n + 1) * width] for n in kept))
        self.order = [anew[number] for number in self.order if number in anew]
        self._numbers = [
            {key: anew[number] for key, number in numbers.items() if number in anew} for numbers in self._numbers
        ]
        return [[anew[slot // stride] * stride + slot % stride for slot in slots] for slots in found]
