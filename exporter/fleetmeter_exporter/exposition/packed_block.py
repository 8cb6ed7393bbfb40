"""The lines of packed numbers, of one layout."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fleetmeter.reader.packed import PackedNumbers
from fleetmeter.reader.places import Places
from fleetmeter.reader.spelling import columns_of
from fleetmeter_exporter.exposition.block import Lines, Subject
from fleetmeter_exporter.exposition.columns import Columns
from fleetmeter_exporter.exposition.example_lines import ExampleLines
from fleetmeter_exporter.exposition.lines import UnfitName
from fleetmeter_exporter.exposition.packed_columns import PackedColumns
from fleetmeter_exporter.exposition.row_patterns import RowPatterns

if TYPE_CHECKING:
    from prometheus_client.samples import Exemplar


_Examples = Mapping[int, Mapping[int, bytes]]


class _Shown(NamedTuple):
    """What was shown last; the texts only if it was shown twice."""

    numbers: PackedNumbers
    examples: _Examples
    texts: list[bytes]


class PackedBlock:
    """The lines of its subject, which has one layout and no times of creation; see `block`.

    Each series has a row, in the order of birth. What is kept from scrape to scrape are patterns, in the order of an
    exposition. If any number of the layout changed, all are put in: to find those that did, and their lines, would take
    longer. `samples` is the number of lines.
    """

    created_lines = b""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        columns, layout = Columns(subject), subject.layouts[0]
        ends = ["%d"] * columns.dear + ["%a"] * (len(columns.lines) - columns.dear)
        self._make = Lines(layout.name, sorted(layout.labels), columns.lines, subject, ends)
        self._columns = columns
        self._packed = PackedColumns(columns, layout)
        self._examples = ExampleLines(columns, layout)
        self._places: Places | None = None
        self._patterns = RowPatterns(len(columns.lines))
        self._shown: _Shown | None = None
        self.samples = 0

    def text(self, numbers: PackedNumbers, exemplars: Mapping[bytes, "Exemplar"]) -> Sequence[bytes] | None:
        """The lines in the order of an exposition, as some texts; None for the general way."""
        examples = self._examples.of(exemplars, numbers.places)
        before = self._shown
        again = before is not None and before.numbers is numbers and before.examples == examples
        if before is not None and again and before.texts:
            return before.texts
        try:
            possible = self._columns.possible and self._learn(numbers.places)
        except UnfitName:  # the general way says what is wrong, as there may be more than this
            possible = False
        shown = self._packed.of(numbers) if possible else None
        if shown is None:
            self._places = self._shown = None
            return None
        texts = self._changed(self._patterns.filled(shown), shown, examples)
        # most numbers change from scrape to scrape, and then it would take memory for nothing to keep the texts
        self._shown = _Shown(numbers, examples, texts if again else [])
        return texts

    def _learn(self, places: Places) -> bool:
        """Get to know new series. False if no writer would spell one so, or name such a part. Raises `UnfitName`."""
        if self._places is places:
            return True
        if self._places is None or not places.grew_from(self._places):
            self._patterns = RowPatterns(len(self._columns.lines))
        fresh = places.series[self._patterns.rows :]
        columns = columns_of(fresh, len(self.subject.layouts[0].labels))
        if columns is None or not self._packed.learn(places):
            return False
        self._patterns.add(self._make.of(columns, len(fresh)), places.series)
        self._places = places
        return True

    def _changed(self, texts: list[bytes], shown: Sequence[Sequence[float]], examples: _Examples) -> list[bytes]:
        """The texts with exemplars, and without the lines that OpenMetrics forbids if a sum is negative."""
        openmetrics = self.subject.form.openmetrics
        negative = set(self._columns.negative_sums(shown)) if openmetrics else set[int]()
        gone = self._columns.without_sum()
        self.samples = self._patterns.rows * len(self._columns.lines) - len(negative) * len(gone)
        for at, rows in self._patterns.texts_of({*examples, *negative}).items():
            lines = texts[at].split(b"\n")[1:]
            for row, first in rows.items():
                for line, example in examples.get(row, {}).items():
                    lines[first + line] += example
            without = {first + line for row, first in rows.items() if row in negative for line in gone}
            texts[at] = b"".join([b"\n" + text for line, text in enumerate(lines) if line not in without])
        return texts
