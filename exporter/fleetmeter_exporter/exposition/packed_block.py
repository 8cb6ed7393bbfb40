"""The lines of packed numbers, of one layout: only the lines of series that changed are made anew."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from operator import mod
from typing import TYPE_CHECKING, Any

from fleetmeter.reader.packed import PackedNumbers
from fleetmeter.reader.places import Places
from fleetmeter.reader.spelling import columns_of
from fleetmeter_exporter.exposition.block import Lines, Subject, picker
from fleetmeter_exporter.exposition.columns import Columns
from fleetmeter_exporter.exposition.example_lines import ExampleLines
from fleetmeter_exporter.exposition.lines import UnfitName
from fleetmeter_exporter.exposition.packed_columns import PackedColumns

if TYPE_CHECKING:
    from prometheus_client.samples import Exemplar


@dataclass
class _Known:
    """What a block knows of its rows: their lines, or what those are made of, and what they were made for last."""

    places: Places | None = None
    numbers: PackedNumbers | None = None
    rows: list[bytes] = field(default_factory=list)
    patterns: list[bytes] = field(default_factory=list)
    order: Sequence[int] = ()
    pick: Callable[[Sequence[Any]], Sequence[Any]] = field(default_factory=lambda: picker(()))
    negative: set[int] = field(default_factory=set)


class PackedBlock:
    """The lines of its subject, which has one layout and no times of creation; see `block`.

    Each series has a row, in the order of birth, with its lines as a text. The one line of a counter is made anew from
    the old one; what others are made of is kept. `samples` is the number of lines.
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
        self._known = _Known()
        self.samples = 0

    def text(self, numbers: PackedNumbers, exemplars: Mapping[bytes, "Exemplar"]) -> Sequence[bytes] | None:
        """The lines in the order of an exposition, as a text for each series; None for the general way."""
        try:
            possible = self._columns.possible and self._learn(numbers.places) and self._update(numbers)
        except UnfitName:  # the general way says what is wrong, as there may be more than this
            possible = False
        if not possible:
            self._known = _Known()
            return None
        return self._texts(exemplars, numbers.places)

    def _learn(self, places: Places) -> bool:
        """Get to know new series. False if no writer would spell one so, or name such a part. Raises `UnfitName`."""
        if self._known.places is places:
            return True
        if self._known.places is None or not places.grew_from(self._known.places):
            self._known = _Known()
        known = len(self._known.rows)
        fresh = places.series[known:]
        columns = columns_of(fresh, len(self.subject.layouts[0].labels))
        if columns is None or not self._packed.learn(places):
            return False
        patterns = [f"\n{lines}".encode() for lines in self._make.of(columns, len(fresh))]
        if len(self._columns.lines) == 1:
            self._known.rows += map(mod, patterns, repeat(0))
        else:
            self._known.patterns += patterns
            self._known.rows += repeat(b"", len(fresh))
        self._known.order = sorted([*self._known.order, *range(known, len(places))], key=places.series.__getitem__)
        self._known.pick = picker(self._known.order)
        self._known.places = places
        return True

    def _update(self, numbers: PackedNumbers) -> bool:
        """Make the lines of all rows that changed. False if no block can show their numbers."""
        rows = self._changed(numbers)
        self._known.numbers = numbers
        if rows is not None and not rows:
            return True
        shown = self._packed.of(numbers, rows)
        if shown is None:
            return False
        places = range(len(self._known.rows)) if rows is None else rows
        if not self._known.patterns:
            lines = self._known.rows if rows is None else picker(rows)(self._known.rows)
            ended = b"%b %d" if set(map(type, shown[0])) <= {int} else b"%b %a"
            heads = [line[: line.rindex(b" ")] for line in lines]
            made: Iterable[bytes] = map(mod, repeat(ended), zip(heads, *shown, strict=True))
        else:
            patterns = self._known.patterns if rows is None else picker(rows)(self._known.patterns)
            made = map(mod, patterns, zip(*shown, strict=True))
        if rows is None:
            self._known.rows = list(made)
        else:
            for row, text in zip(rows, made, strict=True):
                self._known.rows[row] = text
        if self.subject.form.openmetrics:
            self._known.negative.difference_update(places)
            self._known.negative.update(places[at] for at in self._columns.negative_sums(shown))
        return True

    def _changed(self, numbers: PackedNumbers) -> Sequence[int] | None:
        """The rows that changed since they were made; None for all."""
        before = self._known.numbers
        if before is numbers:
            return []
        if before is None or not numbers.follows(before):
            return None
        groups, changed = numbers.places.groups, numbers.changed(before)
        if len(groups) == 1:
            return changed[0]
        return sorted({group.rows[at] for group, places in zip(groups, changed, strict=True) for at in places})

    def _texts(self, exemplars: Mapping[bytes, "Exemplar"], places: Places) -> Sequence[bytes]:
        """All lines; those of a row with exemplars, or with a sum that OpenMetrics forbids, are changed for it."""
        rows, without = self._known.rows, self._columns.without_sum()
        examples = self._examples.of(exemplars, places)
        if examples or self._known.negative:
            rows = rows[:]
            for row in {*examples, *self._known.negative}:
                lines = rows[row].split(b"\n")
                for line, example in examples.get(row, {}).items():
                    lines[line + 1] += example
                gone = without if row in self._known.negative else ()
                rows[row] = b"\n".join([text for line, text in enumerate(lines, -1) if line not in gone])
        self.samples = len(rows) * len(self._columns.lines) - len(self._known.negative) * len(without)
        return self._known.pick(rows)
