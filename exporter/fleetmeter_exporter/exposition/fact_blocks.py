"""The lines of infos and of state sets: facts, which seldom change."""

from collections.abc import Mapping, Sequence
from itertools import chain

from fleetmeter.reader.sample import Labels
from fleetmeter.reader.stated_fields import Stated
from fleetmeter.reader.statements import Statements, facts_of
from fleetmeter.schema.definition import compact_json
from fleetmeter_exporter.exposition.block import Starts, Subject, lines_of, picker
from fleetmeter_exporter.exposition.stated_block import StatedBlock
from fleetmeter_exporter.exposition.stated_rows import ReplicaRows

_Texts = Sequence[bytes]

_Statement = tuple[int, tuple[str, ...], bytes]
"""A layout's place, label values, and the stated text."""


class InfoBlock(StatedBlock):
    """The lines of an info: one for each set of facts that a living writer states."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject, living=True, folded=False)
        self._lines: dict[_Statement, tuple[Labels, str]] = {}
        self._starts: dict[tuple[str, ...], Starts] = {}

    def _learn(self, members: Sequence[Stated], _replicas: Mapping[str, str]) -> None:
        self._values = [(at, series) for at, shown in enumerate(members) for series in shown.values]
        self._pick = picker(list(chain.from_iterable(shown.places for shown in members)))

    def _picked(self, statements: Statements) -> _Texts:
        return self._pick(statements.texts)

    def _joined(self, picked: _Texts) -> bytes | None:
        keys = [(at, values, text) for (at, values), text in zip(self._values, picked, strict=True)]
        known = {key: self._lines[key] for key in keys if key in self._lines}
        try:
            self._lines = known | self._made([key for key in keys if key not in known])
        except (ValueError, TypeError, AttributeError):
            return None
        by_layout: list[dict[Labels, str]] = [{} for _ in self.subject.layouts]
        for (at, _, _), (labels, line) in self._lines.items():
            by_layout[at][labels] = line
        shown = [line for lines in by_layout for _, line in sorted(lines.items())]
        self.samples = len(shown)
        return "".join(shown).encode()

    def _made(self, keys: Sequence[_Statement]) -> dict[_Statement, tuple[Labels, str]]:
        """The line and the labels of each of these statements. Lines with the same label names are made together."""
        by_names: dict[tuple[str, ...], list[tuple[_Statement, Labels]]] = {}
        for key in keys:
            at, values, text = key
            own = zip(sorted(self.subject.layouts[at].labels), values, strict=True)
            labels = tuple(sorted({**dict(own), **facts_of(text)}.items()))
            by_names.setdefault(tuple(name for name, _ in labels), []).append((key, labels))
        made: dict[_Statement, tuple[Labels, str]] = {}
        for names, several in by_names.items():
            if names not in self._starts:
                self._starts[names] = Starts(self.subject.newest.name, names, [("_info", ())], self.subject)
            starts = self._starts[names].of([[value for _, value in labels] for _, labels in several])
            made |= {key: (labels, f"{start}1.0") for (key, labels), start in zip(several, starts, strict=True)}
        return made


class StateBlock(StatedBlock):
    """The lines of a state set: for each living writer one line per possible state, of which one is 1."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject, living=True, folded=False)
        newest = subject.newest
        self._place = {compact_json(state).encode(): place for place, state in enumerate(newest.states)}
        lines = [("", ((newest.name, state),)) for state in newest.states]
        self._rows = [ReplicaRows(layout, lines, subject, newest.name) for layout in subject.layouts]

    def _learn(self, members: Sequence[Stated], replicas: Mapping[str, str]) -> None:
        places = [rows.places(shown, replicas) for rows, shown in zip(self._rows, members, strict=True)]
        self._pick = picker(list(chain.from_iterable(places)))
        self._starts = list(chain.from_iterable(rows.starts for rows in self._rows))
        self.samples = len(self._starts)

    def _picked(self, statements: Statements) -> _Texts:
        return self._pick(statements.texts)

    def _joined(self, picked: _Texts) -> bytes | None:
        places = list(map(self._place.get, picked))
        if None in places:
            return None  # a state of an older version, which the newest definition lacks
        texts = ["0.0"] * len(self._starts)
        width = len(self._place)
        for row, place in enumerate(places):
            texts[row * width + (place or 0)] = "1.0"
        return lines_of(self._starts, texts)
