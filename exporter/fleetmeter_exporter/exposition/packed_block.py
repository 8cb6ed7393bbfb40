"""The lines of families whose layouts are all packed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from operator import is_
from typing import TYPE_CHECKING, Any, NamedTuple

from fleetmeter.reader.packed import PackedNumbers
from fleetmeter.reader.places import Places
from fleetmeter.reader.spelling import columns_of
from fleetmeter.schema.definition import Definition
from fleetmeter_exporter.exposition.block import Lines, Subject
from fleetmeter_exporter.exposition.columns import Columns
from fleetmeter_exporter.exposition.example_lines import ExampleLines
from fleetmeter_exporter.exposition.lines import UnfitName
from fleetmeter_exporter.exposition.packed_columns import PackedColumns
from fleetmeter_exporter.exposition.row_patterns import RowPatterns
from fleetmeter_exporter.exposition.unwritten import Unwritten

if TYPE_CHECKING:
    from prometheus_client.samples import Exemplar

_Examples = dict[int, dict[int, bytes]]


class LayoutNumbers(NamedTuple):
    """The numbers of a layout, and its exemplars by the field of their number."""

    numbers: PackedNumbers
    exemplars: Mapping[bytes, "Exemplar"]


class _Shown(NamedTuple):
    """What was shown last; the texts only if it was shown twice."""

    numbers: list[PackedNumbers]
    examples: _Examples
    texts: list[bytes]


class PackedBlock:
    """The lines of its subject, which has no times of creation; see `block`.

    No two of its layouts have the same labels. Each series has a row: of two layouts, the first one has the rows 0, 2
    and 4, in the order of birth, and the other one has 1, 3 and 5. What is kept from scrape to scrape are patterns. If
    any number changed, all are put in, as they are sent: to find those that did would take longer. `samples` is the
    number of lines.
    """

    created_lines = b""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self._columns = columns = Columns(subject)
        ends = ["%b"] * len(columns.lines)
        layouts = subject.layouts
        self._lines = [Lines(one.name, sorted(one.labels), columns.lines, subject, ends) for one in layouts]
        self._packed = [PackedColumns(columns, layout) for layout in layouts]
        self._examples = [ExampleLines(columns, layout) for layout in layouts]
        self._places: list[Places] = []
        self._patterns = RowPatterns(len(columns.lines))
        self._shown: _Shown | None = None
        self.samples = 0

    def text(self, layouts: Sequence[LayoutNumbers]) -> Sequence[bytes | Unwritten] | None:
        """The lines in the order of an exposition, as some texts; None for another way."""
        numbers, examples = [layout.numbers for layout in layouts], self._exemplars(layouts)
        before = self._shown
        again = before is not None and _same(before.numbers, numbers) and before.examples == examples
        if before is not None and again and before.texts:
            return before.texts
        try:
            possible = self._columns.possible and self._learn([one.places for one in numbers])
        except UnfitName:  # the general way says what is wrong, as there may be more than this
            possible = False
        shown = self._numbers(numbers) if possible else None
        if shown is None:
            self._places, self._shown = [], None
            return None
        unwritten = self._patterns.filled(shown, self._columns.dear)
        texts = self._changed(unwritten, shown, examples)
        if again:  # most numbers change from scrape to scrape; then to keep the texts would take memory for nothing
            texts = texts or [*chain.from_iterable(unwritten)]
        self._shown = _Shown(numbers, examples, texts if again else [])
        return texts or unwritten

    def _exemplars(self, layouts: Sequence[LayoutNumbers]) -> _Examples:
        return {
            at + len(layouts) * row: lines
            for at, (finder, layout) in enumerate(zip(self._examples, layouts, strict=True))
            for row, lines in finder.of(layout.exemplars, layout.numbers.places).items()
        }

    def _learn(self, places: list[Places]) -> bool:
        """Get to know new series. False if no writer would spell one so, or name such a part. Raises `UnfitName`."""
        if _same(self._places, places):
            return True
        grew = [one.grew_from(before) for one, before in zip(places, self._places, strict=False)]
        known = list(map(len, self._places)) if grew and all(grew) else [0] * len(places)
        if not any(known):
            self._patterns = RowPatterns(len(self._columns.lines))
        numbers: list[int] = []
        patterns: list[str] = []
        keys: list[Any] = []
        for at, (layout, one) in enumerate(zip(self.subject.layouts, places, strict=True)):
            fresh = one.series[known[at] :]
            columns = columns_of(fresh, len(layout.labels))
            if columns is None or not self._packed[at].learn(one):
                return False
            patterns += self._lines[at].of(columns, len(fresh))
            numbers += range(at + len(places) * known[at], at + len(places) * len(one), len(places))
            keys += fresh if len(places) == 1 else self._sortable(layout, fresh, columns)
        self._patterns.add(numbers, patterns, keys)
        self._places = places
        return True

    def _sortable(
        self, layout: Definition, series: Iterable[bytes], columns: Sequence[Sequence[str]]
    ) -> Iterator[tuple[bytes, tuple[tuple[str, str], ...]]]:
        """What the series of several layouts are sorted by, as in the general way: their keys, then their labels."""
        newest = self.subject.newest.labels
        own = dict(zip(sorted(layout.labels), columns, strict=True))
        shown = [zip(repeat(name), own[name]) for name in (newest if own.keys() == {*newest} else layout.labels)]
        keys = (one[:-1] if one != b"[]" else b"" for one in series) if layout.has_parts else series
        return zip(keys, zip(*shown, strict=True) if shown else repeat(()), strict=False)

    def _numbers(self, numbers: Sequence[PackedNumbers]) -> list[Sequence[float]] | None:
        """The numbers of each line, row by row; None if no block can show them."""
        found: list[list[Sequence[float]]] = []
        for packed, one in zip(self._packed, numbers, strict=True):
            columns = packed.of(one)
            if columns is None:
                return None
            found.append(columns)
        return found[0] if len(found) == 1 else list(map(_interleaved, zip(*found, strict=True)))

    def _changed(
        self, unwritten: Sequence[Unwritten], shown: Sequence[Sequence[float]], examples: _Examples
    ) -> list[bytes]:
        """The texts with exemplars, and without the lines that OpenMetrics forbids if a sum is negative.

        There are none if nothing is to be changed.
        """
        openmetrics = self.subject.form.openmetrics
        negative = set(self._columns.negative_sums(shown)) if openmetrics else set[int]()
        gone = self._columns.without_sum()
        self.samples = sum(map(len, self._places)) * len(self._columns.lines) - len(negative) * len(gone)
        texts = [*chain.from_iterable(unwritten)] if examples or negative else []
        for at, rows in self._patterns.texts_of({*examples, *negative}).items():
            lines = texts[at].split(b"\n")[1:]
            for row, first in rows.items():
                for line, example in examples.get(row, {}).items():
                    lines[first + line] += example
            without = {first + line for row, first in rows.items() if row in negative for line in gone}
            texts[at] = b"".join([b"\n" + text for line, text in enumerate(lines) if line not in without])
        return texts


def _interleaved(columns: Sequence[Sequence[float]]) -> list[float]:
    """A number of each column in turn, and 0 for those of which a shorter one has no more."""
    found = [0.0] * (len(columns) * max(map(len, columns)))
    for at, column in enumerate(columns):
        found[at : len(columns) * len(column) : len(columns)] = column
    return found


def _same(some: Sequence[object], others: Sequence[object]) -> bool:
    return len(some) == len(others) and all(map(is_, some, others))
