"""The rows of statements: one for each series and writer, or one for each series over all writers."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import chain, compress
from typing import Any

from fleetmeter.reader.sample import Labels
from fleetmeter.reader.stated_fields import Stated
from fleetmeter.reader.statements import replica_label
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.keys import FOLDED_WRITER
from fleetmeter_exporter.exposition.block import Starts, Subject

Members = tuple[list[int], list[str], list[tuple[str, ...]]]
"""Places, writers and label values of the statements that are shown."""


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
        self._labels = len(layout.labels)
        self._width = len(lines)
        self._known: dict[Any, Sequence[str]] = {}
        self.starts: list[str] = []

    def order(self, rows: Mapping[Any, Sequence[str]]) -> list[Any]:
        """The sorted keys of these rows, which map keys to label values. Their `starts` are made before.

        Raises `UnfitName`, and `Unplain` if there are not as many values as labels.
        """
        new = [key for key in rows if key not in self._known]
        values = [rows[key] for key in new]
        made, width = self._make.of(values), self._width
        several = [made[place : place + width] for place in range(0, len(made), width)]
        known = self._known | dict(zip(new, several, strict=True))
        keys = [key for key in self._known if key in rows] + new if self._known else new
        keys.sort()  # those that were there are sorted already
        self._known = {key: known[key] for key in keys}
        self.starts = list(chain.from_iterable(self._known.values()))
        return keys


def shown_members(stated: Stated, layout: Definition, living: Collection[str] | None, *, folded: bool) -> Members:
    """The shown statements of a layout: those of the `living` writers, or of all if that is None.

    With `folded`, the remainder of ended writers is shown, too. Raises `Unplain` if a statement does not have as many
    values as there are labels.
    """
    places, writers, values = stated.places, stated.writers, stated.values
    if living is not None or not (folded or FOLDED_WRITER not in writers):
        stays = [writer in living if living is not None else writer != FOLDED_WRITER for writer in writers]
        if not all(stays):
            places, writers = list(compress(places, stays)), list(compress(writers, stays))
            values = list(compress(values, stays))
    if not set(map(len, values)) <= {len(layout.labels)}:
        raise Unplain
    return places, writers, values


class ReplicaRows(Rows):
    """One row for each series and writer, with a label that names the writer's replica.

    `taken` is another label that the lines have, whose name that label must not have.
    """

    def __init__(
        self, layout: Definition, lines: Sequence[tuple[str, Labels]], subject: Subject, taken: str = ""
    ) -> None:
        super().__init__(layout, lines, subject, replica_label({*layout.labels, taken}))

    def places(self, members: Members, replicas: Mapping[str, str]) -> list[int]:
        """The place of each row's statement. If two writers of a series have one name, their ids follow the name."""
        places, writers, values = members
        names = list(map(replicas.get, writers, writers))
        shown: Sequence[str] = names
        if len(set(zip(values, names, strict=True))) < len(places):
            namesakes = Counter(zip(values, names, strict=True))
            shown = [
                name if namesakes[series, name] == 1 else f"{name}-{writer}"
                for series, name, writer in zip(values, names, writers, strict=True)
            ]
        keys = list(zip(values, names, writers, shown, strict=True))
        at = dict(zip(keys, places, strict=True))
        if len(at) < len(places):
            raise Unplain  # a writer states a series twice
        rows = {key: (*key[0], key[3]) for key in keys}
        return [at[key] for key in self.order(rows)]


class MergedRows(Rows):
    """One row for each series, over all writers that state it."""

    def groups(self, members: Members) -> list[list[int]]:
        """The places of each row's statements, in the order of the hash."""
        found: dict[tuple[str, ...], list[int]] = {}
        for place, values in zip(members[0], members[2], strict=True):
            found.setdefault(values, []).append(place)
        return [found[key] for key in self.order({values: values for values in found})]
