"""The series of a family's layouts, in their order, and the places of their numbers in each layout.

What is known of a series is kept from scrape to scrape. Each number has a *slot*: the place of its series times the
number of columns, plus its own column. If a scrape finds new fields, it parses only these.
"""

from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain, compress, count, repeat
from operator import add, floordiv, mul
from typing import Any, NamedTuple

from fleetmeter.reader.fields import Fields, carried
from fleetmeter.reader.numbers import parted, plain_parts, plain_texts
from fleetmeter_exporter.exposition.arrangement import Arrangement
from fleetmeter_exporter.exposition.block import Subject, picker
from fleetmeter_exporter.exposition.columns import Columns

Make = Callable[[int, Sequence[Sequence[str]], int], Sequence[list[str]]]
"""Takes a layout's place, columns of label values, and the number of series; returns their lines for each text."""


class _New:
    """The series that a scrape brings: their keys and lines, and the number that each series has, by its own key."""

    def __init__(self, texts: int) -> None:
        self.keys: list[Any] = []
        self.lines: list[list[str]] = [[] for _ in range(texts)]
        self.numbers: dict[int, dict[bytes, int]] = {}


class _Found(NamedTuple):
    """The numbers of some fields' series, and their columns; None for series of one number."""

    series: Sequence[int]
    columns: Sequence[int] | None


class Series:
    """The series of the layouts of a subject, and their lines: texts that hold `widths` lines of each."""

    def __init__(self, subject: Subject, columns: Columns, make: Make, widths: Sequence[int]) -> None:
        self._layouts, self._columns, self._make, self._texts = subject.layouts, columns, make, len(widths)
        sets = [frozenset(layout.labels) for layout in self._layouts]
        self._sets = {labels: place for place, labels in enumerate(dict.fromkeys(sets))}
        self._set_of = [self._sets[labels] for labels in sets]  # layouts of one set of labels share series
        self._display = [tuple[str, ...]()] * len(self._sets)
        for definition in (*reversed(self._layouts), subject.newest):
            labels = frozenset(definition.labels)
            if labels in self._sets:
                self._display[self._sets[labels]] = definition.labels
        self._tails: dict[bytes, int] = {}
        self._known = [(Fields(), array("q")) for _ in self._layouts]
        self._stride = columns.count
        self.arrangement = Arrangement(widths)
        self.picks: list[Callable[[Sequence[float]], Sequence[float]]] = []
        """For each layout a function from its numbers, with a 0 behind them, to the columns of all series."""

    @property
    def count(self) -> int:
        """The number of series."""
        return len(self.arrangement.keys)

    def learn(self, fields: Sequence[Fields]) -> bool:
        """Find the series of each layout's fields. False if no writer would spell one so. Raises `UnfitName`."""
        new, found, gone = _New(self._texts), [], False
        for at, (some, (known, _)) in enumerate(zip(fields, self._known, strict=True)):
            places: Sequence[int] = range(len(some)) if some is known else some.places_in(known)
            fresh: Sequence[int] = places  # which the new fields are
            if some is known:
                fresh = ()
            elif known:
                fresh = [place - len(known) for place in places if place >= len(known)]
            made = self._found(at, [some[place] for place in fresh] if known else some, new)
            if made is None:
                return False
            gone = gone or len(places) - len(fresh) < len(known)
            found.append((places, fresh, made))
        stride, self._stride = self._stride, self._columns.count
        slots = [
            self._slots(stride, self._known[at][1], places, fresh, made)
            for at, (places, fresh, made) in enumerate(found)
        ]
        alone = self._stride == len(slots) == 1 and not self.count  # then a series has the number of its place
        self.arrangement.change(self._stay(slots) if gone else None, new.keys, new.lines)
        if gone or new.keys:
            table = self.arrangement.ranks()
            if self._stride > 1:
                table = list(chain.from_iterable(range(n * self._stride, (n + 1) * self._stride) for n in table))
            slots = [list(map(table.__getitem__, some)) for some in slots]
        self._known = [(some, array("q", own)) for some, own in zip(fields, slots, strict=True)]
        self.picks = [picker(self.arrangement.order) if alone else self._pick(own) for own in slots]
        return True

    def places(self, at: int) -> Iterator[tuple[bytes, int, int]]:
        """Each field of a layout, the place of its series, and its column."""
        fields, slots = self._known[at]
        return ((field, *divmod(slot, self._stride)) for field, slot in zip(fields, slots, strict=True))

    def places_of(self, at: int, some: Collection[bytes]) -> Mapping[bytes, tuple[int, int]]:
        """The place of the series, and the column, of those fields of a layout that are among some."""
        fields, slots = self._known[at]
        here = list(map(frozenset(some).__contains__, fields))
        found = zip(compress(fields, here), compress(slots, here), strict=True)
        return {field: divmod(slot, self._stride) for field, slot in found}

    def _pick(self, slots: Sequence[int]) -> Callable[[Sequence[float]], Sequence[float]]:
        places, stride = [len(slots)] * (self.count * self._stride), self._stride
        for place, slot in enumerate(slots):
            places[slot] = place
        if stride > 1:
            places = list(chain.from_iterable(places[column::stride] for column in range(stride)))
        return picker(places)

    def _slots(
        self, stride: int, known: Sequence[int], places: Sequence[int], fresh: Sequence[int], made: _Found
    ) -> list[int]:
        """The slots of all fields of a layout, with the numbers of series as they were before they were arranged.

        `stride` and `known` are those before, `places` of all fields among the known ones; `made` is about the `fresh`.
        """
        own = made.series
        if made.columns is not None:
            own = list(map(add, map(mul, made.series, repeat(self._stride)), made.columns))
        if not known:
            return list(own)
        if stride != self._stride:
            known = [slot // stride * self._stride + slot % stride for slot in known]
        now = [0] * len(places)
        for place, slot in zip(fresh, own, strict=True):
            now[place] = slot
        return carried(known, now, places)

    def _stay(self, slots: Sequence[Sequence[int]]) -> list[int]:
        """The numbers of the known series that have a field yet."""
        here: set[int] = set()
        for some in slots:
            here.update(map(floordiv, some, repeat(self._stride)))
        return sorted(number for number in here if number < self.count)

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
        if layout.has_parts or len(self._layouts) > 1:  # else no series has two fields
            numbers = new.numbers.get(self._set_of[at])
            if numbers is None:
                numbers = new.numbers[self._set_of[at]] = self._numbers(self._set_of[at])
            fresh = [key for key in keys if key not in numbers] if numbers else keys
        columns = plain_texts(layout, fresh)
        if columns is None:
            return None
        for known, lines in zip(new.lines, self._make(at, columns, len(fresh)), strict=True):
            known.extend(lines)
        new.keys += fresh if len(self._sets) == 1 else self._sortable(at, fresh, columns)
        if numbers is None:
            return range(first, first + len(fresh))
        numbers.update(zip(fresh, count(first), strict=False))
        return list(map(numbers.__getitem__, keys))

    def _numbers(self, set_at: int) -> dict[bytes, int]:
        """The known series of a set of labels, by the beginning of their fields."""
        keys = self.arrangement.keys
        if len(self._sets) == 1:
            return dict(zip(keys, count(), strict=False))
        return {key[0]: number for number, key in enumerate(keys) if key[2] == set_at}

    def _sortable(self, at: int, keys: Sequence[bytes], columns: Sequence[Sequence[str]]) -> list[Any]:
        """Keys with the labels in the order of display, to sort by: two sets of labels may have equal fields."""
        own = dict(zip(sorted(self._layouts[at].labels), columns, strict=True))
        names, set_at = self._display[self._set_of[at]], self._set_of[at]
        pairs = (
            zip(*(zip(repeat(name), own[name], strict=False) for name in names), strict=True) if names else repeat(())
        )
        return [(key, some, set_at) for key, some in zip(keys, pairs, strict=False)]
