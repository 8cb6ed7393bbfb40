"""The lines of infos and of state sets: facts, which seldom change."""

from collections.abc import Mapping, Sequence
from itertools import chain, islice
from operator import is_not

from fleetmeter.reader.fields import Fields
from fleetmeter.reader.stated_fields import Stated
from fleetmeter.reader.statements import Statements, said_in
from fleetmeter.schema.definition import compact_json
from fleetmeter_exporter.exposition.block import Subject, picker
from fleetmeter_exporter.exposition.fact_rows import FactRows
from fleetmeter_exporter.exposition.rows import Unplain
from fleetmeter_exporter.exposition.stated_block import StatedBlock
from fleetmeter_exporter.exposition.stated_rows import ReplicaRows

_Texts = Sequence[bytes]


class InfoBlock(StatedBlock):
    """The lines of an info: one for each set of facts that a living writer states."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject, living=True, folded=False)
        self._rows = [FactRows(layout, subject) for layout in subject.layouts]
        self._made_of: Sequence[bytes] | None = None

    def _learn(self, members: Sequence[Stated], _replicas: Mapping[str, str], fields: Fields) -> None:
        self._members, self._fields = members, fields
        places = [shown.places for shown in members]
        self._pick = picker(places[0] if len(places) == 1 else list(chain.from_iterable(places)))
        self._made_of = None

    def _picked(self, statements: Statements) -> _Texts:
        return self._pick(statements.raw)

    def _joined(self, picked: _Texts) -> bytes | None:
        if self._made_of is None or any(map(is_not, self._made_of, picked)):
            texts = iter(picked)
            try:
                for rows, members in zip(self._rows, self._members, strict=True):
                    rows.learn(self._fields, members, list(islice(texts, len(members.places))))
            except (ValueError, TypeError, AttributeError, Unplain):
                self._made_of = None
                return None
            self._made_of = picked
        self.samples = sum(len(rows.arrangement.keys) for rows in self._rows)
        text = b"".join(rows.text for rows in self._rows)
        return text % () if b"%" in text else text


class StateBlock(StatedBlock):
    """The lines of a state set: for each living writer one line per possible state, of which one is 1."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject, living=True, folded=False)
        newest = subject.newest
        self._place = {compact_json(state).encode(): place for place, state in enumerate(newest.states)}
        lines = [("", ((newest.name, state),)) for state in newest.states]
        self._rows = [ReplicaRows(layout, lines, subject, newest.name) for layout in subject.layouts]

    def _learn(self, members: Sequence[Stated], replicas: Mapping[str, str], fields: Fields) -> None:
        for rows, shown in zip(self._rows, members, strict=True):
            rows.learn(shown, replicas, fields)
        self._pick = picker(list(chain.from_iterable(rows.places for rows in self._rows)))
        self._text = b"".join(rows.text for rows in self._rows)
        self.samples = len(self._place) * sum(len(rows.places) for rows in self._rows)

    def _picked(self, statements: Statements) -> _Texts:
        return self._pick(statements.raw)

    def _joined(self, picked: _Texts) -> bytes | None:
        places = list(map(self._place.get, said_in(picked)))
        if None in places:
            return None  # a state of an older version, which the newest definition lacks
        texts = [b"0.0"] * self.samples
        width = len(self._place)
        for row, place in enumerate(places):
            texts[row * width + (place or 0)] = b"1.0"
        return self._text % tuple(texts)
