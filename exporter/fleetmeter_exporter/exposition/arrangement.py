"""Rows in their order, and the lines of all rows as one text."""

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any, TypeVar

T = TypeVar("T")


class Arrangement:
    """Rows in the order of their `keys`, with some texts: each holds `widths` lines of every row, row by row.

    A text is kept whole, because a text for each line takes twice as much memory. It is taken apart into its lines when
    rows come or go.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        self.keys: list[Any] = []
        self.texts = [b""] * len(widths)
        self.order: Sequence[int] = ()
        """For each row its number before the last change; new rows have the numbers behind."""
        self._widths = widths

    def change(self, stays: Sequence[int] | None, keys: Sequence[Any], lines: Sequence[Sequence[str]]) -> None:
        """Keep the rows that have the numbers `stays`, all if that is None, and put in rows with these new keys.

        Of each text `lines` has the new rows' lines, those of a row joined by line feeds.
        """
        count = len(self.keys)
        if stays is None and not keys:
            self.order = range(count)
            return
        pool = [*self.keys, *keys]
        new = sorted(range(count, len(pool)), key=pool.__getitem__)
        old = range(count) if stays is None else stays
        # two pieces that are in order are merged in less time than what is in no order
        order = sorted([*old, *new], key=pool.__getitem__) if old else new
        self.order, self.keys = order, list(map(pool.__getitem__, order))
        for at, (width, fresh) in enumerate(zip(self._widths, lines, strict=True)):
            rows = [*(self._rows(at, width) if count else ()), *fresh]
            self.texts[at] = "\n".join(["", *map(rows.__getitem__, order)]).encode()

    def carried(self, before: Sequence[T], new: T) -> list[T]:
        """Something of each row, given what it was before the last change; that of a new row is `new`."""
        return list(map([*before, *repeat(new, len(self.order))].__getitem__, self.order))

    def ranks(self) -> list[int]:
        """By the number that a row had before the last change, its place now; of rows that went it means nothing."""
        ranks = [0] * (max(self.order, default=-1) + 1)
        for rank, number in enumerate(self.order):
            ranks[number] = rank
        return ranks

    def _rows(self, at: int, width: int) -> list[str]:
        """The lines of each row."""
        lines = self.texts[at].decode().split("\n")[1:]
        return lines if width == 1 else list(map("\n".join, zip(*repeat(iter(lines), width), strict=True)))


def with_ends(text: bytes, ends: Iterable[tuple[int, bytes]], *, without: Iterable[int] = ()) -> bytes:
    """A text of patterns whose lines end with other marks; without some lines. Lines have their numbers, from 0."""
    lines = text.split(b"\n")[1:]
    for number, mark in ends:
        lines[number] = lines[number][: -len(mark)] + mark
    gone = set(without)
    kept = [line for number, line in enumerate(lines) if number not in gone] if gone else lines
    return b"\n".join([b"", *kept])
