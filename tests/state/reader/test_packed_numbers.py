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


PROPER = st.integers(0, 2) | st.integers(FRACTION - 2, FRACTION - 1)


@given(st.lists(st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 3), PROPER, st.integers(0, 2))] * 2)),
       st.integers(1, 9))  # fmt: skip
def test_a_remainder_is_lower_only_if_what_stands_before_it_is_no_higher(
    blocks: list[tuple[tuple[int, int, int, int], tuple[int, int, int, int]]], at_once: int
) -> None:
    """Of proper fractions: 2.1 is more than 1.9, and 1.1 is less; the neighbours of a block make no difference."""
    then, now = [slot for one, _ in blocks for slot in one], [slot for _, one in blocks for slot in one]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fleetmeter.reader.packed._AT_ONCE", at_once)
        found = may_be_lower(raw_slots(now), raw_slots(then), (False, False, True, False))
    assert found == any(
        after[0] < before[0] or after[1:3] < before[1:3] or after[3] < before[3] for before, after in blocks
    )


@pytest.mark.parametrize("remainders", [(FRACTION, 1), (1, FRACTION), (-1, 1), (1, -1)])
def test_a_remainder_that_is_no_proper_fraction_may_hide_a_lower_number(remainders: tuple[int, int]) -> None:
    """1 and 10^15 of 10^-15 are as much as 2 and nothing: then nobody can say at once."""
    now, then = remainders
    assert may_be_lower(raw_slots([0, 2, now]), raw_slots([0, 1, then]), (False, False, True))


def test_a_sum_of_fractions_that_only_grows_is_not_looked_at_number_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its remainder may be lower than before, as that of 2.1 is than that of 1.9."""
    following, blocks = Following(LAYOUTS[0]), Blocks(LAYOUTS[0]).add(["a"], {"": 19 * FRACTION // 10})
    before = following.read(blocks)
    now = following.read(blocks.add(["a"], {"": 2 * FRACTION // 10}))
    assert now.slots()[2] < before.slots()[2]
    assert before.below(now) == {b'["a"]': str(21 * FRACTION // 10).encode()}
    monkeypatch.setattr(PackedNumbers, "_lower", None)
    assert now.below(before) == {}


def test_a_count_is_never_taken_for_a_remainder() -> None:
    """Blocks of two shapes have their remainders at other places; a lower count is seen, though the sum went up."""
    blocks = Blocks(LAYOUTS[2]).add(["a"], {"sum": 5, "0.1": 1})
    for key in "bcdefg":
        blocks.add([key], {"sum": 5, "0.1": 3}, ("0.1", "+Inf"))
    following = Following(LAYOUTS[2])
    before = following.read(blocks)
    now = following.read(blocks.add(["c"], {"sum": 1, "0.1": -1}, ("0.1", "+Inf")))
    assert len(now.places.groups) == 2
    assert now.below(before) == {b'["c","0.1"]': b"3"}


def test_slots_that_mean_the_same_number_are_not_lower() -> None:
    """After a carry the whole slot is lower and the high one is not: the number went up by one."""
    following, blocks = Following(LAYOUTS[1]), Blocks(LAYOUTS[1]).add(["a"], {"": BASE - 1})
    before = following.read(blocks)
    now = following.read(blocks.add(["a"], {"": 1}))
    assert before.block(before.places.groups[0], 0) == [BASE - 1]
    assert now.slots()[1] < before.slots()[1]
    assert now.below(before) == {}
    assert before.below(now) == {b'["a"]': str(BASE).encode()}
