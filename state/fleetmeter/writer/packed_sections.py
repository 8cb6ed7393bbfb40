"""How the amounts of a packed layout are written as sections of `apply` (see lua/apply.lua and schema/packing.py)."""

from collections.abc import Iterator, Mapping, Sequence

from fleetmeter.schema.packing import Shape, split_value
from fleetmeter.writer.directory import Block, Known

Amounts = dict[int, int]
"""Amounts of one block: by the number of its part, 0 for the value. All of them are whole."""


def blocks_of(numbers: Mapping[str, float], shapes: Sequence[Shape], *, has_parts: bool) -> dict[Block, Amounts]:
    """The amounts of a layout by block, from amounts by the field that each number has in a hash.

    A part goes to the first of the shapes that has it, and a sum to the first of all. A part that none of them has, as
    a bucket of other bounds that are not known any more, gets a block for itself and its sum, which is then 0.
    """
    if not has_parts:
        return {(shapes[0], series): {0: int(amount)} for series, amount in numbers.items()}
    places: dict[str, tuple[Shape, int]] = {}
    for shape in sorted(shapes, key=lambda shape: -len(shape.parts)):
        for index, part in enumerate(shape.parts):
            places.setdefault(part, (shape, index))
    found: dict[Block, Amounts] = {}
    for name, amount in numbers.items():
        series, part = _split(name)
        if part not in places:
            places[part] = (Shape(shapes[0].value, tuple(dict.fromkeys(("sum", part, "+Inf")))), 1)
        shape, index = places[part]
        found.setdefault((shape, series), {})[index] = int(amount)
    return found


def _split(name: str) -> tuple[str, str]:
    """The series of a number's field, and its last element, which is the part: a bound, `sum` or `count`."""
    series, comma, part = name[:-1].rpartition(',"')
    return (series + "]", part[:-1]) if comma else ("[]", part[2:-1])


def named(shape: Shape, blocks: Mapping[Block, Amounts]) -> Iterator[str]:
    """The items of `named` for blocks of one shape: for each its series, and its amounts by their place in it."""
    yield shape.text()
    yield str(len(blocks))
    for (_, series), amounts in blocks.items():
        units = enumerate(split_value(amounts.get(0, 0), shape.value))
        parts = ((shape.value + index - 1, amount) for index, amount in amounts.items() if index)
        items = [(place, amount) for place, amount in (*units, *parts) if amount]
        yield series
        yield str(len(items))
        for place, amount in items:
            yield str(place)
            yield str(amount)


def indexed(known: Known, blocks: Mapping[Block, Amounts]) -> Iterator[str]:
    """The items of `indexed`, for blocks that are all known."""
    plain: list[str] = []
    wholes: list[str] = []
    remainders: list[str] = []
    kinds = (plain, wholes, remainders)
    for block, amounts in blocks.items():
        slot, value = known.slots[block], block[0].value
        for index, amount in amounts.items():
            if not amount:
                continue
            if index:
                plain += (str(slot + value + index - 1), str(amount))
                continue
            for place, part in enumerate(split_value(amount, value)):
                if part:
                    kinds[place].extend((str(slot + place), str(part)))
    yield from (known.generation, str(known.names), known.digest)
    yield from (str(len(kind) // 2) for kind in kinds)
    for kind in kinds:
        yield from kind
