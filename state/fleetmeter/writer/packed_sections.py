"""How the amounts of a packed layout are written as sections of `apply` (see lua/apply.lua and schema/packing.py)."""

from collections.abc import Iterator, Mapping, Sequence

from fleetmeter.schema.packing import Shape, split_value
from fleetmeter.writer.directory import Amounts, Blocks, Known


def blocks_of(numbers: Mapping[str, float], shapes: Sequence[Shape], *, has_parts: bool) -> Blocks:
    """The amounts of a layout by block, from amounts by the field that each number has in a hash.

    A part goes to the first of the shapes that has it, and a sum to the first of all, the widest being the first. A
    part that none of them has, as a bucket of bounds that are not known any more, gets a block with a sum, which is 0.
    """
    if not has_parts:
        return {shapes[0]: {series: {0: int(amount)} for series, amount in numbers.items()}}
    found: Blocks = {}
    places: dict[str, tuple[dict[str, Amounts], int]] = {}
    for shape in sorted(shapes, key=lambda shape: -len(shape.parts)):
        series_of = found.setdefault(shape, {})
        for index, part in enumerate(shape.parts):
            places.setdefault(part, (series_of, index))
    for name, amount in numbers.items():
        # `["a","sum"]` is the part `sum` of the series `["a"]`, and `["sum"]` that of `[]`
        head, comma, tail = name.rpartition(',"')
        series, part = (head + "]", tail[:-2]) if comma else ("[]", name[2:-2])
        if part not in places:
            alone = Shape(shapes[0].value, tuple(dict.fromkeys(("sum", part, "+Inf"))))
            places[part] = found.setdefault(alone, {}), 1
        series_of, index = places[part]
        if series in series_of:
            series_of[series][index] = int(amount)
        else:
            series_of[series] = {index: int(amount)}
    return {shape: series_of for shape, series_of in found.items() if series_of}


def named(shape: Shape, blocks: Mapping[str, Amounts]) -> Iterator[str]:
    """The items of `named` for blocks of one shape: for each its series, and its amounts by their place in it."""
    yield shape.text()
    yield str(len(blocks))
    for series, amounts in blocks.items():
        units = enumerate(split_value(amounts.get(0, 0), shape.value))
        parts = ((shape.value + index - 1, amount) for index, amount in amounts.items() if index)
        items = [(place, amount) for place, amount in (*units, *parts) if amount]
        yield series
        yield str(len(items))
        for place, amount in items:
            yield str(place)
            yield str(amount)


def indexed(known: Known, blocks: Blocks) -> list[str]:
    """The items of `indexed`, for blocks that are all known."""
    plain: list[str] = []
    wholes: list[str] = []
    remainders: list[str] = []
    for shape, series_of in blocks.items():
        value, slots = shape.value, known.slots[shape]
        for series, amounts in series_of.items():
            slot = slots[series]
            for index, amount in amounts.items():
                if index and amount:
                    plain += (f"#{slot + value + index - 1}", str(amount))
                elif amount:
                    high, whole, *rest = split_value(amount, value)
                    if high:
                        plain += (f"#{slot}", str(high))
                    if whole:
                        wholes += (f"#{slot + 1}", str(whole))
                    if rest and rest[0]:
                        remainders += (f"#{slot + 2}", str(rest[0]))
    return [known.state, str(len(plain) // 2), str(len(wholes) // 2), *plain, *wholes, *remainders]
