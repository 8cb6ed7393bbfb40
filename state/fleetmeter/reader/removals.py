"""Which series were removed on purpose, as the store has noted.

Each removal has a note; a newer removal of the same thing replaces it. If there are more than 1,000 notes, the older
ones are gathered: one note per layout says only until when some of its series were removed.
"""

from collections.abc import Mapping
from typing import Self

from fleetmeter.reader.times import time_of
from fleetmeter.schema.definition import read_json, texts_of
from fleetmeter.schema.keys import SOMETHING, split_note

CLOCKS_APART_US = 10_000_000
"""By how much two masters' clocks may differ when one takes over from the other (µs)."""


class Removed:
    """Removals since an earlier snapshot: whole layouts, or single series and patterns of label values in a layout."""

    def __init__(
        self,
        layouts: frozenset[str] = frozenset(),
        series: Mapping[str, set[tuple[str, ...]]] | None = None,
        patterns: Mapping[str, list[list[object]]] | None = None,
        gathered: frozenset[str] = frozenset(),
    ) -> None:
        self._layouts = layouts
        self._series = series or {}
        self._patterns = patterns or {}
        self.gathered = gathered
        """Layouts with gathered removals: some of their series went, and nobody knows which."""

    @classmethod
    def since(
        cls,
        before: Mapping[bytes, bytes],
        now: Mapping[bytes, bytes],
        taken_us: int = 0,
        twins: Mapping[str, str] | None = None,
    ) -> Self:
        """The removals that `now` has on record and `before` had not, or had with an earlier time.

        A note that has become older is no new removal: the store went back to an earlier state. A note that cannot be
        read removes nothing. `taken_us` is when `before` was read: it contains all removals until then. If numbers of
        one layout are taken for those of another, its `twins` has that one: then so are removals.
        """
        if now is before:
            return cls()
        gathered: set[str] = set()
        layouts: set[str] = set()
        series: dict[str, set[tuple[str, ...]]] = {}
        patterns: dict[str, list[list[object]]] = {}
        for raw, time in now.items():
            if not _later(time, before.get(raw)):
                continue
            layout, pattern = split_note(raw)
            layout = (twins or {}).get(layout, layout)
            if not pattern:
                layouts.add(layout)
                continue
            if pattern == SOMETHING:
                if (time_of(time) or 0) > taken_us - CLOCKS_APART_US:
                    gathered.add(layout)
                continue
            try:
                wanted = read_json(pattern)
            except ValueError:
                continue
            if not isinstance(wanted, list):
                continue
            if all(isinstance(value, str) for value in wanted):
                series.setdefault(layout, set()).add(tuple(wanted))
            else:
                patterns.setdefault(layout, []).append(wanted)
        return cls(frozenset(layouts), series, patterns, frozenset(gathered))

    def __bool__(self) -> bool:
        return bool(self._layouts or self._series or self._patterns or self.gathered)

    def takes_all(self, layout: str) -> bool:
        """Whether a layout was removed as a whole, with its definition."""
        return layout in self._layouts

    def takes(self, layout: str, number: bytes) -> bool:
        """Whether a number of a layout was removed."""
        if layout in self._layouts:
            return True
        series, patterns = self._series.get(layout, ()), self._patterns.get(layout, ())
        if not (series or patterns):
            return False
        try:
            values = texts_of(read_json(number))
        except (ValueError, TypeError):
            return False
        # a number of a histogram's series has one element more than the series; thousands may go in one batch
        if tuple(values) in series or tuple(values[:-1]) in series:
            return True
        return any(
            all(want in (None, value) for want, value in zip(wanted, values, strict=False)) for wanted in patterns
        )

    def taken_from(self, numbers: Mapping[str, Mapping[bytes, bytes]]) -> Mapping[str, Mapping[bytes, bytes]]:
        """The numbers without those that were removed."""
        if not self:
            return numbers
        touched = self._layouts | self._series.keys() | self._patterns.keys()
        return {
            layout: {number: text for number, text in group.items() if not self.takes(layout, number)}
            if layout in touched
            else group
            for layout, group in numbers.items()
        }


def _later(time: bytes, before: bytes | None) -> bool:
    now = time_of(time)
    return now is not None and (before is None or now > (time_of(before) or 0))
