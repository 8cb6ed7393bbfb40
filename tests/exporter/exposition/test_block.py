"""What the lines of samples are made of."""

from hypothesis import given
from hypothesis import strategies as st

from fleetmeter_exporter.exposition.block import filled


@given(st.integers(0, 3), st.integers(1, 4))
def test_lines_have_a_value_of_each_column_between_the_texts(width: int, count: int) -> None:
    """Line by line, in the order of the columns."""
    texts = [f"<{place}>" for place in range(width + 1)]
    columns = [[f"{row}.{column}" for row in range(count)] for column in range(width)]
    expected = ["".join(f"<{column}>{row}.{column}" for column in range(width)) + f"<{width}>" for row in range(count)]
    assert filled(texts, columns, count) == expected
