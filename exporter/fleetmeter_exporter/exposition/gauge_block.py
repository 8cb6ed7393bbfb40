"""The lines of a gauge, in any of its modes."""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, chain, pairwise, repeat
from math import isfinite
from operator import add, ne

from fleetmeter.reader.statements import Statements, comparable
from fleetmeter_exporter.exposition.block import Subject, lines_of, picker
from fleetmeter_exporter.exposition.lines import NOT_FINITE
from fleetmeter_exporter.exposition.stated_block import StatedBlock
from fleetmeter_exporter.exposition.stated_rows import Members, MergedRows, ReplicaRows

_Values = tuple[Sequence[bytes], Sequence[bytes]]
"""The texts of all shown statements, row by row; and their times, which only the mode `mostrecent` needs."""

_MERGE: dict[str, Callable[[list[float]], float]] = {
    "sum": sum,
    "min": lambda values: min(comparable(values)),
    "max": lambda values: max(comparable(values)),
}


class GaugeBlock(StatedBlock[_Values]):
    """The lines of a gauge."""

    def __init__(self, subject: Subject) -> None:
        live = subject.newest.mode.startswith("live")
        self._mode = subject.newest.mode.removeprefix("live")
        self._merges = self._mode in _MERGE or self._mode == "mostrecent"
        super().__init__(subject, living=live, folded=self._merges)
        lines = [("", ())]
        rows = MergedRows if self._merges else ReplicaRows
        self._rows = [rows(layout, lines, subject) for layout in subject.layouts]

    def _learn(self, members: Sequence[Members], replicas: Mapping[str, str]) -> None:
        groups: list[list[int]] = []
        writers: list[str] = []
        for rows, shown in zip(self._rows, members, strict=True):
            if isinstance(rows, MergedRows):
                by_place = dict(zip(shown[0], shown[1], strict=True))
                found = rows.groups(shown)
                writers += map(by_place.__getitem__, chain.from_iterable(found))
                groups += found
            else:
                groups += ([place] for place in rows.places(shown, replicas))
        self._writers_by_row = writers
        self._pick = picker(list(chain.from_iterable(groups)))
        self._ends = list(accumulate(map(len, groups), initial=0))
        self._single = len(groups) == self._ends[-1]
        self._starts = list(chain.from_iterable(rows.starts for rows in self._rows))
        self.samples = len(groups)

    def _picked(self, statements: Statements) -> _Values:
        return self._pick(statements.texts), self._pick(statements.set_us) if self._mode == "mostrecent" else ()

    def _joined(self, picked: _Values) -> bytes | None:
        try:
            values = list(map(float, picked[0]))
        except ValueError:
            return None
        if self._mode == "sum":
            values = list(map(add, values, repeat(0)))  # adding 0 makes a negative zero 0, as any sum does
        if not self._single:
            values = self._merged(values, picked[1])
        texts = list(map(repr, values))
        if not all(map(isfinite, values)):
            texts = [NOT_FINITE.get(text, text) for text in texts]
        return lines_of(self._starts, texts)

    def _merged(self, values: list[float], set_us: Sequence[bytes]) -> list[float]:
        """One value for each row."""
        rows = pairwise(self._ends)
        if self._mode == "mostrecent":
            times = list(zip(map(int, set_us), self._writers_by_row, values, strict=True))
            return [max(times[first:last], key=_age)[2] for first, last in rows]
        merge = _MERGE[self._mode]
        if self._mode != "sum" and not any(map(ne, values, values)):  # without NaN the plain functions are right
            merge = min if self._mode == "min" else max
        return [merge(values[first:last]) for first, last in rows]


def _age(value: tuple[int, str, float]) -> tuple[int, str]:
    return value[0], value[1]
