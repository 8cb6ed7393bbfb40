"""The rows of statements: one for each series and writer, or one for each series over all writers."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from operator import add

from fleetmeter.reader.fields import Fields
from fleetmeter.reader.plain_lists import PlainLists
from fleetmeter.reader.sample import Labels
from fleetmeter.reader.stated_fields import Stated
from fleetmeter.reader.stated_values import replica_label
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.keys import FOLDED_WRITER
from fleetmeter_exporter.exposition.block import Subject, is_special
from fleetmeter_exporter.exposition.rows import Rows, Texts, columns_of, sort_keys


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

    def learn(self, stated: Stated, replicas: Mapping[str, str], fields: Fields) -> None:
        """Find the rows. If two writers of a series have one name, their ids follow the name. Raises `Unplain`."""
        names = {writer: replicas.get(writer, writer) for writer in stated.every_writer}
        apart = len(set(names.values())) < len(names)
        if apart or self._apart or any(names.get(writer, name) != name for writer, name in self._names.items()):
            self._forget()
        self._names, self._apart = names, apart
        change = self._since(fields, stated.places)
        new, size = change.came, len(change.came)
        texts: Texts = self._texts(stated, new)
        writers = [stated.heads[at].writer for at in new]
        every = "".join(names.values())
        if isinstance(texts, PlainLists) and not apart and not is_special(every) and "\0" not in every:
            behind = {writer: f"\0{name}" for writer, name in names.items()}
            keys = list(map(add, texts.keys(), map(behind.__getitem__, writers)))
            lines = self._of_keys(self._labels + 1)
            if lines is None:
                lines = self._of_columns([*texts.columns(), list(map(names.__getitem__, writers))])
        else:
            named = list(map(names.__getitem__, writers))
            columns, shown = columns_of(texts), named
            if apart:
                namesakes = Counter(zip(*columns, named, strict=True))
                several = zip(zip(*columns, named, strict=True), named, writers, strict=True)
                shown = [name if namesakes[one] == 1 else f"{name}-{writer}" for one, name, writer in several]
            keys = sort_keys([*columns, named, *([writers] if apart else [])], size)
            lines = self._of_columns([*columns, shown])
        self._take(fields, stated.places, change, (), keys, lines)


class MergedRows(Rows):
    """One row for each series, over all writers that state it."""

    def learn(self, stated: Stated, fields: Fields) -> None:
        """Find the rows. Raises `Unplain`."""
        change = self._since(fields, stated.places)
        texts = self._texts(stated, change.came)
        keys = sort_keys(texts, len(change.came))
        self._take(fields, stated.places, change, (), keys, self._lines(texts))
