"""A packed layout as writers leave it in the store, made in memory and written with plain commands."""

import json
import struct
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Self

from fleetmeter.schema.definition import Definition, compact_json
from fleetmeter.schema.keys import Keys
from fleetmeter.schema.packing import (
    SLOT,
    STATE,
    Shape,
    digest_of,
    index_entry,
    joined_value,
    room_for,
    shape_of,
    split_value,
)
from support.names import lines_of

_AT_ONCE = 5_000


class Blocks:
    """The slots, names and series of a packed layout. Nothing is in the store before `store`.

    Series that come one after the other are one entry of the names, of at most `together`, as if a writer sent them in
    one call; what came before `names` was looked at is another call.
    """

    def __init__(self, definition: Definition, beginning: str = "1", together: int = 200) -> None:
        self.definition = definition
        self.slots: list[int] = []
        self.shapes: list[Shape] = []
        self.blocks: dict[tuple[str, Shape], int] = {}
        self._together = together
        self._names: list[str] = []
        self._coming: list[str] = []
        self._coming_as = ""
        self.generation = self.append(f"g {beginning}")

    @property
    def names(self) -> list[str]:
        """The list of names."""
        self._end_entry()
        return self._names

    def append(self, what: str) -> str:
        """Append an entry to the names, whatever it says; its digest."""
        self._end_entry()
        return self._append(what)

    def _append(self, what: str) -> str:
        digest = digest_of(self._names[-1][:16] if self._names else "", what)
        self._names.append(f"{digest} {what}")
        return digest

    def _end_entry(self) -> None:
        """Let what comes from now on be an entry of its own."""
        if self._coming:
            lines = lines_of(series.encode() for series in self._coming)
            self._append(self._coming_as + lines.decode(errors="surrogateescape"))
            self._coming = []

    def add(self, values: Sequence[str], amounts: Mapping[str, int], bounds: Sequence[str] | None = None) -> Self:
        """Add amounts in stored units to a series; `bounds` are those of its block, if they are not the definition's.

        The parts are as in `Shape`: `""` for a counter.
        """
        shape = shape_of(self.definition, self.definition.bounds if bounds is None else bounds)
        slot = self._block(self.definition.series_field(values), shape)
        for part, amount in amounts.items():
            at = shape.parts.index(part)
            if at:
                self.slots[slot + shape.value + at - 1] += amount
            else:
                units = joined_value(self.slots[slot : slot + shape.value]) + amount
                self.slots[slot : slot + shape.value] = split_value(units, shape.value)
        return self

    def remove(self, values: Sequence[str]) -> Self:
        """Remove a series with all of its blocks."""
        series = self.definition.series_field(values)
        for key in [key for key in self.blocks if key[0] == series]:
            slot = self.blocks.pop(key)
            self.slots[slot : slot + key[1].slots] = [0] * key[1].slots
            self.generation = self.append(f"d {slot}")
        return self

    def copy(self) -> Self:
        """The same, to be changed apart from this one."""
        return deepcopy(self)

    def raw(self) -> bytes:
        """The string of numbers."""
        return struct.pack(f">{len(self.slots)}q", *self.slots).ljust(SLOT * room_for(len(self.slots)), b"\0")

    def store(self, client: Any, keys: Keys, defined_us: int = 1) -> Self:
        """Put all of it into the store, in the place of what is there, with its definition."""
        field = self.definition.field
        numbers, series, names = keys.packed(field)
        index: dict[str, str] = {}
        for (key, shape), slot in self.blocks.items():
            place, entry = index_entry(key, self.shapes.index(shape), slot)
            index[place] = index.get(place, "") + entry
        pipeline = client.pipeline(transaction=True)
        pipeline.hset(keys.families, field, f"1 {defined_us} {self.definition.to_json()}")
        pipeline.delete(numbers, series, names)
        pipeline.set(numbers, self.raw())
        for first in range(0, len(self.names), _AT_ONCE):
            entries = self.names[first : first + _AT_ONCE]
            pipeline.rpush(names, *(entry.encode(errors="surrogateescape") for entry in entries))
        living = len({key for key, _ in self.blocks})
        ends = f"{len(self.names)} {self.names[-1][:16]} {len(self.slots)} {len(self.shapes)}"
        dead = len(self.slots) - sum(shape.slots for _, shape in self.blocks)
        state = f"{self.generation} {ends} {living} {dead}"
        shapes = {f"@shape {shape.text()}": at for at, shape in enumerate(self.shapes)}
        fields = {STATE: state, **shapes, **index}
        pairs = [part for pair in fields.items() for part in pair]
        for first in range(0, len(pairs), 2 * _AT_ONCE):
            pipeline.hset(series, items=pairs[first : first + 2 * _AT_ONCE])
        pipeline.execute()
        return self

    def _block(self, series: str, shape: Shape) -> int:
        found = self.blocks.get((series, shape))
        if found is not None:
            return found
        if shape not in self.shapes:
            self.append(f"s {shape.text()}")
            self.shapes.append(shape)
        slot = self.blocks[series, shape] = len(self.slots)
        number = self.shapes.index(shape)
        if len(self._coming) == self._together or (self._coming and self._coming_as.split(" ")[2] != str(number)):
            self._end_entry()
        if not self._coming:
            self._coming_as = f"c {slot} {number} "
        self._coming.append(series)
        self.slots += [0] * shape.slots
        return slot


def packed(name: str, kind: str, labels: Sequence[str] = (), bounds: Sequence[str] = (), unit: str = "") -> Definition:
    """A packed layout."""
    return Definition.of(name, kind, "Help.", unit, labels, bounds, "", packed=True)


def like_a_hash(blocks: Blocks) -> dict[bytes, bytes]:
    """The numbers as a hash of the same layout would hold them."""
    found: dict[str, int] = {}
    for (series, shape), slot in blocks.blocks.items():
        values = [joined_value(blocks.slots[slot : slot + shape.value])]
        values += blocks.slots[slot + shape.value : slot + shape.slots]
        for part, value in zip(shape.parts, values, strict=True):
            field = series if part == "" else _with_part(series, part)
            found[field] = found.get(field, 0) + value
    return {field.encode(): str(value).encode() for field, value in found.items()}


def _with_part(series: str, part: str) -> str:
    return compact_json([*json.loads(series), part])
