"""Patterns for the lines of rows, in the order of an exposition: those of neighbours together are one pattern."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, groupby
from operator import mod
from typing import Any

from fleetmeter_exporter.exposition.block import picker

TOGETHER = 1 << 14
"""About how many bytes of patterns become one text: as fits the processor's cache. Longer ones take twice the time."""


@dataclass
class _Neighbours:
    """Rows that are one pattern: what each is sorted by, its number, and whether its one line ends with `%d`."""

    keys: list[Any]
    numbers: list[int]
    pattern: bytes
    whole: bool = False

    def insert(self, keys: Iterable[Any], numbers: Iterable[int], rows: Iterable[bytes], lines: int) -> None:
        """Put rows among these."""
        self.let_be_whole(whole=False)
        every = self.rows(lines)
        for key, number, row in zip(keys, numbers, rows, strict=True):
            place = bisect_right(self.keys, key)
            self.keys.insert(place, key)
            self.numbers.insert(place, number)
            every.insert(place, row)
        self.pattern = b"\n".join((b"", *every))

    def rows(self, lines: int) -> list[bytes]:
        """The pattern of each row."""
        every = self.pattern.split(b"\n")[1:]
        return every if lines == 1 else list(map(b"\n".join, zip(*[iter(every)] * lines, strict=True)))

    def let_be_whole(self, *, whole: bool) -> None:
        """Let the one line of each row end with `%d`, which takes half the time of `%a`, or with that."""
        if whole != self.whole:
            ends = (b" %a\n", b" %d\n") if whole else (b" %d\n", b" %a\n")
            # in a value of a label each % is doubled, and a line feed is none
            self.pattern, self.whole = (self.pattern + b"\n").replace(*ends)[:-1], whole


class RowPatterns:
    """The patterns of rows, each with so many `lines`, which end with `%a` or `%d`."""

    def __init__(self, lines: int) -> None:
        self._lines = lines
        self._together: list[_Neighbours] = []
        self._pick = picker(())
        self._ends: list[int] = [0]  # how many numbers there are up to each pattern
        self._places: dict[int, tuple[int, int]] = {}  # pattern and first line of each row, once somebody asks

    def add(self, numbers: Sequence[int], patterns: Sequence[str], keys: Sequence[Any]) -> None:
        """Add rows, given their numbers, their patterns, and what they are sorted by."""
        order = picker(sorted(range(len(keys)), key=keys.__getitem__))
        keys, numbers = order(keys), order(numbers)
        rows = list(map(str.encode, order(patterns)))
        if not self._together:
            self._together = [*self._cut(keys, numbers, rows)]
        else:
            firsts = [some.keys[0] for some in self._together]
            homes = [max(0, bisect_right(firsts, key) - 1) for key in keys]
            together: list[Iterable[_Neighbours]] = [(some,) for some in self._together]
            for home, run in groupby(range(len(keys)), homes.__getitem__):
                places = [*run]
                some, new = self._together[home], slice(places[0], places[-1] + 1)
                some.insert(keys[new], numbers[new], rows[new], self._lines)
                if len(some.pattern) > 2 * TOGETHER:
                    together[home] = self._cut(some.keys, some.numbers, some.rows(self._lines))
            self._together = [*chain.from_iterable(together)]
        self._pick = picker([*chain.from_iterable(some.numbers for some in self._together)])
        self._ends = [*accumulate((self._lines * len(some.numbers) for some in self._together), initial=0)]
        self._places = {}

    def filled(self, columns: Sequence[Sequence[float]]) -> list[bytes]:
        """The texts, given for each line the numbers of all rows: the number of a row says where its own is."""
        ordered = [self._pick(column) for column in columns]
        numbers: Sequence[float] = ordered[0]
        if len(ordered) > 1:
            numbers = every = [0.0] * self._ends[-1]
            for at, column in enumerate(ordered):
                every[at :: self._lines] = column
        parts = [tuple(numbers[start:end]) for start, end in zip(self._ends, self._ends[1:], strict=False)]
        if self._lines == 1:
            for some, part in zip(self._together, parts, strict=True):
                some.let_be_whole(whole=set(map(type, part)) <= {int})
        return list(map(mod, (some.pattern for some in self._together), parts))

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
            yield _Neighbours([*keys[some]], [*numbers[some]], b"\n".join((b"", *rows[some])))
