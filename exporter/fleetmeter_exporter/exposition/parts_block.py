"""The lines of a histogram or a summary, with kept text between the numbers."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import repeat
from operator import add, truediv
from typing import cast

from prometheus_client.samples import Exemplar

from fleetmeter.reader.hashes import Hash
from fleetmeter.schema.definition import series_key
from fleetmeter_exporter.exposition.block import Block, Subject, picker


class PartsBlock(Block):
    """The lines of a histogram or a summary, whose series have several numbers each.

    All lines together are one pattern with `%` into which all numbers are put at once. That takes a quarter of the time
    that one text per number would take. `_pick` orders the numbers by column: first the first bound's counts of all
    series, then the second bound's, and the sums at the end. `_moved` names counts whose bound is missing in the newest
    definition. They are added to the next larger bound: with bounds 1 and 5, a count of 2 goes to 5.
    """

    _patterns: Mapping[bytes, tuple[bytes, str]] = {}
    _present: frozenset[bytes] | None = None

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._bounds = subject.newest.bounds
        self._ascending = [float(bound) for bound in self._bounds]
        self._bucket, self._count, self._sum = self._line("_bucket", "le"), self._line("_count"), self._line("_sum")
        parts = [*self._bounds, "sum"] if self._bounds else ["count", "sum"]
        self._columns = len(parts)
        opening = "," if self._names else "["
        self._column_of = {f'{opening}"{part}"]'.encode(): column for column, part in enumerate(parts)}
        self._has_sum = not self._ascending or self._ascending[0] >= 0
        self._has_count = self._has_sum or not self._form.openmetrics  # OpenMetrics permits no count without a sum

    def _learn(self, fields: list[bytes]) -> bool:
        if (self._newest.type == "histogram") != bool(self._bounds):
            return False
        outdated = {series_key(number, has_part=True) for number in self._outdated}
        known = {key: lines for key, lines in self._patterns.items() if key not in outdated}
        patterns: dict[bytes, tuple[bytes, str]] = {}
        places: dict[bytes, list[int]] = {}
        moved: list[tuple[bytes, int, int]] = []
        missing = len(fields)  # where `_joined` puts a 0
        for place, field in enumerate(fields):
            key = series_key(field, has_part=True)
            column = self._column_of.get(field[len(key) :])
            if key not in patterns or column is None:
                values = self._values(field) if key not in known or column is None else []
                if values is None:
                    return False
                patterns[key] = patterns.get(key) or known.get(key) or self._pattern_of(field, values[:-1])
                places.setdefault(key, [missing] * self._columns)
                if column is None:
                    bound = _bound(values[-1])
                    if bound is None or not self._ascending:
                        return False
                    moved.append((key, bisect_left(self._ascending, bound), place))
                    continue
            places[key][column] = place
        self._keys = sorted(places)
        self._present = None
        self._patterns = patterns
        self._pattern = b"".join(patterns[key][0] for key in self._keys)
        self._pick = picker([places[key][column] for column in range(self._columns) for key in self._keys])
        row_of = {key: row for row, key in enumerate(self._keys)}
        self._moved = [(column * len(self._keys) + row_of[key], place) for key, column, place in moved]
        self._lines = len(self._bounds) + self._has_count + self._has_sum  # of one series
        self.samples = self._lines * len(self._keys)
        self._among = self._keep_created([patterns[key][1] for key in self._keys])
        return True

    def _pattern_of(self, number: bytes, values: Sequence[str]) -> tuple[bytes, str]:
        """The lines of a series, with places for its numbers, and its line of creation."""
        starts = [self._bucket([*values, bound]) for bound in self._bounds]
        if self._has_count:
            starts.append(self._count(values))
        lines = [start.replace("%", "%%") + "%d" for start in starts]
        if self._has_sum:
            lines.append(self._sum(values).replace("%", "%%") + ("%d" if self._layout.scale == 1 else "%a"))
        created = self._created_line(number, values)
        if self._form.openmetrics:
            lines.append(created.replace("%", "%%"))
        return "".join(lines).encode(), created

    def _joined(self, numbers: Hash, exemplars: Mapping[bytes, Exemplar]) -> bytes:
        rows, lines = len(self._keys), self._lines
        wholes = [*cast("list[int]", numbers.wholes), 0]
        picked = list(self._pick(wholes))
        for target, place in self._moved:
            picked[target] += wholes[place]
        shown: list[float] = [0] * (rows * lines)
        running = picked[:rows]
        shown[0::lines] = running
        for column in range(1, self._columns - 1):
            running = list(map(add, running, picked[column * rows : (column + 1) * rows]))
            shown[column::lines] = running
        if self._bounds and self._has_count:
            shown[self._columns - 1 :: lines] = running  # the count is the last bucket's
        if self._has_sum:
            sums, scale = picked[-rows:], self._layout.scale
            shown[lines - 1 :: lines] = sums if scale == 1 else map(truediv, sums, repeat(scale))
        text = self._pattern % tuple(shown)
        if not exemplars:
            return text
        shown_lines = text.split(b"\n")
        for line, example in self._examples_of(exemplars).items():
            shown_lines[line] += example
        return b"\n".join(shown_lines)

    def _line_of(self, field: bytes) -> int | None:
        if self._present is None:  # made only now, because most families have no exemplars
            self._present = frozenset(self._learned or ())
        if field not in self._present:
            return None
        key = series_key(field, has_part=True)
        row = bisect_left(self._keys, key)
        values = self._values(field)
        bound = _bound(values[-1]) if values else None
        if self._keys[row : row + 1] != [key] or bound is None or not self._ascending:
            return None
        return 1 + row * (self._lines + self._among) + bisect_left(self._ascending, bound)


def _bound(part: str) -> float | None:
    """The bound that a part names; None if it names none, as the sum does."""
    try:
        bound = float(part)
    except ValueError:
        return None
    return bound if bound == bound else None
