"""The lines of a gauge, in any of its modes."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, compress, pairwise
from math import isfinite
from operator import is_not

from fleetmeter.reader.fields import Fields
from fleetmeter.reader.stated_fields import Stated
from fleetmeter.reader.statements import Statements, comparable
from fleetmeter_exporter.exposition.block import Subject, picker, seen_spelled, spelled
from fleetmeter_exporter.exposition.lines import NOT_FINITE
from fleetmeter_exporter.exposition.stated_block import StatedBlock
from fleetmeter_exporter.exposition.stated_rows import Members, MergedRows, ReplicaRows, carried

_MERGE: dict[str, Callable[[list[float]], float]] = {
    "sum": sum,
    "min": lambda values: min(comparable(values)),
    "max": lambda values: max(comparable(values)),
}

_NOT_FINITE = {text.encode(): shown.encode() for text, shown in NOT_FINITE.items()}


class GaugeBlock(StatedBlock):
    """The lines of a gauge. Of its values only those that changed are read, merged and spelled anew."""

    def __init__(self, subject: Subject) -> None:
        live = subject.newest.mode.startswith("live")
        self._mode = subject.newest.mode.removeprefix("live")
        self._merges = self._mode in _MERGE or self._mode == "mostrecent"
        super().__init__(subject, living=live, folded=self._merges)
        self._known: Members = Fields(), ()
        self._row_of: list[int] = []
        self._read: Sequence[bytes | None] | None = None  # what the values below were read from
        self._values: list[float] = []
        self._texts: list[bytes] = []
        rows = MergedRows if self._merges else ReplicaRows
        self._rows = [rows(layout, [("", ())], subject) for layout in subject.layouts]

    def _learn(self, members: Sequence[Stated], replicas: Mapping[str, str], fields: Fields) -> None:
        places: list[int] = []
        row_of: list[int] = []
        self._writers: list[str] = []
        for rows, shown in zip(self._rows, members, strict=True):
            first = row_of[-1] + 1 if row_of else 0
            if isinstance(rows, MergedRows):
                own, at = rows.places(shown, fields)
                row_of += [first + row for row in at] if first else at
            else:
                own = rows.places(shown, replicas, fields)
                row_of += range(first, first + len(own))
            places += own
            if self._mode == "mostrecent":
                writers = dict(zip(shown.places, shown.writers, strict=True))
                self._writers += map(writers.__getitem__, own)
        self._keep(places, row_of, fields)
        self._pick = picker(places)
        self._text = b"".join(rows.text for rows in self._rows)
        self.samples = row_of[-1] + 1 if row_of else 0
        self._spans: list[tuple[int, int]] = []
        if self.samples < len(places):  # else no row has more than one statement
            sizes = Counter(row_of)
            self._spans = list(pairwise(accumulate(map(sizes.__getitem__, range(self.samples)), initial=0)))

    def _keep(self, places: list[int], row_of: list[int], fields: Fields) -> None:
        """Keep what is known of the statements that are at these places of the hash now, and belong to these rows."""
        known, rows_before, before = self._known, self._row_of, self._known[1]
        self._known, self._row_of = (fields, places), row_of
        if self._read is None:
            return
        olds = carried(known, range(len(before)), self._known, -1)  # of a new one each list below has its last item
        rows = row_of[-1] + 1 if row_of else 0
        if len(before) > len(olds) - olds.count(-1) and (rows < len(places) or len(self._texts) < len(before)):
            self._read = None  # a row may have lost some of its statements
            return
        parts = self._read[: len(before)], self._read[len(before) :]
        self._read = [one for part in parts if part for one in map([*part, None].__getitem__, olds)]
        self._values = list(map([*self._values, 0.0].__getitem__, olds))
        if len(self._texts) == len(before) and rows == len(places):  # each row has one statement
            self._texts = list(map([*self._texts, b""].__getitem__, olds))
            return
        texts, self._texts = self._texts, [b""] * rows
        for row, old in zip(row_of, olds, strict=True):
            if old >= 0:
                self._texts[row] = texts[rows_before[old]]

    def _picked(self, statements: Statements) -> Sequence[bytes]:
        texts = self._pick(statements.texts)
        return (*texts, *self._pick(statements.set_us)) if self._mode == "mostrecent" else texts

    def _joined(self, picked: Sequence[bytes]) -> bytes | None:
        count = len(self._row_of)
        changed: Sequence[int] = ()
        try:
            if self._read is not None and len(self._read) == len(picked):
                changed = [place % count for place in compress(range(len(picked)), map(is_not, picked, self._read))]
                for place in changed:
                    self._values[place] = float(picked[place])
            else:
                self._values = list(map(float, picked[:count]))
                if self._mode == "sum":
                    self._values = [value + 0.0 for value in self._values]  # as in any sum, a negative zero is 0
                changed = () if count == self.samples else range(count)
                self._texts = [b""] * self.samples if changed else self._spelled(picked[:count])
        except ValueError:
            self._read = None
            return None
        self._read, set_us = picked, picked[count:]
        for row in dict.fromkeys(map(self._row_of.__getitem__, changed)):
            text = b"%a" % self._merged(row, set_us)
            self._texts[row] = _NOT_FINITE.get(text, text)
        return self._text % tuple(self._texts)

    def _spelled(self, texts: Sequence[bytes]) -> list[bytes]:
        """The values as lines show them; `texts` are what they were read from."""
        seen = seen_spelled(texts)
        if seen is not None:
            return seen
        found = spelled(self._values)
        return found if all(map(isfinite, self._values)) else [_NOT_FINITE.get(text, text) for text in found]

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
