"""The lines of a gauge, in any of its modes."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, chain, compress, repeat
from math import isfinite, isnan
from operator import is_not

from fleetmeter.reader.change import joined
from fleetmeter.reader.digits import floats_in, spelled
from fleetmeter.reader.fields import Fields
from fleetmeter.reader.stated_fields import Stated
from fleetmeter.reader.stated_values import comparable
from fleetmeter.reader.statements import Statements, said_in, times_in
from fleetmeter_exporter.exposition.block import Subject, picker
from fleetmeter_exporter.exposition.lines import NOT_FINITE
from fleetmeter_exporter.exposition.stated_block import StatedBlock
from fleetmeter_exporter.exposition.stated_rows import MergedRows, ReplicaRows

_MERGE: dict[str, Callable[[Sequence[float]], float]] = {
    "sum": sum,
    "min": lambda values: min(comparable(values)),
    "max": lambda values: max(comparable(values)),
}

_PLAIN_MERGE: dict[str, Callable[[Sequence[float]], float]] = {"min": min, "max": max}
"""The same for numbers of which none is NaN."""

_NOT_FINITE = {text.encode(): shown.encode() for text, shown in NOT_FINITE.items()}


class GaugeBlock(StatedBlock):
    """The lines of a gauge. Of its values only those that changed are read, merged and spelled anew."""

    def __init__(self, subject: Subject) -> None:
        live = subject.newest.mode.startswith("live")
        self._mode = subject.newest.mode.removeprefix("live")
        self._merges = self._mode in _MERGE or self._mode == "mostrecent"
        super().__init__(subject, living=live, folded=self._merges)
        self._row_of: Sequence[int] = ()
        self._read: Sequence[bytes | None] | None = None  # what the values below were read from
        self._values: list[float] = []  # of each statement, if a row has several
        self._texts: list[bytes] = []
        rows = MergedRows if self._merges else ReplicaRows
        self._rows = [rows(layout, [("", ())], subject) for layout in subject.layouts]

    def _learn(self, members: Sequence[Stated], replicas: Mapping[str, str], fields: Fields) -> None:
        read, self._read = self._read, None  # nothing holds any more if one of the layouts cannot be learnt
        for rows, shown in zip(self._rows, members, strict=True):
            if isinstance(rows, MergedRows):
                rows.learn(shown, fields)
            else:
                rows.learn(shown, replicas, fields)
        places = list(chain.from_iterable(rows.places for rows in self._rows))
        self._row_of = self._rows[0].row_of if len(self._rows) == 1 else self._every_row()
        self.samples = sum(len(rows.arrangement) for rows in self._rows)
        self._writers = self._every_writer(members) if self._mode == "mostrecent" else []
        self._keep(read, len(places))
        self._pick = picker(places)
        self._text = b"".join(rows.text for rows in self._rows)
        self._starts: list[int] = []
        if self.samples < len(places):  # else no row has more than one statement
            sizes = Counter(self._row_of)
            self._starts = list(accumulate(map(sizes.__getitem__, range(self.samples)), initial=0))

    def _every_row(self) -> list[int]:
        """The row of each statement, over all layouts."""
        found: list[int] = []
        first = 0
        for rows in self._rows:
            found += [first + row for row in rows.row_of]
            first += len(rows.arrangement)
        return found

    def _every_writer(self, members: Sequence[Stated]) -> list[str]:
        """The writer of each statement, row by row."""
        found: list[str] = []
        for rows, shown in zip(self._rows, members, strict=True):
            writers = dict(zip(shown.places, shown.writers, strict=True))
            found += map(writers.__getitem__, rows.places)
        return found

    def _keep(self, read: Sequence[bytes | None] | None, size: int) -> None:
        """Keep what is known of the statements that were there before, given what their values were `read` from."""
        if read is None or any(rows.change is None for rows in self._rows):
            return
        of_values = joined((rows.change, len(rows.places)) for rows in self._rows if rows.change is not None)
        of_rows = joined((rows.arrangement.moves, len(rows.arrangement)) for rows in self._rows)
        if of_values is None or of_rows is None:
            return
        several = self.samples < size
        if several != bool(self._starts) or (several and of_values.gone):
            return  # a row may have got its second statement, or lost some
        self._read = of_values.carried(read, repeat(None, size))
        if several:
            self._values = of_values.carried(self._values, repeat(0.0, size))
        self._texts = of_rows.carried(self._texts, repeat(b"", size))

    def _picked(self, statements: Statements) -> Sequence[bytes]:
        return self._pick(statements.raw)

    def _joined(self, picked: Sequence[bytes]) -> bytes | None:
        count = len(self._row_of)
        changed: Sequence[int] = range(count)
        if self._read is not None and len(self._read) == count:
            changed = list(compress(changed, map(is_not, picked, self._read)))
        else:
            self._texts = [b""] * self.samples
            self._values = [0.0] * count if self._starts else []
        try:
            values = floats_in(said_in(map(picked.__getitem__, changed)))
        except ValueError:
            self._read = None
            return None
        self._read, rows = picked, changed
        if self._starts:
            for place, value in zip(changed, values, strict=True):
                self._values[place] = value
            rows = [*dict.fromkeys(map(self._row_of.__getitem__, changed))]
            values = self._merged(rows, picked)
        elif self._mode == "sum":
            values = [value + 0.0 for value in values]  # as in any sum, a negative zero is 0
        for row, text in zip(rows, _spelled(values), strict=True):
            self._texts[row] = text
        return self._text % tuple(self._texts)

    def _merged(self, rows: Sequence[int], picked: Sequence[bytes]) -> list[float]:
        """The values of rows, given all statements."""
        by_size: dict[int, list[int]] = {}
        for row in rows:
            by_size.setdefault(self._starts[row + 1] - self._starts[row], []).append(row)
        merged: dict[int, float] = {}
        for size, some in by_size.items():
            merged.update(zip(some, self._merged_together(some, size, picked), strict=True))
        return list(map(merged.__getitem__, rows))

    def _merged_together(self, rows: Sequence[int], size: int, picked: Sequence[bytes]) -> list[float]:
        """The values of rows that have so many statements each: the first of each are a column, and so on."""
        firsts = list(map(self._starts.__getitem__, rows))
        picks = [picker(list(map(at.__add__, firsts))) for at in range(size)]
        values = [pick(self._values) for pick in picks]
        if self._mode == "mostrecent" and size > 1:
            times = [times_in(pick(picked)) for pick in picks]
            stated = [
                zip(some, pick(self._writers), column, strict=True)
                for some, pick, column in zip(times, picks, values, strict=True)
            ]
            return [newest[2] for newest in map(max, *stated)]
        if self._mode == "mostrecent":
            return list(values[0])
        merge = _MERGE[self._mode]
        if not any(isnan(sum(column)) for column in values):
            merge = _PLAIN_MERGE.get(self._mode, merge)
        return list(map(merge, zip(*values, strict=True)))


def _spelled(values: list[float]) -> list[bytes]:
    """The values as lines show them."""
    found = spelled(values)
    return found if all(map(isfinite, values)) else [_NOT_FINITE.get(text, text) for text in found]
