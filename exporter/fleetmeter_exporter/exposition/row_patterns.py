"""Patterns for the lines of rows, in the order of an exposition: those of many rows together are one pattern."""

from collections.abc import Collection, Iterable, Sequence
from itertools import repeat
from operator import mod

from fleetmeter_exporter.exposition.block import picker

TOGETHER = 1 << 14
"""About how many bytes of patterns become one text: as fits the processor's cache. Longer ones take twice the time."""


class RowPatterns:
    """The patterns of rows, each with so many `lines`, which end with `%a` or `%d`. Rows are numbered as they come."""

    def __init__(self, lines: int) -> None:
        self._lines = lines
        self._order: Sequence[int] = ()
        self._patterns: list[bytes] = []
        self._most = 1  # rows in a pattern
        self._whole: list[bool] = []  # whether the lines of each pattern end with `%d`, if each row has one line
        self._pick = picker(())
        self._places: dict[int, int] = {}  # where each row is in the order, once somebody asks

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self._order)

    def add(self, patterns: Sequence[str], series: Sequence[bytes]) -> None:
        """Add rows, given their patterns, and what all rows are sorted by."""
        self._let(repeat(False, len(self._patterns)))
        rows = [*self._taken_apart(), *map(str.encode, patterns)]
        places = [*self._order, *range(self.rows, len(rows))]
        sorted_places = picker(sorted(range(len(rows)), key=picker(places)(series).__getitem__))
        self._order, rows = sorted_places(places), list(sorted_places(rows))
        self._most = max(1, TOGETHER * len(rows) // max(1, sum(map(len, rows))))
        self._patterns = [b"\n".join((b"", *rows[at : at + self._most])) for at in range(0, len(rows), self._most)]
        self._whole = [False] * len(self._patterns)
        self._pick = picker(self._order)
        self._places = {}

    def filled(self, columns: Sequence[Sequence[float]]) -> list[bytes]:
        """The texts, given for each line the numbers of all rows, in the order in which these came."""
        ordered = [self._pick(column) for column in columns]
        numbers: Sequence[float] = ordered[0]
        if len(ordered) > 1:
            numbers = every = [0.0] * (self._lines * self.rows)
            for at, column in enumerate(ordered):
                every[at :: self._lines] = column
        size = self._lines * self._most
        parts = [tuple(numbers[at : at + size]) for at in range(0, len(numbers), size)]
        if self._lines == 1:
            self._let(set(map(type, part)) <= {int} for part in parts)
        return list(map(mod, self._patterns, parts))

    def texts_of(self, rows: Collection[int]) -> dict[int, dict[int, int]]:
        """Where the lines of rows are: for the place of each of their texts, the first line of each row in it."""
        if rows and not self._places:
            self._places = dict(zip(self._order, range(self.rows), strict=True))
        found: dict[int, dict[int, int]] = {}
        for row in rows:
            text, place = divmod(self._places[row], self._most)
            found.setdefault(text, {})[row] = place * self._lines
        return found

    def _taken_apart(self) -> list[bytes]:
        """The pattern of each row, in order."""
        lines = [line for pattern in self._patterns for line in pattern.split(b"\n")[1:]]
        return lines if self._lines == 1 else list(map(b"\n".join, zip(*[iter(lines)] * self._lines, strict=True)))

    def _let(self, whole: Iterable[bool]) -> None:
        """Let the lines of each pattern end with `%d` if its numbers are whole, which takes half the time of `%a`."""
        for at, is_whole in enumerate(whole):
            if is_whole != self._whole[at]:
                ends = (b" %a\n", b" %d\n") if is_whole else (b" %d\n", b" %a\n")
                # in a value of a label each % is doubled, and a line feed is none
                self._patterns[at] = (self._patterns[at] + b"\n").replace(*ends)[:-1]
                self._whole[at] = is_whole
