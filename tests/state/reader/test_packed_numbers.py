"""Packed numbers, compared with earlier ones and with what a hash would say."""

import random

import pytest

from fleetmeter.reader.hashes import Hash
from fleetmeter.reader.packed import PackedNumbers
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


@pytest.mark.parametrize("seed", range(20))
def test_every_row_that_changed_is_known(seed: int) -> None:
    """A row of which a number changed, or that came, is among the changed ones; others need not be looked at."""
    dice = random.Random(seed)
    definition = LAYOUTS[seed % len(LAYOUTS)]
    following, blocks = Following(definition), Blocks(definition).add(["s0"], {})
    before = following.read(blocks)
    for _ in range(12):
        drawn(dice, blocks, 30, lower=True)
        now = following.read(blocks)
        assert now.follows(before)
        assert not before.follows(now) or len(now.places) == len(before.places)
        known = [len(group.starts) for group in before.places.groups] + [0] * len(now.places.groups)
        for at, group in enumerate(now.places.groups):
            wanted = [
                place
                for place in range(len(group.starts))
                if place >= known[at] or now.block(group, place) != before.block(group, place)
            ]
            assert now.changed(before)[at] == wanted
        before = now


def test_slots_that_mean_the_same_number_are_not_lower() -> None:
    """After a carry the whole slot is lower and the high one is not: the number went up by one."""
    following, blocks = Following(LAYOUTS[1]), Blocks(LAYOUTS[1]).add(["a"], {"": BASE - 1})
    before = following.read(blocks)
    now = following.read(blocks.add(["a"], {"": 1}))
    assert before.block(before.places.groups[0], 0) == [BASE - 1]
    assert now.slots[1] < before.slots[1]
    assert now.below(before) == {}
    assert before.below(now) == {b'["a"]': str(BASE).encode()}
