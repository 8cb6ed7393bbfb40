"""The series of a family's layouts, in their order, and the places of their numbers in each layout.

What is known of a series is kept from scrape to scrape. A series is a row, which has a number in each column; what is
kept of a layout is the place of each of them among its fields. If a scrape finds new fields, it parses only these.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import compress, count, repeat, takewhile
from operator import itemgetter
from typing import Any, NamedTuple

from fleetmeter.reader.change import Change, Shuffle
from fleetmeter.reader.fields import Fields
from fleetmeter.reader.numbers import parted, plain_parts, plain_texts
from fleetmeter_exporter.exposition.arrangement import Arrangement, Made, of_rows
from fleetmeter_exporter.exposition.block import Subject, picker
from fleetmeter_exporter.exposition.columns import Columns

Fill = Callable[[Sequence[bytes]], Sequence[Made] | None]
"""Takes what the fields of an only layout's series begin with; returns what makes lines of these, for each text.

None if they must be made of columns of label values.
"""

Make = Callable[[int, Sequence[Sequence[str]], int], Sequence[list[str]]]
"""Takes a layout's place, columns of label values, and the number of series; returns their lines for each text."""


class _New:
    """The series that a scrape brings: their keys and lines, and the number that each series has, by its own key."""

    def __init__(self, texts: int) -> None:
        self.keys: list[Any] = []
        self.lines: list[list[str]] = [[] for _ in range(texts)]
        self.made: Sequence[Made] | None = None  # what makes the lines instead
        self.numbers: dict[int, dict[bytes, int]] = {}


class _Found(NamedTuple):
    """The numbers of some fields' series, and their columns; None for series of one number."""

    series: Sequence[int]
    columns: Sequence[int] | None


class Series:
    """The series of the layouts of a subject, and their lines: texts that hold `widths` lines of each."""

    def __init__(self, subject: Subject, columns: Columns, fill: Fill, make: Make, widths: Sequence[int]) -> None:
        self._layouts, self._columns, self._fill, self._make = subject.layouts, columns, fill, make
        self._texts = len(widths)
        sets = [frozenset(layout.labels) for layout in self._layouts]
        self._sets = {labels: place for place, labels in enumerate(dict.fromkeys(sets))}
        self._set_of = [self._sets[labels] for labels in sets]  # layouts of one set of labels share series
        self._display = [tuple[str, ...]()] * len(self._sets)
        for definition in (*reversed(self._layouts), subject.newest):
            labels = frozenset(definition.labels)
            if labels in self._sets:
                self._display[self._sets[labels]] = definition.labels
        self._tails: dict[bytes, int] = {}
        self._known = [Fields() for _ in self._layouts]
        self._places: list[Sequence[int]] = [() for _ in self._layouts]  # column by column; behind all fields if none
        self.arrangement = Arrangement(widths)
        self.only_grew = False
        """Whether the last change only brought fields, so that each that was there is still there."""
        self.picks: list[Callable[[Sequence[float]], Sequence[float]]] = []
        """For each layout a function from its numbers, with a 0 behind them, to the columns of all series."""

    @property
    def count(self) -> int:
        """The number of series."""
        return len(self.arrangement)

    def learn(self, fields: Sequence[Fields]) -> bool:
        """Find the series of each layout's fields. False if no writer would spell one so. Raises `UnfitName`."""
        changes = [some.since(known) for some, known in zip(fields, self._known, strict=True)]
        self.only_grew = not any(change.gone for change in changes)
        new, found = _New(self._texts), list[_Found]()
        for at, (some, change) in enumerate(zip(fields, changes, strict=True)):
            fresh = list(map(some.__getitem__, change.came)) if len(change.came) < len(some) else some
            those = self._found(at, fresh, new)
            if those is None:
                return False
            found.append(those)
        rows = self.count
        made = new.made if new.made is not None else list(map(of_rows, new.lines))
        self.arrangement.change(self._gone(changes, found), new.keys, made)
        self._places = [
            self._moved(at, rows, len(some), change, made)
            for at, (some, change, made) in enumerate(zip(fields, changes, found, strict=True))
        ]
        self._known = list(fields)
        self.picks = list(map(picker, self._places))
        return True

    def places(self, at: int) -> Iterator[tuple[bytes, int, int]]:
        """Each field of a layout, the place of its series, and its column."""
        fields, rows = self._known[at], self.count
        for number, place in enumerate(self._places[at]):
            if place < len(fields):
                yield fields[place], number % rows, number // rows

    def places_of(self, at: int, some: Collection[bytes]) -> Mapping[bytes, tuple[int, int]]:
        """The place of the series, and the column, of those fields of a layout that are among some."""
        fields, places, rows = self._known[at], self._places[at], self.count
        here = {*compress(count(), map(frozenset(some).__contains__, fields))}
        return {fields[places[one]]: (one % rows, one // rows) for one in _among(here, places)}

    def _gone(self, changes: Sequence[Change], found: Sequence[_Found]) -> list[int]:
        """The rows of which every field went, and which got no new one."""
        if not any(change.gone for change in changes):
            return []
        rows = self.count
        went = [{*change.gone} for change in changes]
        touched = {one % rows for gone, places in zip(went, self._places, strict=True) for one in _among(gone, places)}
        for made in found:
            touched.difference_update(made.series)
        for gone, known, places in zip(went, self._known, self._places, strict=True):
            gone.add(len(known))  # which is the place of numbers that a series does not have
            touched = {row for row in touched if gone.issuperset(places[row::rows])}
        return sorted(touched)

    def _moved(self, at: int, rows: int, size: int, change: Change, made: _Found) -> Sequence[int]:
        """The places of a layout's numbers after a change, given the number of `rows` before and the fields' `size`."""
        arrangement, stride = self.arrangement, self._columns.count
        if not rows and made.columns is None and len(self._layouts) == 1:  # a series has the number of its field
            return tuple(arrangement.order)
        before: Sequence[int] = self._places[at]
        if change.came or change.gone or isinstance(change, Shuffle):
            table = change.moved
            if change.gone:
                table = [place if place >= 0 else size for place in table]
            before = itemgetter(*before)(table) if len(before) > 1 else list(map(table.__getitem__, before))
        now: list[int] = []
        for column in range(stride):
            known = before[column * rows : (column + 1) * rows] if column * rows < len(before) else [size] * rows
            now += arrangement.carried(known, size)
        count, ranks = self.count, arrangement.ranks() if change.came else ()
        for place, series, column in zip(change.came, made.series, made.columns or repeat(0), strict=False):
            now[column * count + ranks[series]] = place
        return tuple(now)

    def _found(self, at: int, fields: Sequence[bytes], new: _New) -> _Found | None:
        """The series of new fields. None if no writer would spell one so."""
        layout = self._layouts[at]
        if not layout.has_parts:
            numbers = self._add(at, fields, new)
            return _Found(numbers, None) if numbers is not None else None
        keys, tails = parted(fields)
        unknown = list(set(tails) - self._tails.keys())
        parts = plain_parts(layout, unknown)
        if parts is None:
            return None
        for tail, part in zip(unknown, parts, strict=True):
            column = self._columns.of(part)
            if column is None:
                return None
            self._tails[tail] = column
        distinct = list(dict.fromkeys(keys))
        series = self._add(at, distinct, new)
        if series is None:
            return None
        number_of = dict(zip(distinct, series, strict=True))
        return _Found(list(map(number_of.__getitem__, keys)), list(map(self._tails.__getitem__, tails)))

    def _add(self, at: int, keys: Sequence[bytes], new: _New) -> Sequence[int] | None:
        """The numbers of series. New series get one; if two layouts share a series, the first layout's text is kept."""
        first, layout = self.count + len(new.keys), self._layouts[at]
        fresh, numbers = keys, None
        if layout.has_parts or self._set_of.count(self._set_of[at]) > 1:  # else no series has two fields
            known = new.numbers.setdefault(self._set_of[at], {})
            if known or self.count:
                rows = {key: self._row(at, key) for key in keys if key not in known} if self.count else {}
                known.update((key, row) for key, row in rows.items() if row is not None)
                fresh = [key for key in keys if key not in known]
            known.update(zip(fresh, count(first), strict=False))
            numbers = list(map(known.__getitem__, keys))
        if len(self._layouts) == 1:
            new.made = self._fill(fresh)
        columns = plain_texts(layout, fresh) if new.made is None else ()
        if columns is None:
            return None
        if new.made is None:
            for text, more in zip(new.lines, self._make(at, columns, len(fresh)), strict=True):
                text.extend(more)
        new.keys += fresh if len(self._sets) == 1 else self._sortable(at, fresh, columns)
        return numbers if numbers is not None else range(first, first + len(fresh))

    def _row(self, at: int, key: bytes) -> int | None:
        """The row of a known series of a layout, by the beginning of its fields."""
        keys = self.arrangement.keys
        if len(self._sets) == 1:
            place = bisect_left(keys, key)
            return place if place < len(keys) and keys[place] == key else None
        own = self._set_of[at]
        same = takewhile(lambda place: keys[place][0] == key, range(bisect_left(keys, (key,)), len(keys)))
        return next((place for place in same if keys[place][2] == own), None)

    def _sortable(self, at: int, keys: Sequence[bytes], columns: Sequence[Sequence[str]]) -> list[Any]:
        """Keys with the labels in the order of display, to sort by: two sets of labels may have equal fields."""
        own = dict(zip(sorted(self._layouts[at].labels), columns, strict=True))
        names, set_at = self._display[self._set_of[at]], self._set_of[at]
        pairs = (
            zip(*(zip(repeat(name), own[name], strict=False) for name in names), strict=True) if names else repeat(())
        )
        return [(key, some, set_at) for key, some in zip(keys, pairs, strict=False)]


def _among(some: Collection[int], places: Sequence[int]) -> Iterator[int]:
    """Where some places stand in a list of places."""
    return compress(count(), map(some.__contains__, places))
