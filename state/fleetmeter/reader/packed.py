"""The numbers of a packed layout from read to read, as a hash: what the slots hold, by the fields of a hash layout.

So whatever is made of a hash's fields and texts is made of these in the same way; see `schema/packing.py`.
"""

import sys
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from operator import add, itemgetter, mul
from typing import Any

from fleetmeter.connection.multi_exec import Command
from fleetmeter.errors import StateError
from fleetmeter.reader.fields import Fields
from fleetmeter.reader.hashes import Hash, something_else
from fleetmeter.reader.names import Names
from fleetmeter.schema.definition import Definition, compact_json
from fleetmeter.schema.packing import BASE, FRACTION, SLOT

Pick = Callable[[Sequence[int]], Sequence[int]]
"""Takes slots out of all slots."""


class PackedLayout:
    """Follows one packed layout from read to read. `keys` are those of `Keys.packed`."""

    def __init__(self, layout: Definition, keys: tuple[str, str, str]) -> None:
        self._layout = layout
        self._numbers_key, _, self._names_key = keys
        self._fields = Fields()
        self._columns: list[tuple[int, list[Pick]]] = []
        self._merged: list[int] | None = None
        self._shown: tuple[bytes, Hash] | None = None
        self._problem: StateError | None = None
        self._forget()

    @property
    def commands(self) -> list[Command]:
        """What is to be read: two commands."""
        return [("GET", self._numbers_key), ("LRANGE", self._names_key, self._names.first, -1)]

    def goes_on(self, names: Any) -> bool:
        """Take in the reply to the second command. False if the layout must be asked for again, from the beginning."""
        self._problem = None
        try:
            if isinstance(names, Exception):
                raise something_else(self._names_key, names)
            if not self._names.goes_on(names):
                self._forget()
                return False
            if self._names.learn(names):
                self._arrange()
        except StateError as error:
            self._forget()
            self._problem = error
        return True

    def hash(self, numbers: Any) -> Hash:
        """All numbers in stored units, given the reply to the first command and after `goes_on`.

        There are none if one of the keys is missing, or does not fit the other: part of the layout was evicted. Raises
        `StateError` for what is no packed layout.
        """
        if isinstance(numbers, Exception):
            raise something_else(self._numbers_key, numbers)
        if self._problem is not None:
            raise self._problem
        raw = numbers or b""
        if len(raw) != SLOT * self._names.slots:
            raw, found = b"", Hash([], [])
        elif self._shown is not None and self._shown[0] == raw and self._shown[1].fields is self._fields:
            return self._shown[1]
        else:
            found = self._made(raw)
        self._shown = raw, found
        return found

    def _forget(self) -> None:
        self._names = Names(self._names_key, self._layout)
        self._problem = None
        self._arrange()

    def _made(self, raw: bytes) -> Hash:
        numbers = self._values(slots_of(raw))
        texts = list(map(b"%d".__mod__, numbers))
        made = Hash(self._fields, texts)
        made.__dict__["numbers"] = numbers
        return made

    def _arrange(self) -> None:
        """Find out where the numbers stand. Each shape has its columns: one of each part, with all of its series."""
        by_shape: dict[int, tuple[list[int], list[bytes]]] = {}
        for slot, (number, series) in self._names.blocks.items():
            starts, keys = by_shape.setdefault(number, ([], []))
            starts.append(slot)
            keys.append(series)
        fields: list[bytes] = []
        self._columns = []
        for number in sorted(by_shape):
            shape, (starts, keys) = self._names.shapes[number], by_shape[number]
            self._columns.append((shape.value, [picker(starts, shape.slots, at) for at in range(shape.slots)]))
            ends = [part_end(part) for part in shape.parts]
            fields += [field_of(series, end) for series in keys for end in ends] if shape.parts != ("",) else keys
        distinct = list(dict.fromkeys(fields))
        self._merged = None
        if len(distinct) < len(fields):  # a series has blocks of several shapes, whose equal parts are added up
            place = {field: at for at, field in enumerate(distinct)}
            self._merged = [place[field] for field in fields]
        self._fields = Fields.after(self._fields, distinct)

    def _values(self, slots: Sequence[int]) -> list[int]:
        """The numbers in the order of the fields."""
        found: list[int] = []
        for value, picks in self._columns:
            columns = [values_of([pick(slots) for pick in picks[:value]]), *(pick(slots) for pick in picks[value:])]
            rows = [0] * (len(columns) * len(columns[0]))
            for at, column in enumerate(columns):
                rows[at :: len(columns)] = column
            found += rows
        if self._merged is None:
            return found
        sums = [0] * len(self._fields)
        for at, number in zip(self._merged, found, strict=True):
            sums[at] += number
        return sums


def slots_of(raw: bytes) -> "array[int]":
    """The slots of a string of numbers."""
    slots = array("q", raw)
    if sys.byteorder == "little":
        slots.byteswap()
    return slots


def values_of(columns: Sequence[Sequence[int]]) -> list[int]:
    """The values in stored units, given their slots: all high ones, all whole ones and perhaps all remainders."""
    high, whole, *remainders = columns
    values: Iterable[int] = whole
    if any(high):
        values = map(add, map(mul, high, repeat(BASE)), whole)
    for remainder in remainders:
        values = map(add, map(mul, values, repeat(FRACTION)), remainder)
    return list(values)


def picker(starts: Sequence[int], step: int, offset: int) -> Pick:
    """What takes the slot at an offset of each block that begins at one of `starts`; blocks have `step` slots."""
    places = [start + offset for start in starts]
    if places == list(range(places[0], places[-1] + 1, step)):
        return itemgetter(slice(places[0], places[-1] + 1, step))
    return itemgetter(*places)


def part_end(part: str) -> bytes:
    """What the field of a part ends with."""
    return compact_json([part]).encode()[1:]


def field_of(series: bytes, end: bytes) -> bytes:
    """The field of a part, given that of its series; see `Definition.series_field`."""
    return series[:-1] + b"," + end if series != b"[]" else b"[" + end
