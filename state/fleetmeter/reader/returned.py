"""When series came to a family from which something had been removed. Some of them are the removed ones, counting anew.

A series that was removed at 7 and came back at 12:00 begins at 0: `_created` shows 12:00, so that nobody takes its
first amounts for a continuation.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from fleetmeter.reader.removals import Removed
from fleetmeter.reader.times import time_of
from fleetmeter.schema.definition import StoredDefinition, series_key
from fleetmeter.schema.keys import split_note

Twin = tuple[str, Mapping[bytes, bytes], Mapping[bytes, bytes]]
"""Of a layout that is kept in two formats: the packed one, the numbers of the layout itself, and those of that one."""


class Returned:
    """The times of a snapshot, as they are stored; see `keys`. A time that cannot be read is left out."""

    def __init__(self, raw: Mapping[bytes, bytes] | None = None) -> None:
        self._times: dict[str, dict[bytes, int]] = defaultdict(dict)
        for name, time in (raw or {}).items():
            layout, number = split_note(name)
            came_us = time_of(time)
            if number and came_us is not None:
                self._times[layout][number] = came_us

    @property
    def layouts(self) -> frozenset[str]:
        """The layouts that have any."""
        return frozenset(self._times)

    def of(self, layout: str) -> Mapping[bytes, int]:
        """The times (µs) of one layout, given its field in `families`, by the field that keeps a series' time.

        That is the field of the series' only number, or of its sum.
        """
        return self._times.get(layout, {})

    def joined(self, twins: Mapping[str, Twin]) -> "Returned":
        """The times with one layout for each that has another format; see `Twin`.

        Of a series that both have, it is the earlier time. No time means that a layout always had the series.
        """
        kept = Returned()
        kept._times.update({layout: times for layout, times in self._times.items() if layout not in twins})
        for layout, (twin, fields, packed) in twins.items():
            old, new = self.of(layout), self.of(twin)
            times: dict[bytes, int] = {}
            for number in old.keys() | new.keys():
                here = [known.get(number, 0) for known, there in ((old, fields), (new, packed)) if number in there]
                times[number] = min(here, default=0)
            kept._times[twin] = {number: time for number, time in times.items() if time}
        return kept

    def but_served(self, served: "Returned", numbers: Mapping[str, Mapping[bytes, bytes]]) -> "Returned":
        """The times of now, except that a series which is being shown keeps the time with which it was `served`.

        `numbers` are the served numbers, without what was removed since. When a store that was rolled back gets a
        series again, its time is later. If that were shown, a counter that goes on at 120 would seem to begin anew.
        """
        kept = Returned()
        for layout in self.layouts | served.layouts:
            now, before, shown = self.of(layout), served.of(layout), numbers.get(layout, {})
            if now != before:
                later = {number: time for number, time in now.items() if number not in shown}
                now = later | {number: time for number, time in before.items() if number in shown}
            kept._times[layout] = dict(now)
        return kept


NO_RETURNS = Returned()
"""No times at all: there are none, or nobody asked."""


def telling_number(field: bytes, *, has_part: bool) -> bytes:
    """The field under which the time of a series is kept, given any field of the series."""
    if not has_part:
        return field
    series = series_key(field, has_part=True)
    return series + b',"sum"]' if series else b'["sum"]'


def kept_registrations(
    served: tuple[StoredDefinition, ...], since: Removed, stored: tuple[StoredDefinition, ...]
) -> tuple[StoredDefinition, ...]:
    """The stored definitions; only those of layouts removed `since` may be registered later than they were `served`."""
    before = {one.definition.field: one.first_us for one in served}

    def kept(one: StoredDefinition) -> StoredDefinition:
        first_us = before.get(one.definition.field, one.first_us)
        later = first_us < one.first_us and not since.takes_all(one.definition.field)
        return replace(one, first_us=first_us) if later else one

    return tuple(map(kept, stored))
