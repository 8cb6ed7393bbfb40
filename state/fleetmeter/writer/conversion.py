"""Moves what old writers left in hashes to packed numbers, a few fields at a time, once nobody writes fields any more.

A step reads fields of a hash, works out what their texts mean, and asks the store to move those that still have the
same text (lua/convert.lua). So a step is right whenever and however often it arrives: what it adds is what it takes
away. If an old writer comes back, there is a hash again, and it is converted again.
"""

import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from time import monotonic
from typing import Protocol

from fleetmeter.errors import StateError
from fleetmeter.schema.definition import Definition, StoredDefinition, compact_json, read_json, texts_of
from fleetmeter.schema.packing import FRACTION, LARGEST_WHOLE, Shape, shape_of, split_value
from fleetmeter.schema.rows import Row, rows_of
from fleetmeter.schema.scale import ADDED_TYPES, Scale
from fleetmeter.schema.units import exact_units

EVERY = 60.0
"""Seconds between two looks for something to convert."""

AGAIN = 10.0
"""Seconds for which one look holds: then it is found out anew whether all living writers pack their numbers."""

FIELDS_PER_STEP = 50
"""Fields that one call moves, at most: they keep the store for about a millisecond, if all are of new series."""

STEPS = 10
"""Steps after one hand-over, at most."""

_LARGEST_COUNT = 2**62
"""Counts of observations that are moved are below this, and above its negative."""


@dataclass(frozen=True)
class Twins:
    """A layout whose numbers are fields of a hash, and the same layout packed."""

    fields: Definition
    packed: Definition


@dataclass(frozen=True)
class Moved:
    """A field of a hash: its text, and what that adds to the block of a series, by place."""

    field: str
    text: str
    series: str
    amounts: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Convert:
    """Fields to move from one layout to another, by the shape of their blocks."""

    epoch: str
    writer: str
    twins: Twins
    moved: Mapping[Shape, Sequence[Moved]]


class Converted(Protocol):
    """What a conversion asks of a store; see `Store`."""

    packed: bool

    def rows(self) -> Mapping[bytes, bytes]:
        """The rows of all writers."""

    def definitions(self) -> Mapping[bytes, bytes]:
        """The families, as they are stored."""

    def lengths(self, fields: Sequence[str]) -> Sequence[int]:
        """How many fields the hashes of these layouts have."""

    def some_fields(self, field: str, cursor: int, count: int) -> tuple[int, Mapping[bytes, bytes]]:
        """Some fields of a layout's hash, and where to go on: at the end that is 0."""

    def convert(self, call: Convert) -> None:
        """Move what still stands as the call says."""


class Converter:
    """Converts the hashes of one namespace, if all living writers pack their numbers, and this is the first of them.

    The first is the one with the lowest id: so one of them does it, and if it dies, another one goes on.
    """

    def __init__(self, store: Converted, clock: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._clock = clock
        self._next: float | None = None
        self._until = 0.0
        self._left: deque[_Scan] = deque()

    def look(self, epoch: str, writer: str, store_now_us: int) -> None:
        """Do some steps if it is time, and if there is something to convert. Raises `StoreError`."""
        if not self._store.packed:
            return
        now = self._clock()
        if self._next is None:
            self._next = now + random.uniform(0.2, 1.0) * EVERY  # noqa: S311  spreads the replicas, no secret
        if now >= (self._until if self._left else self._next):
            self._next = now + random.uniform(0.8, 1.2) * EVERY  # noqa: S311
            self.find(writer, store_now_us)
        for _ in range(STEPS):
            if not self.step(epoch, writer):
                return

    def find(self, writer: str, store_now_us: int) -> None:
        """Find out what is to be converted now by this writer."""
        self._left.clear()
        self._until = self._clock() + AGAIN
        defined = twins_of(self._store.definitions())
        lengths = self._store.lengths([twins.fields.field for twins in defined])
        filled = [twins for twins, length in zip(defined, lengths, strict=True) if length]
        if filled and converts(writer, self._store.rows(), store_now_us):
            self._left.extend(map(_Scan, filled))

    def step(self, epoch: str, writer: str) -> bool:
        """One call to the store, if there is something left to do; whether there was. Raises `StoreError`."""
        if not self._left:
            return False
        scan = self._left[0]
        moved = scan.next_fields(self._store)
        if scan.over:
            self._left.popleft()
        if moved:
            self._store.convert(Convert(epoch, writer, scan.twins, moved))
        return True


class _Scan:
    """The way through one hash."""

    def __init__(self, twins: Twins) -> None:
        self.twins = twins
        self.over = False
        """Whether all of it was read, and handed on."""
        self._cursor: int | None = None
        self._read: list[tuple[bytes, bytes]] = []
        self._reading = Reading(twins)

    def next_fields(self, store: Converted) -> dict[Shape, list[Moved]]:
        """The next fields that can be moved, `FIELDS_PER_STEP` at most; there may be none of them."""
        if not self._read and self._cursor != 0:
            self._cursor, found = store.some_fields(self.twins.fields.field, self._cursor or 0, FIELDS_PER_STEP)
            self._read = list(found.items())
        part, self._read = self._read[:FIELDS_PER_STEP], self._read[FIELDS_PER_STEP:]
        self.over = self._cursor == 0 and not self._read
        moved: dict[Shape, list[Moved]] = {}
        for field, text in part:
            found_place = self._reading.of(field, text)
            if found_place is not None:
                shape, one = found_place
                moved.setdefault(shape, []).append(one)
        return moved


class Reading:
    """What the fields of a hash mean as amounts of packed blocks."""

    def __init__(self, twins: Twins) -> None:
        layout = twins.packed
        self._layout = layout
        self._factor = FRACTION if layout.scale == Scale.FEMTO else 1
        shapes = {shape_of(layout, layout.bounds), shape_of(layout, twins.fields.bounds)}
        self._places: dict[str, tuple[Shape, int]] = {}
        self._value = next(iter(shapes)).value
        for shape in sorted(shapes, key=lambda shape: (-len(shape.parts), shape.parts)):
            for index, part in enumerate(shape.parts):
                self._places.setdefault(part, (shape, index))

    def of(self, raw_field: bytes, raw_text: bytes) -> tuple[Shape, Moved] | None:
        """Where a field goes, by the shape of its block; None for one that stays where it is.

        That is a field that is no number of a series as our writers spell it, a text that is not exactly a whole number
        of units, and an amount that is too large.
        """
        try:
            field, text = raw_field.decode(), raw_text.decode()
            values = texts_of(read_json(field))
            spelled = compact_json(values) == field
            part = values.pop() if self._layout.has_parts else ""
            known = self._places.get(part) or self._alone(part)
        except (ValueError, TypeError, IndexError):
            return None
        if not spelled or known is None or len(values) != len(self._layout.labels):
            return None
        shape, index = known
        amounts = self._amounts(raw_text, shape, index)
        return None if amounts is None else (shape, Moved(field, text, compact_json(values), amounts))

    def _alone(self, part: str) -> tuple[Shape, int] | None:
        """The place of a bucket of bounds that nobody has any more: in a block of its own, as writers do it."""
        if self._layout.type != "histogram" or isnan(float(part)):
            return None
        self._places[part] = Shape(self._value, tuple(dict.fromkeys(("sum", part, "+Inf")))), 1
        return self._places[part]

    def _amounts(self, text: bytes, shape: Shape, index: int) -> tuple[tuple[int, int], ...] | None:
        units = exact_units(text, self._factor if index == 0 else 1)
        if units is None:
            return None
        if index:
            fits = abs(units) < _LARGEST_COUNT
            return (((shape.value + index - 1, units),) if units else ()) if fits else None
        if abs(units) > LARGEST_WHOLE * self._factor:
            return None
        return tuple((place, amount) for place, amount in enumerate(split_value(units, shape.value)) if amount)


def twins_of(definitions: Mapping[bytes, bytes]) -> list[Twins]:
    """The layouts that are defined in both formats."""
    found = {stored.definition.field: stored.definition for stored in _readable(definitions)}
    pairs = ((layout, layout.twin) for layout in found.values() if not layout.packed and layout.type in ADDED_TYPES)
    return [Twins(layout, found[twin.field]) for layout, twin in pairs if twin is not None and twin.field in found]


def converts(writer: str, rows: Mapping[bytes, bytes], now_us: int) -> bool:
    """Whether this writer is the one that converts: all living writers pack their numbers, and it is the first."""
    living: list[str] = []
    for raw, text in rows_of(rows).items():
        try:
            name = raw.decode()
            row = Row.parse(name, text.decode())
        except (StateError, UnicodeDecodeError):
            return False  # whose numbers may be anywhere
        if row.alive(now_us):
            if not row.packs:
                return False
            living.append(name)
    return min(living, default="") == writer


def _readable(definitions: Mapping[bytes, bytes]) -> Iterator[StoredDefinition]:
    for raw, text in definitions.items():
        try:
            yield StoredDefinition.parse(raw.decode(), text.decode())
        except (StateError, UnicodeDecodeError):
            continue  # the scrape says what is wrong with it
