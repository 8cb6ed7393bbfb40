"""When series came to a family of which something had been removed: some of them are those, and count anew."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from fleetmeter.definition import StoredDefinition, series_key
from fleetmeter.removals import Removed


class Returned:
    """The times of a snapshot, as they are stored; see `keys`."""

    def __init__(self, raw: Mapping[bytes, bytes]) -> None:
        self._times: dict[str, dict[bytes, int]] = defaultdict(dict)
        for name, time in raw.items():
            layout, _, number = name.partition(b" ")
            if number and time.isdigit():
                self._times[layout.decode("utf-8", "replace")][number] = int(time)

    def of(self, layout: str) -> Mapping[bytes, int]:
        """Those of one layout (its field in `families`), µs, by the number that tells of the series.

        That is its only one, or its sum. What cannot be read is left out.
        """
        return self._times.get(layout, {})


def telling_number(field: bytes, *, has_part: bool) -> bytes:
    """The number under which the time of a series is kept, given any number of it."""
    if not has_part:
        return field
    series = series_key(field, has_part=True)
    return series + b',"sum"]' if series else b'["sum"]'


def kept_returns(
    served: Mapping[bytes, bytes], numbers: Mapping[str, Mapping[bytes, bytes]], stored: Mapping[bytes, bytes]
) -> Mapping[bytes, bytes]:
    """The stored times, but those of series that are shown already stay as they were `served`.

    `numbers` are those that were served, without what was removed since. A store that was rolled back gets its series
    anew: to whoever reads the later time, a counter that goes on would begin again.
    """
    if stored == served:
        return stored

    def shown(name: bytes) -> bool:
        layout, _, number = name.partition(b" ")
        return number in numbers.get(layout.decode("utf-8", "replace"), {})

    return {name: time for name, time in stored.items() if not shown(name)} | {
        name: time for name, time in served.items() if shown(name)
    }


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
