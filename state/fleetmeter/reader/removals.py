"""Which series were removed on purpose, as it is on record in the store.

Each removal has a note of its own, which a newer one takes the place of. Where there were very many, the older ones are
gathered: of those it is only known until when some series of a layout went.
"""

from collections.abc import Mapping
from typing import Self

from fleetmeter.schema.definition import read_json, texts_of
from fleetmeter.schema.keys import SOMETHING, split_note

_DIGITS = 18
"""A time of more digits is none: it would not be of this millennium."""

CLOCKS_APART_US = 10_000_000
"""By how much the clocks of two masters may differ, one of which takes over from the other."""


class Removed:
    """Removals since an earlier snapshot: whole layouts, and of others single series and patterns of label values."""

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
        """Layouts of which series went that nobody can name any more."""

    @classmethod
    def since(cls, before: Mapping[bytes, bytes], now: Mapping[bytes, bytes], taken_us: int = 0) -> Self:
        """What `now` has on record and `before` had not, or with an earlier time. What cannot be read removes nothing.

        An earlier time than before is no removal, but one from a state that the store went back to. `taken_us` is when
        `before` was read: whoever read it then knows of all removals until then, gathered or not.
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


def time_of(text: bytes) -> int | None:
    """The time that a note holds, µs; None for what is none: a note with that tells nothing."""
    return int(text) if text.isdigit() and len(text) <= _DIGITS else None
