"""How one list became another, and what is carried along."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetmeter.reader.change import Change, Shuffle, Splice, change_of, joined, merged

NUMBERS = st.lists(st.integers(0, 400), unique=True, max_size=200)


def check(before: list[int], now: list[int]) -> Change:
    """Everything that a change says, as it follows from the two lists."""
    change = change_of(before, now)
    came = [place for place, one in enumerate(now) if one not in before]
    gone = [place for place, one in enumerate(before) if one not in now]
    assert (list(change.came), list(change.gone), change.count) == (came, gone, len(before))
    assert change.carried([-one for one in before], [-now[place] for place in came]) == [-one for one in now]
    assert list(change.stayed(before)) == [one for one in before if one in now]
    assert list(change.here(now)) == [one for one in before if one in now]
    assert change.moved == [now.index(one) if one in now else -1 for one in before] + [len(now)]
    return change


@given(NUMBERS, NUMBERS, st.integers(1, 4))
def test_a_change_is_found_whatever_came_went_or_moved(before: list[int], now: list[int], way: int) -> None:
    """Followed side by side, item by item or looked up: what is new, what went and where the others stand."""
    half = len(before) // 2
    now = {1: now, 2: [*before[:half], *now, *before[half:]], 3: [*now, *before], 4: sorted({*before, *now})}[way]
    now = list(dict.fromkeys(now))
    check(sorted(before) if way == 4 else before, now)
    check(now, sorted(before) if way == 4 else before)


@given(st.lists(st.booleans(), min_size=1, max_size=300), st.sampled_from([1, 200]))
def test_what_only_grows_or_shrinks_keeps_its_order(new: list[bool], times: int) -> None:
    """However much of it is new, or goes: nothing is looked up."""
    now = list(range(len(new) + times))
    before = [*(one for one, is_new in zip(now, new, strict=False) if not is_new), *now[len(new) :]]
    assert isinstance(check(before, now), Splice)
    assert isinstance(check(now, before), Splice)


def test_another_order_is_seen() -> None:
    """If only one item stands elsewhere, it is no splice."""
    before = list(range(100))
    assert isinstance(check(before, [*before[1:50], 0, *before[50:]]), Shuffle)
    assert isinstance(check(before, before[::-1]), Shuffle)


@given(NUMBERS, NUMBERS)
@settings(max_examples=200)
def test_keys_find_their_places_among_others(some: list[int], more: list[int]) -> None:
    """Two lists in order become one."""
    stayed, added = sorted(some), sorted({*more}.difference(some))
    assert Splice(len(stayed), merged(stayed, added)).carried(stayed, added) == sorted([*some, *added])


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=4))
def test_changes_of_lists_that_follow_each_other_are_one(lists: list[tuple[list[int], list[int]]]) -> None:
    """Unless one of them has another order."""
    pairs = [(sorted(before), sorted(now)) for before, now in lists]
    ends = [0, *accumulate(1000 for _ in pairs)]
    whole = [[first + one for (first, _), part in zip(pairwise([*ends, 0]), parts, strict=False) for one in part]
             for parts in zip(*pairs, strict=True)]  # fmt: skip
    found = joined((change_of(before, now), len(now)) for before, now in pairs)
    expected = change_of(*whole)
    assert found is not None
    assert (found.count, list(found.came), list(found.gone)) == (expected.count, [*expected.came], [*expected.gone])
    assert joined([(Shuffle(2, [1, 0]), 2)]) is None


@pytest.mark.parametrize("now", [[], [1], [2, 1]])
def test_out_of_nothing_all_is_new(now: list[int]) -> None:
    """A list that was empty has no order to keep."""
    assert check([], now) == Splice(0, range(len(now)))
