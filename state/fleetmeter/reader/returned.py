"""When series came to a family of which something had been removed: some of them are those, and count anew."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from fleetmeter.reader.removals import Removed, time_of
from fleetmeter.schema.definition import StoredDefinition, series_key
from fleetmeter.schema.keys import split_note


class Returned:
    """The times of a snapshot, from what is stored; see `keys`. What cannot be read is left out."""

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
        """Those of one layout (its field in `families`), µs, by the number that tells of the series.

        That is its only one, or its sum.
        """
        return self._times.get(layout, {})

    def but_served(self, served: "Returned", numbers: Mapping[str, Mapping[bytes, bytes]]) -> "Returned":
        """These, but those of series that are shown already stay as they were `served`.

        `numbers` are those that were served, without what was removed since. A store that was rolled back gets its
        series anew: to whoever reads the later time, a counter that goes on would begin again.
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
"""Where there are none, or nobody wants to know."""


def telling_number(field: bytes, *, has_part: bool) -> bytes:
    """The number under which the time of a series is kept, given any number of it."""
    if not has_part:
        return field
    series = series_key(field, has_part=True)
    return series + b',"sum"]' if series else b'["sum"]'


def kept_registrations(
    served: tuple[StoredDefinition, ...], since: Removed, stored: tuple[StoredDefinition, ...]
) -> tuple[StoredDefinition, ...]:
    """The stored definitions, none registered later than it was `served` with, but for layouts removed `since`."""
    before = {one.definition.field: one.first_us for one in served}

    def kept(one: StoredDefinition) -> StoredDefinition:
        first_us = before.get(one.definition.field, one.first_us)
        later = first_us < one.first_us and not since.takes_all(one.definition.field)
        return replace(one, first_us=first_us) if later else one

    return tuple(map(kept, stored))
