"""Packed numbers, compared with earlier ones and with what a hash would say."""

import random
import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetmeter.reader.hashes import Hash
from fleetmeter.reader.packed import PackedNumbers, may_be_lower
from fleetmeter.reader.packed_layout import PackedLayout
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.packing import BASE, FRACTION
from support.blocks import Blocks, like_a_hash, packed

BOUNDS = ("0.1", "1.0", "+Inf")
LAYOUTS = [
    packed("x", "counter", ["k"]),
    packed("x_usd", "counter", ["k"]),
    packed("x", "histogram", ["k"], BOUNDS),
    packed("x_seconds", "histogram", ["k"], ("+Inf",)),
    packed("x", "summary", ["k"]),
]


def raw_slots(slots: Sequence[int]) -> bytes:
    """A string of numbers with these slots."""
    return struct.pack(f">{len(slots)}q", *slots)


class Following:
    """A layout that is followed from read to read, without a store."""

    def __init__(self, definition: Definition) -> None:
        self._layout = PackedLayout(definition, ("numbers", "series", "names"))

    def read(self, blocks: Blocks) -> PackedNumbers:
        """What a read finds."""
        names = [name.encode() for name in blocks.names]
        (_, first, _) = self._layout.commands[1][1:]
        if not self._layout.goes_on(names[int(first) :]):
            assert self._layout.goes_on(names)
        numbers = self._layout.numbers(blocks.raw())
        assert isinstance(numbers, PackedNumbers)
        return numbers


def drawn(dice: random.Random, blocks: Blocks, most: int, *, lower: bool) -> None:
    """Change some series, or bring new ones; some of them have blocks of two shapes."""
    for _ in range(dice.randrange(4)):
        kind, key = blocks.definition.type, f"s{dice.randrange(most)}"
        bounds = (
            dice.choice([None, ("0.1", "+Inf")]) if kind == "histogram" and "1.0" in blocks.definition.bounds else None
        )
        parts = {"counter": [""], "summary": ["sum", "count"]}.get(kind, ["sum", *(bounds or blocks.definition.bounds)])
        amounts = {}
        for part in dice.sample(parts, dice.randint(1, len(parts))):
            size = dice.choice([1, 5, FRACTION, BASE, BASE * FRACTION]) if part in ("", "sum") else 3
            amounts[part] = dice.randrange(-size if lower else 0, size + 1)
        blocks.add([key], amounts, bounds)


@pytest.mark.parametrize("seed", range(60))
def test_what_is_lower_is_what_is_lower_in_a_hash(seed: int) -> None:
    """Carries, new series, several shapes and removals hide no lower number, and invent none."""
    dice = random.Random(seed)
    definition = dice.choice(LAYOUTS)
    following, blocks = Following(definition), Blocks(definition).add(["s0"], {})
    before, stored = following.read(blocks), like_a_hash(blocks)
    for _ in range(12):
        drawn(dice, blocks, 8, lower=dice.random() < 0.5)
        if dice.random() < 0.1:
            blocks.remove([f"s{dice.randrange(8)}"])
        now, wanted = following.read(blocks), like_a_hash(blocks)
        assert now == wanted
        below = Hash.of(wanted).below(Hash.of(stored))
        assert now.below(before) == below
        assert now.as_hash().below(before.as_hash()) == below
        if dice.random() < 0.7:  # else what was served stays older than what was read last
            before, stored = now, wanted


SLOTS = st.one_of(st.integers(0, 3), st.integers(-2, 2), st.integers(-(2**63), 2**63 - 1))


@given(st.lists(st.tuples(SLOTS, SLOTS)), st.lists(SLOTS), st.integers(1, 3))
def test_a_lower_slot_is_seen_among_many(pairs: list[tuple[int, int]], new: list[int], at_once: int) -> None:
    """However many slots are compared at once, and whatever the neighbours of a slot do; new ones do not count."""
    then, now = [before for before, _ in pairs], [after for _, after in pairs]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fleetmeter.reader.packed._AT_ONCE", at_once)
        found = may_be_lower(raw_slots([*now, *new]), raw_slots(then))
    lower = any(after < before for before, after in pairs)
    assert found >= lower
    if not any(min(pair) < 0 for pair in pairs):
        assert found == lower


def test_slots_that_mean_the_same_number_are_not_lower() -> None:
    """After a carry the whole slot is lower and the high one is not: the number went up by one."""
    following, blocks = Following(LAYOUTS[1]), Blocks(LAYOUTS[1]).add(["a"], {"": BASE - 1})
    before = following.read(blocks)
    now = following.read(blocks.add(["a"], {"": 1}))
    assert before.block(before.places.groups[0], 0) == [BASE - 1]
    assert now.slots()[1] < before.slots()[1]
    assert now.below(before) == {}
    assert before.below(now) == {b'["a"]': str(BASE).encode()}
