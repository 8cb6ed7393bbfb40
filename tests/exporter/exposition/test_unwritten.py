"""Lines that are written out as they are sent: how long they will be is known before, and each reader gets them all."""

import pytest

from fleetmeter_exporter.exposition.body import PIECE, Body
from fleetmeter_exporter.exposition.row_patterns import RowPatterns

LINES = ['\na{k="%d"} %%b', '\na{k="100%%%%%%%%, %d"} %%b']


def patterns(count: int) -> RowPatterns:
    """Rows of one line, every second one with percent signs in a value of a label."""
    rows = RowPatterns(1)
    keys = [b"%08d" % number for number in range(count)]
    rows.add(range(count), [LINES[number % 2][1:] % number for number in range(count)], keys)
    return rows


@pytest.mark.parametrize("count", [1, 2, 40_000])
def test_the_length_is_known_before(count: int) -> None:
    """Whatever the labels and numbers are: a percent sign is doubled in a pattern, and stands once in the text."""
    numbers = [number * 7919 % 1009 / 8 for number in range(count)]
    body = Body([b"\n# HELP", *patterns(count).filled([numbers], 0), b"\n"])
    text = "# HELP" + "".join(
        f'\na{{k="{"100%%, " * (number % 2)}{number}"}} {numbers[number]!r}' for number in range(count)
    )
    pieces = [*body]
    assert b"".join(pieces).decode() == text + "\n"
    assert len(body) == len(text) + 1
    assert max(map(len, pieces)) <= PIECE
    assert body.whole() == b"".join(body)


def test_nothing_is_nothing() -> None:
    """A body may have no text at all."""
    assert (len(Body([])), [*Body([b""])], Body([]).whole()) == (0, [], b"")


def test_unwritten_lines_may_come_first() -> None:
    """The line feed before the first line is left out, whichever text has it."""
    body = Body(patterns(3).filled([[1, 2, 3]], 0))
    assert (b"".join(body), len(body)) == (body.whole(), len(body.whole()))
    assert body.whole().startswith(b'a{k="0"} 1\n')
