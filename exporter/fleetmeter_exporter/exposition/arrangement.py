"""Rows in their order, and the lines of all rows as one text."""

from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, pairwise, repeat
from typing import Any, TypeVar

from fleetmeter.reader.change import Change, Splice, merged
from fleetmeter_exporter.exposition.block import picker

T = TypeVar("T")

Made = Callable[[Sequence[int], Sequence[Any]], str]
"""Takes the order of new rows, and their keys in that order; returns their lines, joined by line feeds."""


class Arrangement:
    """Rows in the order of their `keys`, with some texts: each holds `widths` lines of every row, row by row.

    A text is kept whole, because a text for each line takes twice as much memory. When rows come or go, it is cut where
    they are.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        self.keys: list[Any] = []
        self.texts = [b""] * len(widths)
        self._widths = widths
        self._sizes = [array("I")] * len(widths)
        self.moves: Change = Splice(0, ())
        """What the last change did to the rows."""
        self.order: Sequence[int] = ()
        """The new rows of the last change in their order: the places of what they were given as."""

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.keys)

    def begin(self, keys: Sequence[Any], lines: Sequence[Made]) -> None:
        """Put in the first rows, whose keys are in order. If one of `lines` raises, nothing was changed."""
        order = range(len(keys))
        made = [make(order, keys) for make in lines] if keys else []
        self.order, self.moves, self.keys = order, Splice(0, order), [*keys]
        for at, text in enumerate(made):
            self._put(at, text)

    def change(self, gone: Sequence[int], keys: Sequence[Any], lines: Sequence[Made]) -> None:
        """Take out the rows at these ascending places, and put in rows with these new keys.

        `lines` has what makes the new rows' lines of each text. If one of them raises, nothing was changed.
        """
        count = len(self.keys)
        order = sorted(range(len(keys)), key=keys.__getitem__)
        added = picker(order)(keys)
        made = [make(order, added) for make in lines] if added else []
        # nothing may be changed before here, because a line may be one that cannot be shown
        self.order = order
        stayed = Splice(count, (), gone).stayed(self.keys)
        self.moves = Splice(count, merged(stayed, added), gone)
        self.keys = self.moves.carried(self.keys, added)
        if gone:
            for at in range(len(self.texts)):
                self._cut(at, gone)
        for at, text in enumerate(made):
            self._put(at, text)

    def carried(self, before: Sequence[T], new: T) -> list[T]:
        """Something of each row, given what it was before the last change; that of a new row is `new`."""
        return self.moves.carried(before, repeat(new, len(self.order)))

    def ranks(self) -> list[int]:
        """The places of rows now: of those there were before the last change, then of the new ones as they were given.

        That of a row that went is -1.
        """
        ranks = self.moves.moved[:-1]
        known = len(ranks)
        ranks += [0] * len(self.order)
        for number, place in zip(self.order, self.moves.came, strict=True):
            ranks[known + number] = place
        return ranks

    def marked(self, at: int, lines: Sequence[int], mark: bytes) -> bytes:
        """A text in which these lines, by their ascending numbers, end with another mark of two bytes.

        Only the rows of these lines are looked at.
        """
        text, width = self.texts[at], self._widths[at]
        sizes = self._sizes[at] = self._sizes_of(at)
        ends = [0, *accumulate(sizes)]
        pieces: list[bytes] = []
        last = 0
        for number in lines:
            row, line = divmod(number, width)
            end = ends[row + 1]
            if line < width - 1:
                end = ends[row]
                for _ in range(line + 1):
                    end = text.index(b"\n", end + 1)
            pieces += (text[last : end - len(mark)], mark)
            last = end
        return b"".join([*pieces, text[last:]])

    def _cut(self, at: int, gone: Sequence[int]) -> None:
        text, sizes = self.texts[at], self._sizes_of(at)
        ends = [0, *accumulate(sizes)]
        self.texts[at] = b"".join([text[ends[row + 1] : ends[end]] for row, end in pairwise([-1, *gone, len(sizes)])])
        self._sizes[at] = array("I", Splice(len(sizes), (), gone).stayed(sizes))

    def _put(self, at: int, lines: str) -> None:
        """Put the lines of new rows in their places of a text."""
        fresh = f"\n{lines}".encode()
        before = self.texts[at]
        if not before:
            self.texts[at], self._sizes[at] = fresh, array("I")
            return
        sizes, new = self._sizes_of(at), _sizes(fresh, self._widths[at])
        ends, added = list(accumulate(sizes, initial=0)), list(accumulate(new, initial=0))
        pieces: list[bytes] = []
        every = array("I")
        last, run = 0, 0
        for number, place in enumerate(self.moves.came):
            there = place - number
            if there != last:  # what was new up to here stands before these rows
                pieces += (fresh[added[run] : added[number]], before[ends[last] : ends[there]])
                every += sizes[last:there]
                last, run = there, number
            every.append(new[number])
        self.texts[at] = b"".join([*pieces, fresh[added[run] :], before[ends[last] :]])
        self._sizes[at] = every + sizes[last:]

    def _sizes_of(self, at: int) -> "array[int]":
        """Bytes of each row's lines in a text: found when the text changes for the first time."""
        return self._sizes[at] or array("I", _sizes(self.texts[at], self._widths[at]))


def of_rows(lines: Sequence[str]) -> Made:
    """What makes the lines of new rows, if those of each row are there, joined by line feeds."""
    return lambda order, _: "\n".join(picker(order)(lines))


def _sizes(text: bytes, width: int) -> list[int]:
    """Bytes of the lines of each row, with the line feeds that they begin with."""
    sizes = [size + 1 for size in map(len, text.split(b"\n")[1:])]
    return list(map(sum, zip(*repeat(iter(sizes), width), strict=True))) if width > 1 else sizes


def with_ends(text: bytes, ends: Iterable[tuple[int, bytes]], *, without: Iterable[int] = ()) -> bytes:
    """A text of patterns whose lines end with other marks; without some lines. Lines have their numbers, from 0."""
    lines = text.split(b"\n")[1:]
    for number, mark in ends:
        lines[number] = lines[number][: -len(mark)] + mark
    gone = set(without)
    kept = [line for number, line in enumerate(lines) if number not in gone] if gone else lines
    return b"\n".join([b"", *kept])
