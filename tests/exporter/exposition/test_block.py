"""What the lines of samples are made of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetmeter_exporter.exposition.block import filled, seen_spelled, spelled

NUMBERS = st.one_of(
    st.floats(),
    st.integers(-(10**17), 10**17),
    st.tuples(st.integers(-(10**16), 10**16), st.integers(0, 20)).map(lambda two: two[0] / 10 ** two[1]),
).map(repr) | st.text(alphabet="0123456789.-e", min_size=1, max_size=18)


@given(st.lists(NUMBERS, max_size=4))
def test_a_number_that_is_seen_to_be_spelled_right_is(texts: list[str]) -> None:
    """What is shown without being read is what would be shown of the number that was read."""
    seen = seen_spelled([text.encode() for text in texts])
    if seen is not None:
        assert seen == spelled(list(map(float, texts)))


@pytest.mark.parametrize("text", ["-0", "0.0", "1.0", "1.50", "007", "1.", ".5", "0.00001", "1e5", "nan", "inf", " 1",
                                  "9999999999999999", "0.10000000000000001", "1_0", ""])  # fmt: skip
def test_a_number_in_another_spelling_is_read(text: str) -> None:
    """One such text is enough, wherever it stands."""
    for texts in ([text], [text, "1"], ["1", text, "0.5"]):
        assert seen_spelled([each.encode() for each in texts]) is None
    assert seen_spelled([b"0", b"-12", b"0.5", b"-36.25", b"999999999999999", b"0.0001"]) == [
        b"0.0", b"-12.0", b"0.5", b"-36.25", b"999999999999999.0", b"0.0001",
    ]  # fmt: skip


@given(st.integers(0, 3), st.integers(1, 4))
def test_lines_have_a_value_of_each_column_between_the_texts(width: int, count: int) -> None:
    """Line by line, in the order of the columns."""
    texts = [f"<{place}>" for place in range(width + 1)]
    columns = [[f"{row}.{column}" for row in range(count)] for column in range(width)]
    expected = ["".join(f"<{column}>{row}.{column}" for column in range(width)) + f"<{width}>" for row in range(count)]
    assert filled(texts, columns, count) == expected
