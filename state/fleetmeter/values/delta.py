"""What one batch says. Its content never changes, so it can be sent again as often as necessary.

Amounts are sums: those of batches 4, 5 and 6 can be added up and sent as one. Everything else is taken from the newest
batch.
"""

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fleetmeter.schema.definition import compact_json
from fleetmeter.schema.packing import Shape

Adds = Mapping[str, Mapping[str, float]]
"""Stored units by the family's field in `families`, then by the number's field."""

Shapes = Mapping[str, tuple[Shape, ...]]
"""The shapes of the blocks of packed layouts, by the family's field in `families`."""


@dataclass(frozen=True)
class Removal:
    """Every series of a layout whose label values fit `pattern`: a JSON array by sorted label name, null fits any.

    `family` is the layout's field in `families`; `has_parts` is true if its series have several numbers, `packed` if
    these are packed. `twin` is the field of the same layout in the other format, of which the same series go; empty for
    none.
    """

    family: str
    pattern: str
    has_parts: bool
    packed: bool = False
    twin: str = ""


@dataclass(frozen=True)
class Delta:
    """The content of one batch.

    `has_parts` names the families of `adds` whose series have several numbers. `definitions` are JSON texts by field of
    `families`. `unset` are series of this writer's gauges, `gauges` their values (`<set at µs> <value>`, by the store's
    clock). `exemplars` are keyed by family and then field, with Unix times. `shapes` names the families of `adds` that
    are packed, with the shapes of their blocks, one for each list of bounds; their amounts are whole.
    """

    adds: Adds = field(default_factory=dict)
    has_parts: frozenset[str] = frozenset()
    definitions: Mapping[str, str] = field(default_factory=dict)
    removals: tuple[Removal, ...] = ()
    unset: tuple[str, ...] = ()
    gauges: Mapping[str, str] = field(default_factory=dict)
    exemplars: Mapping[str, str] = field(default_factory=dict)
    shapes: Shapes = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.adds or self.definitions or self.removals or self.unset or self.gauges or self.exemplars)

    @property
    def size(self) -> int:
        """Its length in characters, which is about the bytes that are sent."""
        texts = (self.definitions, self.gauges, self.exemplars)
        return sum(len(key) + len(text) for group in texts for key, text in group.items()) + sum(
            len(name) + 4 for numbers in self.adds.values() for name in numbers
        )


NOTHING = Delta()


def merged(every: Iterable[Adds]) -> dict[str, dict[str, float]]:
    """The sum of several batches' amounts. A number whose amounts add up to 0 stays, so that its series exists."""
    total: dict[str, dict[str, float]] = {}
    for adds in every:
        for family, numbers in adds.items():
            into = total.setdefault(family, {})
            for name, amount in numbers.items():
                into[name] = into.get(name, 0) + amount
    return total


def joined(one: Shapes, other: Shapes) -> Shapes:
    """The shapes of two batches, each once."""
    if not other.keys() - one.keys() and all(set(shapes) <= set(one[name]) for name, shapes in other.items()):
        return one
    return {name: tuple(dict.fromkeys((*one.get(name, ()), *other.get(name, ())))) for name in (*one, *other)}


def packed(adds: Adds) -> bytes:
    """Amounts in a form that takes little memory. Whole ones stay whole, others keep all their digits."""
    return zlib.compress(compact_json(adds).encode(), 1)


def unpacked(data: bytes) -> Adds:
    """The amounts that `packed` was given."""
    adds: dict[str, dict[str, float]] = json.loads(zlib.decompress(data))
    return adds


def packed_together(every: Iterable[bytes]) -> bytes:
    """What `packed` has made of several batches, as one. Their names are the same, so this takes a third."""
    return zlib.compress(b"[%b]" % b",".join(map(zlib.decompress, every)))


def unpacked_all(data: bytes) -> list[Adds]:
    """The amounts of each batch that `packed_together` was given."""
    every: list[Adds] = json.loads(zlib.decompress(data))
    return every
