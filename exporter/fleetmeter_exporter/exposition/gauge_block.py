"""The lines of a gauge, in any of its modes."""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, chain, compress, pairwise
from math import isfinite
from operator import is_not

from fleetmeter.reader.stated_fields import Stated
from fleetmeter.reader.statements import Statements, comparable
from fleetmeter_exporter.exposition.block import Subject, lines_of, picker
from fleetmeter_exporter.exposition.lines import NOT_FINITE
from fleetmeter_exporter.exposition.stated_block import StatedBlock
from fleetmeter_exporter.exposition.stated_rows import MergedRows, ReplicaRows

_MERGE: dict[str, Callable[[list[float]], float]] = {
    "sum": sum,
    "min": lambda values: min(comparable(values)),
    "max": lambda values: max(comparable(values)),
}


class GaugeBlock(StatedBlock):
    """The lines of a gauge. Of its values only those that changed are read, merged and spelled anew."""

    def __init__(self, subject: Subject) -> None:
        live = subject.newest.mode.startswith("live")
        self._mode = subject.newest.mode.removeprefix("live")
        self._merges = self._mode in _MERGE or self._mode == "mostrecent"
        super().__init__(subject, living=live, folded=self._merges)
        rows = MergedRows if self._merges else ReplicaRows
        self._rows = [rows(layout, [("", ())], subject) for layout in subject.layouts]

    def _learn(self, members: Sequence[Stated], replicas: Mapping[str, str]) -> None:
        groups: list[list[int]] = []
        singles: list[int] = []
        writers: dict[int, str] = {}
        for rows, shown in zip(self._rows, members, strict=True):
            if isinstance(rows, MergedRows):
                groups += rows.groups(shown)
                if self._mode == "mostrecent":
                    writers.update(zip(shown.places, shown.writers, strict=True))
            else:
                singles += rows.places(shown, replicas)
        if max(map(len, groups), default=1) == 1:  # no row has more than one statement
            places = [*singles, *chain.from_iterable(groups)]
            self._row_of: Sequence[int] = range(len(places))
            self._spans: list[tuple[int, int]] = []
        else:
            places = list(chain.from_iterable(groups))
            self._spans = list(pairwise(accumulate(map(len, groups), initial=0)))
            self._row_of = [row for row, (first, last) in enumerate(self._spans) for _ in range(first, last)]
        self._pick = picker(places)
        self._writers = [writers[place] for place in places] if writers else []
        self._starts = list(chain.from_iterable(rows.starts for rows in self._rows))
        self._read: Sequence[bytes] = ()
        self._values: list[float] = []
        self._texts: list[str] = []
        self.samples = len(groups) + len(singles)

    def _picked(self, statements: Statements) -> Sequence[bytes]:
        texts = self._pick(statements.texts)
        return (*texts, *self._pick(statements.set_us)) if self._mode == "mostrecent" else texts

    def _joined(self, picked: Sequence[bytes]) -> bytes | None:
        count = len(self._row_of)
        changed: Sequence[int] = ()
        try:
            if len(self._read) == len(picked):
                changed = [place % count for place in compress(range(len(picked)), map(is_not, picked, self._read))]
                for place in changed:
                    self._values[place] = float(picked[place])
            else:
                self._values = list(map(float, picked[:count]))
                if self._mode == "sum":
                    self._values = [value + 0.0 for value in self._values]  # as in any sum, a negative zero is 0
                changed = () if count == self.samples else range(count)
                self._texts = list(map(repr, self._values[: self.samples]))
                if not all(map(isfinite, self._values)):
                    self._texts = [NOT_FINITE.get(text, text) for text in self._texts]
        except ValueError:
            self._read = ()
            return None
        self._read, set_us = picked, picked[count:]
        for row in dict.fromkeys(map(self._row_of.__getitem__, changed)):
            text = repr(self._merged(row, set_us))
            self._texts[row] = NOT_FINITE.get(text, text)
        return lines_of(self._starts, self._texts)

    def _merged(self, row: int, set_us: Sequence[bytes]) -> float:
        """The value of a row."""
        first, last = self._spans[row] if self._spans else (row, row + 1)
        if set_us:
            times = zip(map(int, set_us[first:last]), self._writers[first:last], self._values[first:last], strict=True)
            return max(times, key=_age)[2]
        values = self._values[first:last]
        return _MERGE[self._mode](values) if self._merges else values[0]


def _age(value: tuple[int, str, float]) -> tuple[int, str]:
    return value[0], value[1]
