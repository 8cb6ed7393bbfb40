"""The numbers that a series of a type has, and the lines that show them."""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache, reduce
from itertools import accumulate, repeat
from operator import add, or_, truediv
from sys import byteorder
from typing import TYPE_CHECKING

from fleetmeter.schema.scale import Scale, unscaled
from fleetmeter_exporter.exposition.block import Subject

if TYPE_CHECKING:
    from fleetmeter.reader.sample import Labels

_SPARE = 64
"""How many more columns there may be for bounds that the newest definition lacks, beside as many as it has."""

_SMALL = (2**47 - 1).to_bytes(8, byteorder)
"""The bits of small counts, as an item of an array has them."""

_FEW = 2**16
"""So many small counts together are still below 2^63."""


class Columns:
    """The numbers of a family's series as columns: one column for each part, with one number for each series.

    The parts of a histogram are the bounds of the newest definition, then the sum. A bound that it lacks has a column
    behind these, and its counts are added to the next larger bound: with bounds 1 and 5, a count of 2 goes to 5.
    """

    def __init__(self, subject: Subject) -> None:
        newest = subject.newest
        self._bounds = newest.bounds
        self._ascending = [float(bound) for bound in newest.bounds]
        parts = {"counter": [""], "summary": ["count", "sum"]}.get(newest.type, [*newest.bounds, "sum"])
        self._by_part = {part: column for column, part in enumerate(parts)}
        self._own = len(parts)
        self._moved: list[int] = []
        self.most = 2 * self._own + _SPARE if self._bounds else self._own
        """The largest number of columns."""
        self.scaled = len(parts) - 1
        """The column whose numbers are in stored units; the other columns are counts."""
        self.possible = (newest.type == "histogram") == bool(newest.bounds)
        """Whether the definition says which columns there are."""
        has_sum = newest.type != "counter" and (not self._ascending or self._ascending[0] >= 0)
        has_count = newest.type != "counter" and (has_sum or not subject.form.openmetrics)  # no count without a sum
        bucket = [("_bucket", (("le", bound),)) for bound in newest.bounds]
        total = [("_total", ())] if newest.type == "counter" else []
        self.lines: list[tuple[str, Labels]] = [
            *total, *bucket, *([("_count", ())] if has_count else []), *([("_sum", ())] if has_sum else []),
        ]  # fmt: skip
        self._has_sum, self._has_count = has_sum, has_count
        self.dear = len(self.lines) - (newest.type == "counter" or has_sum)
        """The line from which on numbers may be fractions."""

    @property
    def count(self) -> int:
        """The number of columns."""
        return self._own + len(self._moved)

    def of(self, part: str) -> int | None:
        """The column of a part, made if there is none yet; None if the part can have no column."""
        column = self._by_part.get(part)
        if column is None and self.count < self.most and (bucket := self._bucket(part)) is not None:
            column = self._by_part[part] = self.count
            self._moved.append(bucket)
        return column

    def example_line(self, column: int) -> int | None:
        """The line of a series that shows the exemplar of a column; None for sums, and for all columns of a summary."""
        if not self._bounds:
            return 0 if self._own == 1 else None
        if column >= self._own:
            return self._moved[column - self._own]
        return column if column < self._own - 1 else None

    def _bucket(self, part: str) -> int | None:
        """The column of the bucket that gets the counts of a bound; None if the part is no bound."""
        try:
            bound = float(part)
        except ValueError:
            return None
        return bisect_left(self._ascending, bound) if self._ascending and bound == bound else None

    def shown(self, columns: list[Sequence[float]]) -> list[Sequence[float]] | None:
        """The numbers for each line, series by series, from those of each column; None if counts are not whole."""
        for place, bucket in enumerate(self._moved, start=self._own):
            columns[bucket] = list(map(add, columns[bucket], columns[place]))
        if not self._bounds:
            return list(columns[: self._own])
        found = cumulated(columns[: self._own - 1])
        running = found[-1]
        if not set(map(type, running)) <= {int}:
            return None  # the order in which fractions are added up might change the sum
        return [*found, *([running] if self._has_count else []), *([columns[self._own - 1]] if self._has_sum else [])]

    def negative_sums(self, shown: Sequence[Sequence[float]]) -> list[int]:
        """The series whose sum is negative."""
        if not self._has_sum or not shown[-1] or min(shown[-1]) >= 0:
            return []
        return [row for row, total in enumerate(shown[-1]) if total < 0]

    def without_sum(self) -> list[int]:
        """The lines that OpenMetrics forbids in a series whose sum is negative: the sum, and a histogram's count."""
        last = len(self.lines) - 1
        return [last - 1, last] if self._bounds else [last]


def cumulated(columns: Sequence[Sequence[float]]) -> list[Sequence[float]]:
    """Each column with all columns before it added to it.

    Arrays of small counts are added as one large whole number each, of 64 bits for a series. Then no sum can reach the
    bits of the next series.
    """
    arrays = [column for column in columns if isinstance(column, array)]
    if len(arrays) == len(columns) < _FEW:
        size = len(_SMALL) * len(columns[0])
        wholes = [int.from_bytes(column.tobytes(), byteorder) for column in arrays]
        if not reduce(or_, wholes) & ~_small(len(columns[0])):
            return [array("q", whole.to_bytes(size, byteorder)).tolist() for whole in accumulate(wholes)]
    return list(accumulate(columns, lambda some, more: list(map(add, some, more))))


@lru_cache(maxsize=16)
def _small(count: int) -> int:
    return int.from_bytes(_SMALL * count, byteorder)


def in_units(numbers: list[float], first: int, last: int, scale: int) -> list[float]:
    """The numbers, those from `first` to `last` divided by the scale."""
    if scale == Scale.FEMTO:
        numbers[first:last] = map(unscaled, numbers[first:last], repeat(scale))
    elif scale != 1:
        numbers[first:last] = map(truediv, numbers[first:last], repeat(scale))
    return numbers
