"""The rows of an info: one for each set of facts, however many writers state it."""

from collections.abc import Sequence
from itertools import chain, compress, count, repeat
from operator import ne

from fleetmeter.reader.fields import Fields
from fleetmeter.reader.spelling import objects_of
from fleetmeter.reader.stated_fields import Stated
from fleetmeter.reader.statements import facts_of
from fleetmeter.schema.definition import Definition
from fleetmeter_exporter.exposition.arrangement import of_rows
from fleetmeter_exporter.exposition.block import Lines, Subject, filled
from fleetmeter_exporter.exposition.stated_rows import Rows, Unplain, columns_of, sort_keys

_Columns = dict[str, Sequence[str]]
"""Label values by label name, one for each statement."""


class FactRows(Rows):
    """One row for each set of labels: those of the series, and the facts."""

    def __init__(self, layout: Definition, subject: Subject) -> None:
        super().__init__(layout, [("_info", ())], subject)
        self._subject, self._names = subject, sorted(layout.labels)
        self._said: Sequence[bytes] = ()
        self._by_names: dict[tuple[str, ...], Lines] = {}

    def learn(self, fields: Fields, stated: Stated, texts: Sequence[bytes]) -> None:
        """Find the rows of these statements, given what they say; `fields` are those of the hash.

        Raises `Unplain`, and what `facts_of` raises.
        """
        change = self._since(fields, stated.places)
        said = change.carried(self._said, repeat(None, len(change.came)))
        new = list(compress(count(), map(ne, texts, said)))
        own = dict(zip(self._names, columns_of(self._texts(stated, new)), strict=True))
        facts = _facts([texts[at] for at in new])
        if len(facts) == 1:
            keys, lines = self._spelled(own | facts[0][1], len(new))
        else:
            keys, lines = [""] * len(new), [""] * len(new)
            for some, found in facts:
                labels = {name: [values[at] for at in some] for name, values in own.items()} | found
                for at, key, line in zip(some, *self._spelled(labels, len(some)), strict=True):
                    keys[at], lines[at] = key, line
        again = set(new).difference(change.came) if len(new) > len(change.came) else ()
        self._take(fields, stated.places, change, again, keys, of_rows(lines))
        self._said = texts

    def _spelled(self, labels: _Columns, count: int) -> tuple[list[str], list[str]]:
        """The keys of rows with these labels, and their lines."""
        names = tuple(sorted(labels))
        columns = [labels[name] for name in names]
        if names not in self._by_names:
            self._by_names[names] = Lines(self._subject.newest.name, names, [("_info", ())], self._subject, ["1.0"])
        return _pairs(names, columns, count), self._by_names[names].of(columns, count)


def _pairs(names: Sequence[str], columns: Sequence[Sequence[str]], count: int) -> list[str]:
    """A text for each row that sorts as its labels do, with their names. Raises `Unplain`."""
    texts = "".join([*names, *map("".join, columns)])
    if "\n" in texts:
        pairs = chain.from_iterable(([name] * count, column) for name, column in zip(names, columns, strict=True))
        return sort_keys(list(pairs), count)
    if "\0" in texts:
        raise Unplain
    starts = [f"\0{name}\0" for name in names]
    starts[:1] = [f"{name}\0" for name in names[:1]]
    return filled([*starts, ""], columns, count)


def _facts(texts: Sequence[bytes]) -> list[tuple[Sequence[int], _Columns]]:
    """The facts in these texts, those with the same names together: which texts they are, and the facts' columns."""
    together = objects_of(texts)
    if together is not None:
        return [(range(len(texts)), together)]
    found: dict[tuple[str, ...], list[int]] = {}
    every = [facts_of(text) for text in texts]
    for at, facts in enumerate(every):
        found.setdefault(tuple(facts), []).append(at)
    return [(some, {name: [every[at][name] for at in some] for name in names}) for names, some in found.items()]
