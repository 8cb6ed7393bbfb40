"""The same numbers twice: as fields of hashes, and packed; each in a namespace of its own, changed alike."""

import random
from collections.abc import Sequence
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
        self._numbers: list[tuple[int, int, str]] = []
        for at, shape in enumerate(shapes):
            text = f"{_BIRTH_US} {_BIRTH_US} {shape.definition.to_json()}"
            self._client.hset(self.fields.keys.families, shape.definition.field, text)
            parts = shape_of(shape.definition, shape.definition.bounds).parts
            self._numbers += [(at, number, part) for number in range(shape.series) for part in parts]
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

    def _add(self, numbers: Sequence[tuple[int, int, str]], most: int) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for count, (at, number, part) in enumerate(numbers, 1):
            shape, blocks = self._shapes[at], self._blocks[at]
            value, scaled = shape.values(number), part in ("", "sum")
            unit = shape.definition.scale if scaled else 1
            amount = self._dice.randint(1, most) * max(1, unit // 10) + self._dice.randrange(unit)
            blocks.add(value, {part: amount * (blocks.definition.scale // unit if scaled else 1)})
            field = shape.definition.series_field(value, part or None)
            pipeline.hincrby(self.fields.keys.family(shape.definition.field), field, amount)
            if count % _AT_ONCE == 0:
                pipeline.execute()
        pipeline.execute()

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
