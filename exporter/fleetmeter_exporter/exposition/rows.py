"""Rows of statements in their order, with their lines; what is known of them goes along from scrape to scrape."""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from itertools import accumulate, compress, count, islice, repeat
from operator import add, mul, ne

from fleetmeter.reader.change import Change, Shuffle, Splice, change_of, merged
from fleetmeter.reader.fields import Fields
from fleetmeter.reader.plain_lists import PlainLists
from fleetmeter.reader.sample import Labels
from fleetmeter.reader.stated_fields import Columns, Members, Stated
from fleetmeter.schema.definition import Definition
from fleetmeter_exporter.exposition.arrangement import Arrangement, Made
from fleetmeter_exporter.exposition.block import Lines, Subject, in_pieces, picker

Texts = PlainLists | Columns
"""The label values of some statements."""


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
        self._forget()

    @property
    def text(self) -> bytes:
        """The lines of all rows, with a place for a text in each."""
        return self.arrangement.texts[0]

    def _forget(self) -> None:
        self._fields = Fields()
        self._members: Sequence[int] = ()  # the places of the statements whose rows are known
        self.places: Sequence[int] = ()
        """The places of all statements, row by row, those of a row in the order of the hash."""
        self.row_of: Sequence[int] = ()
        """The row of each of them."""
        self.change: Change | None = None
        """What the last change did to `places`; None if nothing of them stands for the same any more."""
        self.arrangement = Arrangement([self._width])

    def _since(self, fields: Fields, members: Sequence[int]) -> Change:
        """What changed of the statements, which are at these places of the hash."""
        among, before = self._fields, self._members
        if not before:
            return Splice(0, range(len(members)))
        if fields is among:
            return change_of([*before], [*members]) if before != members else Splice(len(members), ())
        change = fields.since(among)
        if len(before) == len(among) and len(members) == len(fields):
            return change
        known = members.since(before) if isinstance(members, Members) else None
        return known or change_of([*picker(before)(change.moved)], [*members])

    def _take(
        self,
        fields: Fields,
        members: Sequence[int],
        change: Change,
        again: Collection[int],
        keys: Sequence[str],
        lines: Made,
    ) -> None:
        """Find the rows of new statements, and let go of those that no statement has any more.

        `again` says which statements, of those that there were before, must be seen as new ones. `keys` are of the new
        ones, and `lines` makes the lines of some of them. Statements with equal keys share a row.
        """
        if not self._members:
            self._begin(members, keys, lines)
            self._fields, self._members = fields, members
            return
        came = sorted({*change.came, *again}) if again else change.came
        new = list(map(members.__getitem__, came))
        went = {*change.gone, *(self._known_at(change, again) if again else ())}
        places = {self._members[at] for at in went}
        gone = list(compress(count(), map(places.__contains__, self.places))) if places else []
        numbers, first = self._numbers(keys)
        known, before = len(self.arrangement), len(self.places)
        alone = known == before and len(first) == len(keys)  # each row has one statement
        lost = [self.row_of[at] for at in gone]
        if gone and not alone:
            left = {*numbers, *Splice(before, (), gone).stayed(self.row_of)}
            lost = sorted({*lost}.difference(left))
        rows = picker(first)(keys) if len(first) < len(keys) else keys
        every = len(first) == len(keys)
        made: Made = lines if every else lambda order, ordered: lines(picker(order)(first), ordered)
        self.arrangement.change(lost, rows, [made])
        moved = self.places
        if fields is not self._fields and self._fields:
            moved = picker(moved)(fields.since(self._fields).moved)
        if alone:
            self.change = self.arrangement.moves
            self.places = self.change.carried(moved, picker(self.arrangement.order)(new))
            self.row_of = range(len(self.places))
        else:
            self._arrange(moved, gone, new, numbers, len(fields), shuffled=isinstance(change, Shuffle))
        self._fields, self._members = fields, members

    def _begin(self, members: Sequence[int], keys: Sequence[str], lines: Made) -> None:
        """Find the rows of statements if none was known. One sort puts statements with equal keys beside each other."""
        order = sorted(range(len(keys)), key=keys.__getitem__)
        ordered = picker(order)(keys)
        begins = [True, *map(ne, ordered, islice(ordered, 1, None))] if ordered else []
        first = order
        if not all(begins):
            first, ordered = list(compress(order, begins)), list(compress(ordered, begins))
        self.arrangement.begin(ordered, [lambda _, rows: lines(first, rows)])
        self.places = picker(order)(members)
        every = len(first) == len(order)
        self.row_of = range(len(order)) if every else list(islice(accumulate(begins, initial=-1), 1, None))
        self.change = None

    def _numbers(self, keys: Sequence[str]) -> tuple[Sequence[int], Sequence[int]]:
        """The row of each new statement, those of new rows behind the known ones; and of each new row a statement."""
        known = len(self.arrangement)
        distinct = dict(zip(keys, range(len(keys)), strict=True))
        rows = {}
        if known:
            here = self.arrangement.keys
            found = {key: bisect_left(here, key) for key in distinct}
            rows = {key: at for key, at in found.items() if at < known and here[at] == key}
        if len(distinct) == len(keys) and not rows:
            return range(known, known + len(keys)), range(len(keys))
        first = [at for key, at in distinct.items() if key not in rows]
        rows.update(zip((keys[at] for at in first), count(known), strict=False))
        return list(map(rows.__getitem__, keys)), first

    def _known_at(self, change: Change, again: Collection[int]) -> list[int]:
        """The places that some statements had among the known ones."""
        now = dict(zip(change.moved, count(), strict=False))
        return [now[at] for at in again]

    def _arrange(
        self,
        moved: Sequence[int],
        gone: Sequence[int],
        new: Sequence[int],
        numbers: Sequence[int],
        most: int,
        *,
        shuffled: bool,
    ) -> None:
        """Bring statements into the order of their rows, given the places of known and new ones in a hash of `most`."""
        ranks = self.arrangement.ranks()
        went = Splice(len(moved), (), gone)
        # row and place as one number, by which they are in order
        old = _both(picker(went.stayed(self.row_of))(ranks), went.stayed(moved), most)
        added = sorted(_both(picker(numbers)(ranks), new, most))
        if shuffled or not moved:
            self.change, every = None, sorted([*old, *added])
        else:
            self.change = Splice(len(moved), merged(old, added), gone)
            every = Splice(len(old), self.change.came).carried(old, added)
        self.row_of = [one // most for one in every]
        self.places = [one % most for one in every]

    def _texts(self, stated: Stated, some: Sequence[int]) -> Texts:
        """The label values of some statements. Raises `Unplain` if our writers would not spell one of the fields so."""
        texts = stated.texts(self._labels, some)
        if texts is None:
            raise Unplain
        return texts

    def _lines(self, texts: Texts) -> Made:
        """What makes the lines of rows that have these label values."""
        made = self._of_keys(texts.width) if isinstance(texts, PlainLists) else None
        return made or self._of_columns(columns_of(texts))

    def _of_keys(self, width: int) -> Made | None:
        if not self._make.fits_lists():
            return None
        return lambda _, keys: in_pieces(keys, lambda some: self._make.of_lists(PlainLists.of_keys(some, width)))

    def _of_columns(self, columns: Columns) -> Made:
        def made(some: Sequence[int], _: Sequence[str]) -> str:
            return "\n".join(self._make.of([picker(some)(column) for column in columns], len(some)))

        return made


def _both(rows: Sequence[int], places: Sequence[int], most: int) -> list[int]:
    return list(map(add, map(mul, rows, repeat(most)), places))


def columns_of(texts: Texts) -> Columns:
    """Label values as columns."""
    return texts.columns() if isinstance(texts, PlainLists) else texts


def sort_keys(texts: PlainLists | Sequence[Sequence[str]], rows: int) -> list[str]:
    """A text for each row that sorts as its texts do. Raises `Unplain` if a text has the separator in it."""
    if isinstance(texts, PlainLists):
        return texts.keys()
    keys = list(map("\0".join, zip(*texts, strict=True) if texts else repeat((), rows)))
    if "".join(keys).count("\0") != max(0, len(texts) - 1) * rows:
        raise Unplain
    return keys
