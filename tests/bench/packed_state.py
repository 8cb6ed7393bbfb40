"""The same numbers twice: as fields of hashes, and packed; each in a namespace of its own, changed alike."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

from bench.shape import Shape
from fleetmeter.connection.client import connect
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.keys import EPOCH_FIELD, STATE_FORMAT
from fleetmeter.schema.packing import shape_of
from support.blocks import Blocks
from support.store import StoreAddress

_BIRTH_US = 1_790_000_000_000_000
_ALIVE_US = 4_102_444_800_000_000
"""A heartbeat in the year 2100."""

_AT_ONCE = 5_000


class Twins:
    """Two namespaces of a store with the same series and numbers, and so many living writers."""

    def __init__(self, url: str, shapes: Sequence[Shape], writers: int) -> None:
        self.fields, self.packed = StoreAddress(url, "as-fields"), StoreAddress(url, "packed")
        self._client: Any = connect(url)
        self._dice = random.Random(0)
        self._writers = [f"writer-{number}" for number in range(writers)]
        self._rows = 0
        self._shapes = shapes
        self._blocks = [Blocks(_packed(shape.definition)) for shape in shapes]
        self._numbers: list[tuple[int, str, int, int]] = []
        for at, shape in enumerate(shapes):
            text = f"{_BIRTH_US} {_BIRTH_US} {shape.definition.to_json()}"
            self._client.hset(self.fields.keys.families, shape.definition.field, text)
            self._numbers += self._made(at, shape)
        for keys in (self.fields.keys, self.packed.keys):
            self._client.hset(keys.writers, EPOCH_FIELD, f"epoch {_BIRTH_US} {STATE_FORMAT}")
        self._add(self._numbers, 10**6)
        self._write(whole=True)
        self.beat()

    def change(self, share: float) -> None:
        """Add to that share of the numbers, as they would grow between two scrapes."""
        if share:
            self._add(self._dice.sample(self._numbers, round(share * len(self._numbers))), 100)
            self._write()

    def beat(self) -> None:
        """Let every writer give a sign of life."""
        self._rows += 1
        rows = dict.fromkeys(self._writers, f"{self._rows} 0 {_ALIVE_US} alive")
        for keys in (self.fields.keys, self.packed.keys):
            self._client.hset(keys.writers, mapping=rows)

    def megabytes(self) -> tuple[float, float]:
        """What the numbers take in the store: as fields, packed."""
        fields = [self.fields.keys.family(shape.definition.field) for shape in self._shapes]
        packed = [key for blocks in self._blocks for key in self.packed.keys.packed(blocks.definition.field)]
        return self._size(fields), self._size(packed)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _size(self, keys: Sequence[str]) -> float:
        return float(sum(self._client.memory_usage(key, samples=0) for key in keys)) / 1e6

    def _made(self, at: int, shape: Shape) -> Iterator[tuple[int, str, int, int]]:
        """Each number of a family: its field, the slot that holds it while it is small, and its units."""
        blocks, definition = self._blocks[at], shape.definition
        kind = shape_of(blocks.definition, definition.bounds)
        for number in range(shape.series):
            first, values = len(blocks.slots), shape.values(number)
            blocks.add(values, {})
            for place, part in enumerate(kind.parts):
                field = definition.series_field(values, part or None)
                slot = first + (kind.value + place - 1 if place else 1)  # of a value, the whole ones
                yield at, field, slot, 1 if place else definition.scale

    def _add(self, numbers: Sequence[tuple[int, str, int, int]], most: int) -> None:
        grown: dict[int, dict[str, int]] = {}
        for at, field, slot, unit in numbers:
            slots = self._blocks[at].slots
            slots[slot] += int(self._dice.random() * most + 1) * max(1, unit // 10) + int(self._dice.random() * unit)
            grown.setdefault(at, {})[field] = slots[slot]
        for at, fields in grown.items():
            key, pairs = self.fields.keys.family(self._shapes[at].definition.field), list(fields.items())
            for first in range(0, len(pairs), _AT_ONCE):
                self._client.hset(key, mapping=dict(pairs[first : first + _AT_ONCE]))

    def _write(self, *, whole: bool = False) -> None:
        for blocks in self._blocks:
            if whole:
                blocks.store(self._client, self.packed.keys)
            else:
                self._client.set(self.packed.keys.packed(blocks.definition.field)[0], blocks.raw())


def _packed(definition: Definition) -> Definition:
    return Definition.of(
        definition.name, definition.type, definition.help, definition.unit, definition.labels, definition.bounds, "",
        packed=True,
    )  # fmt: skip
