"""The rows of an info: one for each set of facts, however many writers state it."""

from collections.abc import Sequence
from itertools import chain, compress, count, repeat
from operator import is_not

from fleetmeter.reader.fields import Fields
from fleetmeter.reader.plain_lists import PlainLists
from fleetmeter.reader.spelling import objects_of
from fleetmeter.reader.stated_fields import Stated
from fleetmeter.reader.stated_values import facts_of
from fleetmeter.reader.statements import said_in
from fleetmeter.schema.definition import Definition
from fleetmeter_exporter.exposition.arrangement import Made, of_rows
from fleetmeter_exporter.exposition.block import Lines, Subject, in_pieces, is_special
from fleetmeter_exporter.exposition.rows import Rows, columns_of, sort_keys

_AT_ONCE = 1_000
"""Statements whose facts are taken apart together."""

_Columns = dict[str, Sequence[str]]
"""Label values by label name, one for each statement."""


class FactRows(Rows):
    """One row for each set of labels: those of the series, and the facts."""

    def __init__(self, layout: Definition, subject: Subject) -> None:
        super().__init__(layout, [("_info", ())], subject)
        self._subject, self._names = subject, sorted(layout.labels)
        self._raw: Sequence[bytes] = ()
        self._by_names: dict[tuple[str, ...], Lines] = {}
        self._common: tuple[str, ...] = ()  # the names of all rows' labels
        self._mixed = False  # if rows have other names than others, the names must be in the keys

    def learn(self, fields: Fields, stated: Stated, raw: Sequence[bytes]) -> None:
        """Find the rows of these statements, given what they are; `fields` are those of the hash.

        Raises `Unplain`, and what `facts_of` raises.
        """
        change = self._since(fields, stated.places)
        before = change.carried(self._raw, repeat(None, len(change.came)))
        new = list(compress(count(), map(is_not, raw, before)))
        own = dict(zip(self._names, columns_of(self._texts(stated, new)), strict=True))
        facts = _facts(said_in(map(raw.__getitem__, new)))
        names = {tuple(sorted({*own, *found})) for _, found in facts}
        if not self._members and not self._mixed:
            self._common = min(names, default=())
        if not self._mixed and (len(facts) > 1 or not names <= {self._common}):  # a fact may have the name of a label
            self._mixed, self._raw = True, ()
            self._forget()
            self.learn(fields, stated, raw)
            return
        if not self._mixed:
            none: _Columns = dict.fromkeys(self._common, ())
            keys, lines = self._values({**own, **facts[0][1]} if facts else none, len(new))
        else:
            keys, shown = [""] * len(new), [""] * len(new)
            for some, found in facts:
                labels = {name: [values[at] for at in some] for name, values in own.items()} | found
                for at, key, line in zip(some, *self._pairs(labels, len(some)), strict=True):
                    keys[at], shown[at] = key, line
            lines = of_rows(shown)
        again = set(new).difference(change.came) if len(new) > len(change.came) else ()
        self._take(fields, stated.places, change, again, keys, lines)
        self._raw = raw

    def _values(self, labels: _Columns, count: int) -> tuple[list[str], Made]:
        """The keys of rows that all have these labels' names, and what makes their lines."""
        columns = [labels[name] for name in sorted(labels)]
        keys, maker = sort_keys(columns, count), self._lines_of(tuple(sorted(labels)))
        if keys and maker.fits_lists() and not any(is_special("".join(column)) for column in columns):
            width = len(columns)
            return keys, lambda _, ordered: in_pieces(
                ordered, lambda some: maker.of_lists(PlainLists.of_keys(some, width))
            )
        return keys, of_rows(maker.of(columns, count))

    def _pairs(self, labels: _Columns, count: int) -> tuple[list[str], list[str]]:
        """The keys of rows with these labels, with their names, and their lines."""
        names = tuple(sorted(labels))
        columns = [labels[name] for name in names]
        pairs = chain.from_iterable(([name] * count, column) for name, column in zip(names, columns, strict=True))
        return sort_keys(list(pairs), count), self._lines_of(names).of(columns, count)

    def _lines_of(self, names: tuple[str, ...]) -> Lines:
        if names not in self._by_names:
            self._by_names[names] = Lines(self._subject.newest.name, names, [("_info", ())], self._subject, ["1.0"])
        return self._by_names[names]


def _together(texts: Sequence[bytes]) -> _Columns:
    """The facts in texts that all have the same names, as columns; nothing if others are among them, or nobody can say.

    They are taken apart some at a time, so that the pieces stay in the processor's cache.
    """
    found: dict[str, list[str]] = {}
    for first in range(0, len(texts), _AT_ONCE):
        some = objects_of(texts[first : first + _AT_ONCE])
        if some is None or (found and found.keys() != some.keys()):
            return {}
        for name, values in some.items():
            found.setdefault(name, []).extend(values)
    return {**found}


def _facts(texts: Sequence[bytes]) -> list[tuple[Sequence[int], _Columns]]:
    """The facts in these texts, those with the same names together: which texts they are, and the facts' columns."""
    together = _together(texts)
    if together:
        return [(range(len(texts)), together)]
    found: dict[tuple[str, ...], list[int]] = {}
    every = [facts_of(text) for text in texts]
    for at, facts in enumerate(every):
        found.setdefault(tuple(sorted(facts)), []).append(at)
    return [(some, {name: [every[at][name] for at in some] for name in names}) for names, some in found.items()]
