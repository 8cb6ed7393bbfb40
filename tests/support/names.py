"""Entries of a packed layout's names, by the rules of `fleetmeter.schema.packing` and by nothing of the reader."""

from collections.abc import Iterable

from fleetmeter.schema.packing import NOTHING_ALIKE

MOST_ALIKE = 94
"""Bytes that one character can tell of."""

ALIKE = ("", "é", "è", "日本", "日語", "a\nb", "\\", '"', "v" * 93, "v" * 94, "v" * 95, "v" * 200, "gpt-6.1-sol")
"""Pieces of label values: some differ within a character, some are alike by as much as one line can say, or more."""


def lines_of(series: Iterable[bytes]) -> bytes:
    """The lines of the entry of blocks that come together for some series."""
    lines: list[bytes] = []
    before: bytes | None = None
    for one in series:
        lines.append(one if before is None else _line_behind(before, one))
        before = one
    return b"\n".join(lines)


def series_in(lines: bytes) -> list[bytes]:
    """The series of an entry. Raises `ValueError` or `IndexError` for lines of no writer."""
    first, *others = lines.split(b"\n")
    series = [first]
    for line in others:
        before = series[-1]
        begins, ends = (byte - NOTHING_ALIKE for byte in line[:2])
        if not 0 <= begins <= MOST_ALIKE >= ends >= 0 or begins + ends > len(before):
            raise ValueError(f"{line!r} cannot stand behind {before!r}")
        series.append(before[:begins] + line[2:] + before[len(before) - ends :])
    return series


def _line_behind(before: bytes, series: bytes) -> bytes:
    begins = _alike(before, series, min(MOST_ALIKE, len(before), len(series)))
    most = min(MOST_ALIKE, len(before) - begins, len(series) - begins)
    ends = _alike(before[::-1], series[::-1], most)
    return bytes((NOTHING_ALIKE + begins, NOTHING_ALIKE + ends)) + series[begins : len(series) - ends]


def _alike(one: bytes, other: bytes, most: int) -> int:
    return next((at for at in range(most) if one[at] != other[at]), most)
