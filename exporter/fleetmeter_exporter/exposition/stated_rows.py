"""The rows of statements: one for each series and writer, or one for each series over all writers."""

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from itertools import chain, compress
from typing import Any

from fleetmeter.reader.sample import Labels
from fleetmeter.reader.stated_fields import Stated
from fleetmeter.reader.statements import replica_label
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.keys import FOLDED_WRITER
from fleetmeter_exporter.exposition.block import Starts, Subject


class Unplain(Exception):
    """This library's writers would not have written something, so the general way must be taken."""


class Rows:
    """The rows of a layout in their order, with the text before their numbers, which is kept for rows that come again.

    `lines` are those of `Starts`. `label`, if it is given, is one more label of each row, beside those of the layout.
    """

    def __init__(
        self, layout: Definition, lines: Sequence[tuple[str, Labels]], subject: Subject, label: str = ""
    ) -> None:
        names = [*sorted(layout.labels), *([label] if label else [])]
        self._make = Starts(layout.name, names, lines, subject)
        self._width = len(lines)
        self._starts: dict[Hashable, Sequence[str]] = {}
        self._sort: dict[Hashable, Any] = {}  # what a row is sorted by
        self._order: list[Any] = []

    @property
    def starts(self) -> list[str]:
        """What stands before the numbers of all rows, in their order."""
        return list(chain.from_iterable(map(self._starts.__getitem__, self._order)))

    def _arrange(self, keys: Collection[Any], new: Mapping[Any, tuple[Any, Sequence[str]]]) -> list[Any]:
        """These rows in their order; of those that are `new`, what they are sorted by, and label values, are given."""
        made, width = self._make.of([values for _, values in new.values()]), self._width
        self._starts.update(zip(new, (made[at : at + width] for at in range(0, len(made), width)), strict=True))
        self._sort.update(zip(new, (by for by, _ in new.values()), strict=True))
        if len(self._starts) > len(keys):
            for known in (self._starts, self._sort):
                for key in known.keys() - keys:
                    del known[key]
            self._order = [key for key in self._order if key in self._sort]
        self._order += new
        self._order.sort(key=self._sort.__getitem__)  # of which most is in order
        return self._order

    def _forget(self) -> None:
        self._starts, self._sort, self._order = {}, {}, []


def shown_members(stated: Stated, layout: Definition, living: Collection[str] | None, *, folded: bool) -> Stated:
    """The shown statements of a layout: those of the `living` writers, or of all if that is None.

    With `folded`, the remainder of ended writers is shown, too. Raises `Unplain` if a statement does not have as many
    values as there are labels.
    """
    if living is not None or not (folded or FOLDED_WRITER not in stated.every_writer):
        some = stated.every_writer.intersection(living) if living is not None else stated.every_writer - {FOLDED_WRITER}
        if len(some) < len(stated.every_writer):
            stays = [writer in some for writer in stated.writers]
            fields, places = list(compress(stated.fields, stays)), list(compress(stated.places, stays))
            stated = Stated(fields, places, list(compress(stated.whose, stays)))
    if not set(map(len, stated.values)) <= {len(layout.labels)}:
        raise Unplain
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

    def places(self, members: Stated, replicas: Mapping[str, str]) -> list[int]:
        """The place of each row's statement. If two writers of a series have one name, their ids follow the name."""
        names = {writer: replicas.get(writer, writer) for writer in members.every_writer}
        apart = len(set(names.values())) < len(names)
        if apart or self._apart or any(names.get(writer, name) != name for writer, name in self._names.items()):
            self._forget()
        self._names, self._apart = names, apart
        namesakes = Counter((one.values, names[one.writer]) for one in members.whose) if apart else {}
        at = dict(zip(members.fields, zip(members.places, members.whose, strict=True), strict=True))
        new = {}
        for field, (_, (writer, _, values)) in at.items():
            if field not in self._sort:
                name = shown = names[writer]
                if namesakes and namesakes[values, name] > 1:
                    shown = f"{name}-{writer}"
                new[field] = (*values, name, writer), (*values, shown)
        return [at[field][0] for field in self._arrange(at, new)]


class MergedRows(Rows):
    """One row for each series, over all writers that state it."""

    def groups(self, members: Stated) -> list[list[int]]:
        """The places of each row's statements, in the order of the hash."""
        found: dict[tuple[str, ...], list[int]] = {}
        for place, values in zip(members.places, members.values, strict=True):
            several = found.get(values)
            if several is None:
                found[values] = [place]
            else:
                several.append(place)
        new = {values: (values, values) for values in found if values not in self._sort}
        return list(map(found.__getitem__, self._arrange(found.keys(), new)))
