"""What is on record as removed, and which numbers that takes."""

import pytest

from fleetmeter.reader.removals import Removed

NOTES = (b'c:1 ["a","x"]', b'c:1 [null,"y"]', b"d:1", b"c:1 [1]", b"c:1 none", b'my jobs:1 ["a"]')
RECORD = dict.fromkeys(NOTES, b"5")


@pytest.mark.parametrize(
    ("layout", "number", "taken"),
    [
        ("c:1", b'["a","x"]', True),
        ("c:1", b'["a","x","sum"]', True),
        ("c:1", b'["b","y","1.0"]', True),
        ("c:1", b'["b","x"]', False),
        ("c:1", b'["a","z","x"]', False),
        ("c:1", b"no json", False),
        ("c:1", b"7", False),
        ("d:1", b'["b","x"]', True),
        ("e:1", b'["a","x"]', False),
        ("my jobs:1", b'["a"]', True),
        ("my jobs:1", b'["b"]', False),
    ],
)
def test_a_number_is_taken_by_its_series_by_a_pattern_or_with_its_layout(
    layout: str, number: bytes, taken: bool
) -> None:
    """A series takes all its numbers, null fits any value, and what cannot be read takes nothing and is not taken."""
    assert Removed.since({}, RECORD).takes(layout, number) is taken


def test_only_what_was_removed_since_counts() -> None:
    """What an earlier snapshot had on record already took its numbers then."""
    assert not Removed.since(RECORD, RECORD)
    assert Removed.since(RECORD, {**RECORD, b"d:1": b"6"})


def test_gathered_removals_are_those_since_the_snapshot_was_taken() -> None:
    """Whoever read later than the note tells knows of them all; clocks may be ten seconds apart."""
    notes = {b"c:1 [[]]": b"50000000", b"d:1 [[]]": b"60000001"}
    assert Removed.since({}, notes, 40_000_000).gathered == {"c:1", "d:1"}
    assert Removed.since({}, notes, 70_000_000).gathered == {"d:1"}
    assert Removed.since({b"d:1 [[]]": b"60000001"}, notes, 40_000_000).gathered == {"c:1"}
    assert not Removed.since({}, notes, 70_000_001)
    assert not Removed.since({}, notes, 0).takes("c:1", b'["a"]')
