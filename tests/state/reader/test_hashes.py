"""A hash's texts as numbers: the same whether they are read alone, together, or from an earlier hash."""

from typing import Any

import pytest

from fleetmeter.reader.change import Shuffle, Splice
from fleetmeter.reader.fields import Fields
from fleetmeter.reader.hashes import Hash
from fleetmeter.reader.stated_fields import Members

FIELDS = [b"a", b"b", b"c", b"d"]


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        ([b"1", b"2", b"007", b"9007199254740993"], [1, 2, 7, 9007199254740993]),
        ([b"1", b"0.5", b"-3", b"1e-07"], [1, 0.5, -3, 1e-07]),
        ([b"1", b" 5", b"+5", b"0.5"], [1, 5, 5, 0.5]),
        ([b"-0", b"-0.0", b"0", b"-1"], [0, 0.0, 0, -1]),
        ([b"1", b"", b"2", b"3"], None),
        ([b"1,2", b"", b"2", b"3"], None),
        ([b"1,2", b"[3", b"4]", b"3"], None),
        ([b"1", b"true", b"2", b"3"], None),
        ([b"1", b"[2]", b"2", b"3"], None),
        ([b"1", b"nan", b"2", b"3"], None),
        ([b"1", b"Infinity", b"2", b"3"], None),
        ([b"1", b"1e400", b"2", b"3"], None),
        ([b"1", b"9" * 4301, b"2", b"3"], None),
        ([b"1", b"9" * 309, b"0.5", b"3"], None),
        ([b"1", b"-" + b"9" * 309, b"9" * 309, b"3"], None),
    ],
)
def test_numbers_are_what_their_texts_say(texts: list[bytes], numbers: list[float] | None) -> None:
    """Whole ones stay whole; no negative zero; None where one is none, or where they cannot be added up."""
    before = Hash(FIELDS, [b"5", b"0.25", b"7", b"8"])
    found = [Hash(FIELDS, texts).numbers]
    for known in (True, False):
        assert not known or before.numbers
        for changed in (4, 1):  # all at once, or one after the other
            last = before
            for place in range(0, 4, changed):
                step = [*texts[: place + changed], *before.texts[place + changed :]]
                last = Hash.flat([part for pair in zip(FIELDS, step, strict=True) for part in pair], last)
                assert last.numbers == Hash(FIELDS, step).numbers
            found.append(last.numbers)
    for one in found:
        assert one == numbers
        assert one is None or list(map(repr, one)) == list(map(repr, numbers or []))


def test_fields_know_where_they_were() -> None:
    """Of another hash, too, each says its place there; the same fields are the same objects."""
    first = Fields(FIELDS)
    second = Fields.after(first, [b"d", b"x", b"a"])
    assert second.since(first) == Shuffle(4, [3, 4, 0])
    assert second[0] is first[3]
    third = Fields.after(second, [b"x", b"b"])
    assert third.since(second) == Splice(3, [1], [0, 2])
    assert third.since(first) == Splice(4, [0], [0, 2, 3])
    assert second.since(first) == Shuffle(4, [3, 4, 0])


def test_numbers_follow_when_series_come_and_go() -> None:
    """A number keeps its value and its object wherever its field stands in the next reply."""
    first = Hash(FIELDS, [b"1.5", b"2", b"3", b"4"])
    assert first.numbers
    second = Hash.flat([b"d", b"4", b"x", b"0.5", b"a", b"1.5"], first)
    assert second.numbers == [4, 0.5, 1.5]
    assert second.numbers[2] is first.numbers[0]
    assert second.below(first) == {b"b": b"2", b"c": b"3"}


@pytest.mark.parametrize("odd", [b"x", b"", b"inf"])
def test_a_number_is_missed_beside_one_that_is_none(odd: bytes) -> None:
    """A text that is no finite number hides no number that is missing, nor a lower one."""
    served = Hash([b"a", b"b", b"c"], [b"1.5", b"2", b"3"])
    assert Hash([b"odd", b"a", b"c"], [odd, b"1.5", b"2"]).below(served) == {b"b": b"2", b"c": b"3"}
    assert Hash([b"odd", b"a", b"b", b"c"], [odd, b"2", b"2", b"3"]).below(served) == {}


class TakenAway:
    """What is there when it is looked at first, and gone the next time, as if another thread had read meanwhile."""

    def __init__(self, change: Any) -> None:
        self._change = change

    def __get__(self, holder: object, of: type | None = None) -> Any:
        change, self._change = self._change, None
        return change


def test_a_later_read_may_take_a_change_away_meanwhile() -> None:
    """Pages are written in one thread while another one reads: a change is whole, or it is found out again."""
    before = Fields([b"a", b"c"])
    change = Splice(2, [1])
    fields = type("Late", (Fields,), {"change": TakenAway(change), "before": before})([b"a", b"b", b"c"])
    assert fields.since(before) is change
    assert fields.since(before).came == change.came
    places = [0, 1]
    members = type("Late", (Members,), {"change": TakenAway(change), "before": places})([0, 1, 2])
    assert members.since(places) is change
    assert members.since(places) is None
