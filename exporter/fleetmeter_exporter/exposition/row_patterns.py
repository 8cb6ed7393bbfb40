"""Patterns for the lines of rows, in the order of an exposition: those of neighbours together are one pattern."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

from fleetmeter.reader.digits import spelled_together
from fleetmeter_exporter.exposition.block import picker
from fleetmeter_exporter.exposition.unwritten import Unwritten

TOGETHER = 1 << 15
"""About how many bytes of patterns become one text: as fits the processor's cache. 256 KB take twice the time."""

_AT_ONCE = 1 << 5
"""Patterns whose numbers are spelled at once: so few that it takes no time that another request would feel."""


@dataclass
class _Neighbours:
    """Rows that are one pattern: what each is sorted by, and its number.

    `literal` is how many bytes the text has beside the numbers.
    """

    keys: list[Any]
    numbers: list[int]
    pattern: bytes
    literal: int

    @classmethod
    def of(cls, keys: Sequence[Any], numbers: Sequence[int], rows: Sequence[bytes], lines: int) -> Self:
        """These rows, which have so many lines each."""
        return cls([*keys], [*numbers], b"\n".join((b"", *rows)), _literal(rows, lines))

    def insert(self, keys: Sequence[Any], numbers: Sequence[int], rows: Sequence[bytes], lines: int) -> None:
        """Put rows among these."""
        every = self.rows(lines)
        self.literal += _literal(rows, lines)
        for key, number, row in zip(keys, numbers, rows, strict=True):
            place = bisect_right(self.keys, key)
            self.keys.insert(place, key)
            self.numbers.insert(place, number)
            every.insert(place, row)
        self.pattern = b"\n".join((b"", *every))

    def rows(self, lines: int) -> list[bytes]:
        """The pattern of each row."""
        every = self.pattern.split(b"\n")[1:]  # a line feed in a value of a label is escaped
        return every if lines == 1 else list(map(b"\n".join, zip(*[iter(every)] * lines, strict=True)))


@dataclass
class _Page:
    """Some neighbours' patterns, how many numbers each has, and how many bytes their texts have beside these."""

    patterns: list[bytes]
    numbers: list[int]
    literal: int


class RowPatterns:
    """The patterns of rows, each with so many `lines`, which end with `%b`."""

    def __init__(self, lines: int) -> None:
        self._lines = lines
        self._together: list[_Neighbours] = []
        self._pick = picker(())
        self._pages: list[_Page] = []
        self._places: dict[int, tuple[int, int]] = {}  # pattern and first line of each row, once somebody asks

    def add(self, numbers: Sequence[int], patterns: Sequence[str], keys: Sequence[Any]) -> None:
        """Add rows, given their numbers, their patterns, and what they are sorted by."""
        order = picker(sorted(range(len(keys)), key=keys.__getitem__))
        keys, numbers = order(keys), order(numbers)
        rows = list(map(str.encode, order(patterns)))
        if not self._together:
            self._together = [*self._cut(keys, numbers, rows)]
        else:
            together: list[_Neighbours] = []
            ends = [bisect_left(keys, some.keys[0]) for some in self._together[1:]]
            for some, start, end in zip(self._together, [0, *ends], [*ends, len(keys)], strict=True):
                if start < end:
                    some.insert(keys[start:end], numbers[start:end], rows[start:end], self._lines)
                if len(some.pattern) > 2 * TOGETHER:
                    together += self._cut(some.keys, some.numbers, some.rows(self._lines))
                else:
                    together.append(some)
            self._together = together
        self._pick = picker([*chain.from_iterable(some.numbers for some in self._together)])
        self._pages = [
            _Page(
                [some.pattern for some in page],
                [self._lines * len(some.numbers) for some in page],
                sum(some.literal for some in page),
            )
            for page in (self._together[at : at + _AT_ONCE] for at in range(0, len(self._together), _AT_ONCE))
        ]
        self._places = {}

    def filled(self, columns: Sequence[Sequence[float]], dear: int) -> list[Unwritten]:
        """The texts, given for each line the numbers of all rows: the number of a row says where its own is.

        From the line `dear` on numbers may be floats.
        """
        ordered = [self._pick(column) for column in columns]
        lines, start = self._lines, 0
        found: list[Unwritten] = []
        for page in self._pages:
            size = sum(page.numbers)
            parts = [column[start : start + size // lines] for column in ordered]
            numbers = floats = [*parts[0]]
            if lines > 1:
                numbers = [0.0] * size
                for at, part in enumerate(parts):
                    numbers[at::lines] = part
                floats = [*chain.from_iterable(parts[dear:])]
            found.append(Unwritten(page.patterns, page.numbers, page.literal, spelled_together(numbers, floats)))
            start += size // lines
        return found

    def texts_of(self, rows: Collection[int]) -> dict[int, dict[int, int]]:
        """Where the lines of rows are: for the place of each of their texts, the first line of each row in it."""
        if rows and not self._places:
            self._places = {
                number: (text, self._lines * place)
                for text, some in enumerate(self._together)
                for place, number in enumerate(some.numbers)
            }
        found: dict[int, dict[int, int]] = {}
        for row in rows:
            text, line = self._places[row]
            found.setdefault(text, {})[row] = line
        return found

    def _cut(self, keys: Sequence[Any], numbers: Sequence[int], rows: Sequence[bytes]) -> Iterator[_Neighbours]:
        most = max(1, TOGETHER * len(rows) // max(1, sum(map(len, rows))))
        for start in range(0, len(rows), most):
            some = slice(start, start + most)
            yield _Neighbours.of(keys[some], numbers[some], rows[some], self._lines)


def _literal(rows: Sequence[bytes], lines: int) -> int:
    """How many bytes the texts of rows have beside their numbers, with the line feed before each.

    Each other % is doubled in the pattern.
    """
    return sum(map(len, rows)) + len(rows) * (1 - len(b"%b") * lines) - b"".join(rows).count(b"%%")
