"""The rows of statements: one for each series and writer, or one for each series over all writers."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import count, islice, repeat
from typing import Any, TypeVar

from fleetmeter.reader.fields import Fields
from fleetmeter.reader.sample import Labels
from fleetmeter.reader.stated_fields import Columns, Stated
from fleetmeter.reader.statements import replica_label
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.keys import FOLDED_WRITER
from fleetmeter_exporter.exposition.arrangement import Arrangement
from fleetmeter_exporter.exposition.block import Lines, Subject

Members = tuple[Fields, Sequence[int]]
"""Some statements of a hash: all fields, and the places of these among them."""

T = TypeVar("T")


class Unplain(Exception):
    """This library's writers would not have written something, so the general way must be taken."""


class Rows:
    """The rows of a layout in their order, with their lines, which are kept for rows that come again.

    `lines` are those of `Lines`, each of which ends with a text. `label`, if it is given, is one more label of each
    row, beside those of the layout.
    """

    def __init__(
        self, layout: Definition, lines: Sequence[tuple[str, Labels]], subject: Subject, label: str = ""
    ) -> None:
        names = [*sorted(layout.labels), *([label] if label else [])]
        self._make = Lines(layout.name, names, lines, subject, ["%b"] * len(lines))
        self._labels, self._width = len(layout.labels), len(lines)
        self._members: Members = Fields(), ()  # those whose rows are known
        self._rows: Sequence[int] = ()  # the place of each one's row
        self.arrangement = Arrangement([len(lines)])

    @property
    def text(self) -> bytes:
        """The lines of all rows, with a place for a text in each."""
        return self.arrangement.texts[0]

    def _numbers(self, members: Members) -> tuple[list[Any], list[int]]:
        """The place of each statement's row, None for new statements; and which the new ones are."""
        numbers = carried(self._members, self._rows, members, None)
        return numbers, [at for at, number in enumerate(numbers) if number is None]

    def _change(self, members: Members, numbers: Sequence[int], keys: Sequence[str], lines: Sequence[str]) -> None:
        """Put in new rows, and take out those that no statement has any more.

        `numbers` are the places of all statements' rows, those of new rows behind the known ones.
        """
        known = len(self.arrangement.keys)
        here = set(numbers) if known else ()
        stay = sorted(number for number in here if number < known) if known and len(here) < known + len(keys) else None
        self.arrangement.change(stay, keys, [lines])
        self._members, self._rows = members, list(map(self.arrangement.ranks().__getitem__, numbers))

    def _merge(
        self,
        members: Members,
        numbers: list[Any],
        new: Sequence[int],
        keys: Sequence[str],
        lines: Callable[[Sequence[int]], list[str]],
    ) -> None:
        """Let new statements with equal keys share a row; `lines` are those of some of the new statements."""
        before = len(self.arrangement.keys)
        if not before and len(set(keys)) == len(numbers):  # each has a row of its own
            self._change(members, range(len(keys)), keys, lines(range(len(keys))))
            return
        known = dict(zip(dict.fromkeys([*self.arrangement.keys, *keys]), count(), strict=False))
        first: Sequence[int] = range(len(keys))  # of each new row its first statement, among the new ones
        if len(known) < before + len(keys):
            places = dict(zip(reversed(keys), reversed(first), strict=True))
            first = [places[key] for key in islice(known, before, None)]
        for place, number in zip(new, map(known.__getitem__, keys), strict=True):
            numbers[place] = number
        self._change(members, numbers, list(islice(known, before, None)), lines(first))

    def _columns(self, stated: Stated, some: Sequence[int]) -> Columns:
        """The label values of some statements. Raises `Unplain` if our writers would not spell one of the fields so."""
        columns = stated.columns(self._labels, some)
        if columns is None:
            raise Unplain
        return columns

    def _by_row(self, members: Stated) -> list[int]:
        """The place of each row's statement, if each row has one."""
        at = [0] * len(self._rows)
        for row, place in zip(self._rows, members.places, strict=True):
            at[row] = place
        return at

    def _forget(self) -> None:
        self._members, self._rows, self.arrangement = (Fields(), ()), (), Arrangement([self._width])


def carried(before: Members, values: Sequence[T], now: Members, new: T) -> list[T]:
    """Something of each statement `now`, given the `values` of those `before`; that of a new one is `new`."""
    (among, places), (fields, at) = before, now
    if not places:
        return [new] * len(at)
    by_place = [new] * (len(among) + len(fields))
    for place, value in zip(places, values, strict=True):
        by_place[place] = value
    if fields is among:
        return list(map(by_place.__getitem__, at))
    return list(map(by_place.__getitem__, map(fields.places_in(among).__getitem__, at)))


def sort_keys(columns: Sequence[Sequence[str]], rows: int) -> list[str]:
    """A text for each row that sorts as its texts do. Raises `Unplain` if a text has the separator in it."""
    keys = list(map("\0".join, zip(*columns, strict=True) if columns else repeat((), rows)))
    if "".join(keys).count("\0") != max(0, len(columns) - 1) * rows:
        raise Unplain
    return keys


def shown_members(stated: Stated, living: Collection[str] | None, *, folded: bool) -> Stated:
    """The shown statements of a layout: those of the `living` writers, or of all if that is None.

    With `folded`, the remainder of ended writers is shown, too.
    """
    if living is not None or not (folded or FOLDED_WRITER not in stated.every_writer):
        some = stated.every_writer.intersection(living) if living is not None else stated.every_writer - {FOLDED_WRITER}
        if len(some) < len(stated.every_writer):
            return stated.only([writer in some for writer in stated.writers])
    return stated


class ReplicaRows(Rows):
    """One row for each series and writer, with a label that names the writer's replica.

    `taken` is another label that the lines have, whose name that label must not have.
    """

    def __init__(
        self, layout: Definition, lines: Sequence[tuple[str, Labels]], subject: Subject, taken: str = ""
    ) -> None:
        super().__init__(layout, lines, subject, replica_label({*layout.labels, taken}))
        self._names: Mapping[str, str] = {}
        self._apart = False

    def places(self, members: Stated, replicas: Mapping[str, str], fields: Fields) -> list[int]:
        """The place of each row's statement. If two writers of a series have one name, their ids follow the name.

        Raises `Unplain`.
        """
        names = {writer: replicas.get(writer, writer) for writer in members.every_writer}
        apart = len(set(names.values())) < len(names)
        if apart or self._apart or any(names.get(writer, name) != name for writer, name in self._names.items()):
            self._forget()
        self._names, self._apart = names, apart
        numbers, new = self._numbers((fields, members.places))
        columns = self._columns(members, new)
        writers = list(map(members.writers.__getitem__, new))
        shown = named = list(map(names.__getitem__, writers))
        if apart:
            namesakes = Counter(zip(*columns, named, strict=True))
            several = zip(zip(*columns, named, strict=True), named, writers, strict=True)
            shown = [name if namesakes[one] == 1 else f"{name}-{writer}" for one, name, writer in several]
        if len(new) == len(numbers):
            numbers = list(range(len(self.arrangement.keys), len(self.arrangement.keys) + len(new)))
        else:
            for number, place in enumerate(new, start=len(self.arrangement.keys)):
                numbers[place] = number
        keys = sort_keys([*columns, named, writers], len(new))
        self._change((fields, members.places), numbers, keys, self._make.of([*columns, shown], len(new)))
        return self._by_row(members)


class MergedRows(Rows):
    """One row for each series, over all writers that state it."""

    def places(self, members: Stated, fields: Fields) -> tuple[list[int], list[int]]:
        """The places of all statements, row by row, those of a row in the order of the hash; and each one's row.

        Raises `Unplain`.
        """
        numbers, new = self._numbers((fields, members.places))
        columns = self._columns(members, new)
        keys = sort_keys(columns, len(new))
        self._merge(
            (fields, members.places),
            numbers,
            new,
            keys,
            lambda first: self._make.of(
                columns if len(first) == len(keys) else [[column[at] for at in first] for column in columns], len(first)
            ),
        )
        rows = self._rows
        if len(self.arrangement.keys) == len(rows):  # each has one statement
            return self._by_row(members), list(range(len(rows)))
        order = sorted(range(len(rows)), key=rows.__getitem__)
        return list(map(members.places.__getitem__, order)), list(map(rows.__getitem__, order))
