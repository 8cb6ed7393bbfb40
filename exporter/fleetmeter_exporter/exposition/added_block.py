"""The lines of numbers that are added up: counters, histograms and summaries, of one layout or several."""

from collections.abc import Mapping, Sequence
from itertools import compress
from operator import add, is_not
from typing import TYPE_CHECKING

from fleetmeter.reader.families import Amounts
from fleetmeter.reader.returned import telling_number
from fleetmeter.schema.exemplars import newer
from fleetmeter_exporter.exposition.block import Starts, Subject, lines_of
from fleetmeter_exporter.exposition.columns import Columns, in_units
from fleetmeter_exporter.exposition.lines import UnfitName, exemplar_text, number_text
from fleetmeter_exporter.exposition.series import Series

if TYPE_CHECKING:
    from prometheus_client.samples import Exemplar


class AddedBlock:
    """The lines of its subject; see `block`.

    `samples` is their number. The text format has times of creation in a family of their own: its lines are
    `created_lines`.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self._columns = Columns(subject)
        self._has_created = subject.created is not None
        self._created_among = self._has_created and subject.form.openmetrics
        lines = [*self._columns.lines, *([("_created", ())] if self._has_created else [])]
        starts = [Starts(layout.name, sorted(layout.labels), lines, subject) for layout in subject.layouts]
        self._series = Series(subject, self._columns, lambda at, series: starts[at].of(series), len(lines))
        self._width = len(lines) - (self._has_created and not self._created_among)
        self._learned: Sequence[Amounts] | None = None
        self._plain = False
        self._kept: tuple[Sequence[float | None], list[str]] = (), []
        self._shown: tuple[Sequence[Amounts], bytes] | None = None
        self._places: list[Mapping[bytes, tuple[int, int]]] | None = None
        self._examples: dict[tuple[int, bytes], tuple[Exemplar, str]] = {}
        self.samples = 0
        self.created_lines = b""

    def text(self, amounts: Sequence[Amounts]) -> bytes | None:
        """The lines in the order of an exposition, for the amounts in each layout; None for the general way."""
        if self._shown is not None and all(map(_same, self._shown[0], amounts)):
            return self._shown[1]
        self._shown = None
        if self._learned is None or not all(map(_alike, self._learned, amounts)):
            self._learned = [layout._replace(numbers=None, exemplars={}) for layout in amounts]
            self._places, self._examples = None, {}
            try:
                self._plain = self._columns.possible and self._learn(amounts)
            except UnfitName:  # the general way says what is wrong, as there may be more than this
                self._plain = False
        text = self._joined(amounts) if self._plain else None
        if text is not None:
            self._shown = amounts, text
        return text

    def _learn(self, amounts: Sequence[Amounts]) -> bool:
        if not self._series.learn([layout.fields for layout in amounts]):
            return False
        self._starts = self._series.starts()
        if self._kept[1]:
            known = dict(zip(self._series.before, zip(*self._kept, strict=True), strict=False))
            kept = [known.get(number, (None, "")) for number in self._series.order]
            self._kept = [stored for stored, _ in kept], [text for _, text in kept]
        if self._has_created:
            self._created = self._creations(amounts)
            if not self._created_among:
                width = self._width + 1
                self.created_lines = lines_of(self._starts[self._width :: width], self._created)
                del self._starts[self._width :: width]
        return True

    def _creations(self, amounts: Sequence[Amounts]) -> list[str]:
        """The time of creation of each series: its family's, or its return if it came back later in each layout."""
        first = self.subject.created or 0.0
        usual = [number_text(first)] * self._series.count
        if not any(layout.returned for layout in amounts):
            return usual
        since: dict[int, int] = {}
        for at, (layout, one) in enumerate(zip(amounts, self.subject.layouts, strict=True)):
            for field, (rank, _) in self._series.slots(at).items():
                came = layout.returned.get(telling_number(field, has_part=one.has_parts), 0)
                since[rank] = min(since.get(rank, came), came)
        # an earlier time is from before the family was removed
        later = {rank: number_text(came / 1e6) for rank, came in since.items() if came / 1e6 > first}
        return [later.get(rank, text) for rank, text in enumerate(usual)]

    def _joined(self, amounts: Sequence[Amounts]) -> bytes | None:
        rows, columns = self._series.count, self._columns
        total: list[float] = []
        for layout, pick, one in zip(amounts, self._series.picks, self.subject.layouts, strict=True):
            if layout.numbers is None:
                return None
            first = rows * columns.scaled
            numbers = list(pick([*layout.numbers, 0]))
            stored = numbers[first : first + rows]
            numbers = in_units(numbers, first, first + rows, one.scale)
            total = list(map(add, total, numbers)) if total else numbers
        shown = columns.shown(total, rows)
        if shown is None:
            return None
        width, starts = self._width, self._starts
        texts = [""] * (rows * width)
        for line, column in enumerate(shown):
            texts[line::width] = map(repr, column) if line < columns.dear else self._spelled(stored, column)
        if self._created_among:
            texts[width - 1 :: width] = self._created
        for line, example in self._examples_of(amounts).items():
            texts[line] += example
        negative = columns.negative_sums(shown) if self.subject.form.openmetrics else []
        if negative:
            starts = starts[:]
            for place in (row * width + line for row in negative for line in columns.without_sum()):
                starts[place] = texts[place] = ""
        self.samples = rows * (len(columns.lines) + self._has_created) - len(negative) * len(columns.without_sum())
        return lines_of(starts, texts)

    def _spelled(self, stored: Sequence[float], column: Sequence[float]) -> list[str]:
        """The texts of a column, given its stored numbers, which are the same objects where nothing changed.

        Spelling a fraction takes ten times as long as a count. So the texts of unchanged fractions are kept.
        """
        if len(self.subject.layouts) > 1 or not (self.subject.layouts[0].scale != 1 or float in set(map(type, stored))):
            self._kept = (), []
            return list(map(repr, column))
        before, texts = self._kept
        changed = list(compress(range(len(stored)), map(is_not, stored, before)))
        if len(before) < len(stored) or len(changed) > len(stored) // 2:
            texts = list(map(repr, column))
        else:
            for place in changed:
                texts[place] = repr(column[place])
        self._kept = stored, texts
        return texts

    def _examples_of(self, amounts: Sequence[Amounts]) -> dict[int, str]:
        """The text of exemplars, by line. If several exemplars belong to one line, the newest is shown."""
        known, self._examples = self._examples, {}
        newest: dict[int, tuple[Exemplar, str]] = {}
        for at, layout in enumerate(amounts):
            for field, exemplar in layout.exemplars.items():
                line = self._line_of(at, field)
                if line is None:
                    continue
                found = known.get((at, field))
                if found is None or found[0] is not exemplar:
                    found = exemplar, exemplar_text(exemplar)
                self._examples[at, field] = found
                if line not in newest or newer(exemplar, newest[line][0]) is exemplar:
                    newest[line] = found
        return {line: text for line, (_, text) in newest.items()}

    def _line_of(self, at: int, field: bytes) -> int | None:
        """The line that shows the number of a field, and so its exemplar; None if no line does."""
        if self._places is None:  # made only now, because most families have no exemplars
            self._places = [self._series.slots(layout) for layout in range(len(self.subject.layouts))]
        rank, column = self._places[at].get(field, (0, None))
        line = self._columns.example_line(column) if column is not None else None
        return rank * self._width + line if line is not None else None


def _alike(before: Amounts, now: Amounts) -> bool:
    """Whether the fields and returns are the same, so that everything learnt from one holds for the other."""
    return (before.fields is now.fields or before.fields == now.fields) and (
        before.returned is now.returned or before.returned == now.returned
    )


def _same(before: Amounts, now: Amounts) -> bool:
    return before.numbers is now.numbers and before.exemplars == now.exemplars and _alike(before, now)
