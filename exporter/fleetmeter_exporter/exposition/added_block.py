"""The lines of numbers that are added up: counters, histograms and summaries, of one layout or several."""

from collections.abc import Sequence
from itertools import compress, repeat
from math import lcm
from operator import add, ne
from typing import TYPE_CHECKING, Any

from fleetmeter.reader.digits import spelled
from fleetmeter.reader.families import Amounts
from fleetmeter.reader.plain_lists import PlainLists, are_plain
from fleetmeter.reader.returned import telling_number
from fleetmeter.schema.scale import in_finer_units, unscaled
from fleetmeter_exporter.exposition.added_examples import AddedExamples
from fleetmeter_exporter.exposition.arrangement import Made, with_ends
from fleetmeter_exporter.exposition.block import Lines, Subject, in_pieces
from fleetmeter_exporter.exposition.columns import Columns, in_units
from fleetmeter_exporter.exposition.lines import UnfitName, number_text
from fleetmeter_exporter.exposition.series import Series

if TYPE_CHECKING:
    from fleetmeter.reader.sample import Labels


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
        created: list[tuple[str, Labels]] = [("_created", ())] if self._has_created else []
        texts = [[*self._columns.lines, *created]] if self._created_among else [self._columns.lines, created]
        self._lines = [lines for lines in texts if lines]
        self._width = len(self._lines[0])
        self._spells = False
        self._makers = self._made()
        widths = list(map(len, self._lines))
        self._series = Series(subject, self._columns, self._fill, self._make, widths)
        self._learned: Sequence[Amounts] | None = None
        self._plain = False
        self._kept: tuple[Sequence[float | None], list[bytes]] = (), []
        self._shown: tuple[Sequence[Amounts], bytes | None] | None = None
        self._examples = AddedExamples(self._columns, self._series, self._width)
        self.samples = 0
        self.created_lines = b""

    def text(self, amounts: Sequence[Amounts]) -> bytes | None:
        """The lines in the order of an exposition, for the amounts in each layout; None for the general way.

        The text is kept from the second time on that it is made of the same amounts: most change at each scrape.
        """
        again = self._shown is not None and all(map(_same, self._shown[0], amounts))
        if self._shown is not None and again and self._shown[1] is not None:
            return self._shown[1]
        self._shown = None
        if self._learned is None or not all(map(_alike, self._learned, amounts)):
            self._learned = [layout._replace(numbers=None, exemplars={}) for layout in amounts]
            try:
                self._plain = self._columns.possible and self._learn(amounts)
            except UnfitName:  # the general way says what is wrong, as there may be more than this
                self._plain = False
        text = self._joined(amounts) if self._plain else None
        if text is not None:
            self._shown = amounts, text if again else None
        return text

    def _made(self) -> list[list[Lines]]:
        """What makes the lines of series, for each layout and text."""
        makers = []
        for layout in self.subject.layouts:
            names = sorted(layout.labels)
            ends = [[self._end(line) for line in range(self._width)], ["%b"]]
            some = zip(self._lines, ends, strict=False)
            makers.append([Lines(layout.name, names, lines, self.subject, end) for lines, end in some])
        return makers

    def _fill(self, keys: Sequence[bytes]) -> list[Made] | None:
        layout, makers = self.subject.layouts[0], self._makers[0]
        size, width, closing = len(keys), len(layout.labels), "" if layout.has_parts else "]"
        if not size or not all(maker.fits_lists() for maker in makers):
            return None
        if not are_plain(b"\n".join(keys), size, width, closing=closing):
            return None

        def made(maker: Lines) -> Made:
            def lines(some: Sequence[bytes]) -> str:
                return maker.of_lists(PlainLists.of_plain(b"\n".join(some), len(some), width, "[", closing))

            return lambda _, ordered: in_pieces(ordered, lines)

        return list(map(made, makers))

    def _make(self, at: int, columns: Sequence[Sequence[str]], count: int) -> list[list[str]]:
        return [maker.of(columns, count) for maker in self._makers[at]]

    def _end(self, line: int) -> str:
        """What a line of the first text ends with; see `Lines`."""
        return "%b" if line >= len(self._columns.lines) or (self._spells and line >= self._columns.dear) else "%a"

    def _learn(self, amounts: Sequence[Amounts]) -> bool:
        if not self._series.count:
            self._choose(amounts[0].numbers or ())
        if not self._series.learn([layout.fields for layout in amounts]):
            return False
        self._examples.follow()
        if self._kept[1]:
            stored, texts = self._kept
            arrangement = self._series.arrangement
            self._kept = arrangement.carried(stored, None), arrangement.carried(texts, b"")
        if self._has_created:
            self._created = self._creations(amounts)
            if not self._created_among:
                self.created_lines = self._series.arrangement.texts[1] % tuple(self._created)
        return True

    def _creations(self, amounts: Sequence[Amounts]) -> list[bytes]:
        """The time of creation of each series: its family's, or its return if it came back later in each layout."""
        first = self.subject.created or 0.0
        usual = [number_text(first).encode()] * self._series.count
        if not any(layout.returned for layout in amounts):
            return usual
        since: dict[int, int] = {}
        for at, (layout, one) in enumerate(zip(amounts, self.subject.layouts, strict=True)):
            for field, rank, _ in self._series.places(at):
                came = layout.returned.get(telling_number(field, has_part=one.has_parts), 0)
                since[rank] = min(since.get(rank, came), came)
        # an earlier time is from before the family was removed
        later = {rank: number_text(came / 1e6).encode() for rank, came in since.items() if came / 1e6 > first}
        return [later.get(rank, text) for rank, text in enumerate(usual)]

    def _joined(self, amounts: Sequence[Amounts]) -> bytes | None:
        rows, columns = self._series.count, self._columns
        total: list[float] = []
        scales = [one.scale for one in self.subject.layouts]
        scale, first = lcm(*scales), rows * columns.scaled
        for layout, pick, one in zip(amounts, self._series.picks, self.subject.layouts, strict=True):
            if layout.numbers is None:
                return None
            numbers = list(pick([*layout.numbers, 0]))
            stored = numbers[first : first + rows]
            if len(amounts) > 1 and (one.scale != scale or not set(map(type, stored)) <= {int, float}):
                numbers[first : first + rows] = map(in_finer_units, stored, repeat(scale // one.scale))
            total = list(map(add, total, numbers)) if total else numbers
        plain = len(amounts) == 1 or set(map(type, total[first : first + rows])) <= {int, float}
        if plain and len(set(scales)) == 1:
            total = in_units(total, first, first + rows, scale)
        else:
            total[first : first + rows] = map(unscaled, total[first : first + rows], repeat(scale))
        shown = columns.shown([total[rows * at : rows * (at + 1)] for at in range(columns.count)])
        if shown is None:
            return None
        self._choose(stored)
        width = self._width
        values: list[Any] = [None] * (rows * width)
        for line, column in enumerate(shown):
            values[line::width] = column if line < columns.dear or not self._spells else self._spelled(stored, column)
        if self._created_among:
            values[width - 1 :: width] = self._created
        text = self._series.arrangement.texts[0]
        examples = self._examples.of([layout.exemplars for layout in amounts])
        if examples:
            text = self._examples.prepared()
            for line, example in examples.items():
                number = values[line]
                values[line] = (number if isinstance(number, bytes) else b"%a" % number) + example
        negative = columns.negative_sums(shown) if self.subject.form.openmetrics else []
        gone = {row * width + line for row in negative for line in columns.without_sum()}
        if gone:
            text = with_ends(text, (), without=gone)
            values = [value for place, value in enumerate(values) if place not in gone]
        self.samples = rows * (len(columns.lines) + self._has_created) - len(gone)
        return text % tuple(values)

    def _choose(self, stored: Sequence[float]) -> None:
        """Decide whether sums are put in as texts that are kept, or as numbers: counts are spelled in no time."""
        one = len(self.subject.layouts) == 1
        spells = one and (self.subject.layouts[0].scale != 1 or float in set(map(type, stored)))
        if spells == self._spells:
            return
        self._spells, self._kept = spells, ((), [])
        self._makers = self._made()
        if self._series.count:
            texts, mark = self._series.arrangement.texts, self._end(self._columns.dear).encode()
            lines = range(self._columns.dear, len(self._columns.lines))
            places = (row * self._width + line for row in range(self._series.count) for line in lines)
            texts[0] = with_ends(texts[0], zip(places, repeat(mark), strict=False))
            self._examples.prepare_again()

    def _spelled(self, stored: Sequence[float], column: Sequence[float]) -> list[bytes]:
        """The texts of a column, given its stored numbers, which are the same objects where nothing changed.

        Spelling a fraction takes ten times as long as a count. So the texts of unchanged fractions are kept.
        """
        before, texts = self._kept
        changed = list(compress(range(len(stored)), map(ne, stored, before)))
        if len(before) < len(stored) or len(changed) > len(stored) // 2:
            texts = spelled(column)
        else:
            for place in changed:
                texts[place] = b"%a" % column[place]
        self._kept = stored, texts
        return texts


def _alike(before: Amounts, now: Amounts) -> bool:
    """Whether the fields and returns are the same, so that everything learnt from one holds for the other."""
    return (before.fields is now.fields or before.fields == now.fields) and (
        before.returned is now.returned or before.returned == now.returned
    )


def _same(before: Amounts, now: Amounts) -> bool:
    return before.numbers is now.numbers and before.exemplars == now.exemplars and _alike(before, now)
