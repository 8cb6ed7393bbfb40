"""Packed layouts as a store holds them, by the rules of `fleetmeter.schema.packing` and by nothing of the reader."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from fleetmeter.schema.packing import BASE, FRACTION, SLOT, STATE, Shape, digest_of, index_entry, joined_value, room_for
from simulator.hashes import Hashes
from support.names import series_in

CARRIED = 2**62 + 2**9
"""What no slot but the highest of a value passes: above 2^62 is carried, as far as Lua's floats tell numbers apart."""

LEAN = 2**62
"""What the lower slots of a value are brought near."""

MEMORY = 20_000
"""States that are remembered, so that each is read once."""


@dataclass
class Chain:
    """What a list of names says: the generation, the newest digest, the shapes, and the series of each living block."""

    generation: str = ""
    digest: str = ""
    shapes: list[Shape] = field(default_factory=list)
    blocks: dict[int, tuple[str, int]] = field(default_factory=dict)
    gone: list[tuple[int, int]] = field(default_factory=list)
    slots: int = 0


@lru_cache(MEMORY)
def chain_of(names: tuple[str, ...]) -> Chain:
    """Read a list of names. Raises `ValueError` for one that no writer should leave."""
    chain = Chain()
    for place, entry in enumerate(names):
        digest, _, what = entry.partition(" ")
        kind, _, rest = what.partition(" ")
        if digest != digest_of(chain.digest, what):
            raise ValueError(f"entry {place}, {entry!r}, does not follow {chain.digest}")
        if (kind == "g") != (place == 0):
            raise ValueError(f"entry {place} is {what!r}")
        _take(chain, kind, rest)
        chain.digest = digest
        if kind in "gd":
            chain.generation = digest
    return chain


def _take(chain: Chain, kind: str, rest: str) -> None:
    if kind == "s":
        chain.shapes.append(Shape.parse(rest))
    elif kind == "c":
        slot, shape, lines = rest.split(" ", 2)
        if int(slot) != chain.slots:
            raise ValueError(f"the block of {lines} begins at {slot}, the next free slot is {chain.slots}")
        for text in series_in(lines.encode("latin-1")):
            series = text.decode("latin-1")
            if (series, int(shape)) in chain.blocks.values():
                raise ValueError(f"{series} has two blocks of one shape")
            chain.blocks[chain.slots] = series, int(shape)
            chain.slots += chain.shapes[int(shape)].slots
    elif kind == "d":
        _, shape_number = chain.blocks.pop(int(rest))
        chain.gone.append((int(rest), chain.shapes[shape_number].slots))
    elif kind != "g":
        raise ValueError(f"nothing that happens to blocks is called {kind!r}")


Places = tuple[str, ...]
"""The keys of a packed layout: its numbers, its series and its names."""


def is_sound(hashes: Hashes, places: Places) -> bool:
    """Whether all three keys of a layout are there, as far as the scripts look."""
    numbers, series, names = places
    found = hashes.hash(series)
    if not found:
        return False
    state = found.get(STATE, "").split(" ")
    if state[1:2] != [str(len(hashes.items(names)))]:
        return False
    return len(hashes.string(numbers)) == SLOT * room_for(int(state[3]))


def fault_of(hashes: Hashes, places: Places) -> str:
    """What does not fit together in a layout whose three keys are there; empty if nothing."""
    numbers, series, names = places
    try:
        chain = chain_of(hashes.items(names))
    except (ValueError, IndexError, KeyError) as error:
        return f"names: {error!r}"
    slots = slots_of(hashes.string(numbers))
    if len(slots) != room_for(chain.slots) or any(slots[chain.slots :]):
        return f"{len(slots)} slots beside names of {chain.slots}: {slots[chain.slots :]}"
    if any(any(slots[start : start + length]) for start, length in chain.gone):
        return "a block that went holds something"
    for start, (name, shape) in chain.blocks.items():
        lower = slots[start + 1 : start + chain.shapes[shape].value]
        if any(abs(slot) > CARRIED for slot in lower):
            return f"a slot of {name} was not carried: {lower}"
    expected = {f"@shape {shape.text()}": str(number) for number, shape in enumerate(chain.shapes)}
    living = len({name for name, _ in chain.blocks.values()})
    dead = sum(length for _, length in chain.gone)
    texts = (chain.generation, len(hashes.items(names)), chain.digest, chain.slots, len(chain.shapes), living, dead)
    expected[STATE] = " ".join(map(str, texts))
    for start, (name, shape) in chain.blocks.items():
        place, entry = index_entry(name, shape, start)
        expected[place] = expected.get(place, "") + entry
    found = hashes.hash(series)
    if {place: sorted(text.split(";")) for place, text in found.items()} != {
        place: sorted(text.split(";")) for place, text in expected.items()
    }:
        return f"the index has {found}, by the names it has {expected}"
    return ""


def numbers_of(hashes: Hashes, places: Places) -> Mapping[str, int]:
    """A layout's numbers by their field, in stored units; nothing if a part of it was evicted."""
    if not is_sound(hashes, places):
        return {}
    numbers, _, names = places
    return _read(hashes.items(names), hashes.string(numbers))


@lru_cache(MEMORY)
def _read(names: tuple[str, ...], numbers: bytes) -> Mapping[str, int]:
    chain, slots = chain_of(names), slots_of(numbers)
    found: dict[str, int] = {}
    for start, (series, number) in chain.blocks.items():
        shape = chain.shapes[number]
        block = slots[start : start + shape.slots]
        values = [joined_value(block[: shape.value]), *block[shape.value :]]
        for part, units in zip(shape.parts, values, strict=True):
            name = f'{series[:-1]}{"," if series != "[]" else ""}"{part}"]' if part else series
            found[name] = found.get(name, 0) + units
    return found


def slots_of(numbers: bytes) -> list[int]:
    """The slots of a string of numbers."""
    return [int.from_bytes(numbers[at : at + SLOT], "big", signed=True) for at in range(0, len(numbers), SLOT)]


def leaning(hashes: Hashes, places: Places) -> list[str]:
    """The operations of BITFIELD after which each value is the same, and its lower slots are near what is carried."""
    numbers, _, names = places
    if not is_sound(hashes, places):
        return []
    chain, slots = chain_of(hashes.items(names)), slots_of(hashes.string(numbers))
    found: list[str] = []
    for start, (_, number) in chain.blocks.items():
        value = slots[start : start + chain.shapes[number].value]
        for at in range(len(value) - 1, 0, -1) if joined_value(value) else ():
            size = BASE if at == 1 else FRACTION
            steps = (LEAN - value[at]) // size
            value[at] += steps * size
            value[at - 1] -= steps
        if value != slots[start : start + len(value)]:
            for at, slot in enumerate(value):
                found += ["SET", "i64", f"#{start + at}", str(slot)]
    return found
