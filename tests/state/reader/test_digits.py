"""Numbers that are read, or spelled, many in one go."""

import struct
from itertools import pairwise
from math import inf, nan, nextafter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleetmeter.reader import digits
from fleetmeter.reader.digits import floats_in, numbers_in, quotients, spelled, spelled_together
from fleetmeter.schema.scale import parse_number

EDGES = [
    edge for one in (1e-5, 1e-4, 1e15, 1e16, 2.0**53, 2.0**63) for edge in (nextafter(one, 0), one, nextafter(one, inf))
]
NUMBERS = st.one_of(
    st.floats(),
    st.sampled_from([*EDGES, *(-edge for edge in EDGES), 0.0, -0.0, 5e-324, nan, inf]),
    st.integers(-(10**25), 10**25),
    st.tuples(st.integers(-(10**17), 10**17), st.integers(0, 22)).map(lambda two: two[0] / 10 ** two[1]),
)
TEXTS = NUMBERS.map(repr) | st.text(alphabet="0123456789.-eE+, _[]", max_size=20)


@pytest.fixture(params=["orjson", "Python alone"], autouse=True)
def _library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param != "orjson":
        monkeypatch.setattr(digits, "orjson", None)


def bits(number: float) -> bytes:
    """A float as it is in memory: two zeros differ, and NaN is itself."""
    return struct.pack("d", number)


@given(st.lists(NUMBERS, max_size=6))
@example([1.0, nan])
@example([0.5, 1e16])
def test_numbers_are_spelled_as_python_spells_each(numbers: list[float]) -> None:
    """However many there are at once, and whatever else is among them."""
    assert spelled(numbers) == [repr(number).encode() for number in numbers]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=6), st.lists(NUMBERS, max_size=4))
@example([2**60], [1e16])
@example([1], [1e-5])
def test_only_those_that_may_be_floats_need_be_looked_at(whole: list[int], others: list[float]) -> None:
    """All of them are spelled as Python does."""
    texts = [repr(number).encode() for number in [*whole, *others]]
    assert spelled_together([*whole, *others], others) == b",".join(texts)


@given(st.lists(st.integers(-(2**65), 2**65) | st.integers(-(10**17), 10**17), max_size=6), st.sampled_from([3, 15]))
@example([2**63, 1], 15)
@example([0, -1, 2**63 - 1, -(2**63)], 15)
def test_a_quotient_is_rounded_once(numbers: list[int], power: int) -> None:
    """As Python's division of whole numbers is."""
    assert list(map(bits, quotients(numbers, power))) == [bits(number / 10**power) for number in numbers]


@given(st.lists(TEXTS.map(str.encode), max_size=6))
@example([b"-0", b"1"])
@example([b"1", b"-0"])
@example([b"1,2", b""])
def test_texts_are_read_as_python_reads_each(texts: list[bytes]) -> None:
    """Or it is left to who reads them one by one, which is so if one of them is no number."""
    try:
        expected = list(map(float, texts))
    except ValueError:
        with pytest.raises(ValueError, match="could not convert"):
            floats_in(texts)
    else:
        assert list(map(bits, floats_in(texts))) == list(map(bits, expected))
    numbers = numbers_in(texts)
    if numbers is not None:
        found = [parse_number(text) for text in texts]
        assert list(map(type, numbers)) == list(map(type, found))
        assert list(map(repr, numbers)) == list(map(repr, found))


def test_every_digit_of_a_whole_number_stays() -> None:
    """Beyond what 64 bits hold, too, and at the edges."""
    numbers = [2**63 - 1, 2**63, 2**63 + 1, 2**64 - 1, 2**64 + 1, -(2**63), -(2**63) - 1, 10**22 + 1]
    for one, other in pairwise(numbers):
        assert numbers_in([b"%d" % one, b"%d" % other, b"0.5"]) == [one, other, 0.5]
        assert spelled([one, other]) == [b"%d" % one, b"%d" % other]
