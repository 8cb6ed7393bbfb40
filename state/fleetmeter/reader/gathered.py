"""Gathered removals: of many removals only one note is left, which does not say which series went.

If a label churns, the store keeps the newest removal notes one by one. The older ones become one note per layout:
"until 12:00 some series of this layout were removed". An exporter that last read at 11:00 has to conclude the rest.
"""

from collections.abc import Mapping

from fleetmeter.reader.numbers import Numbers
from fleetmeter.reader.removals import CLOCKS_APART_US, Removed
from fleetmeter.reader.returned import telling_number
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.schema.definition import Definition, series_key


def without_gathered(served: Numbers, since: Removed, before: Snapshot, now: Snapshot) -> Numbers:
    """The `served` numbers without the series that gathered removals may have removed since `before` was read.

    In a layout with such a note, a series may have been removed if the store lacks it `now`, or if it came anew after
    `before` was read. A series that is still there and merely lower was lost, not removed, and stays.
    """
    layouts = {stored.definition.field: stored.definition for stored in before.definitions}
    kept = dict(served)
    for field in since.gathered & served.keys() & layouts.keys():
        kept[field] = _kept(layouts[field], served[field], now, before.taken_us - CLOCKS_APART_US)
    return kept


def _kept(layout: Definition, served: Mapping[bytes, bytes], now: Snapshot, since_us: int) -> dict[bytes, bytes]:
    parted, came = layout.has_parts, now.came.of(layout.field)

    def series(number: bytes) -> bytes:
        return series_key(number, has_part=True) if parted else number

    here = {series(number) for number in now.numbers.get(layout.field, {})}
    return {
        number: text
        for number, text in served.items()
        if series(number) in here and came.get(telling_number(number, has_part=parted), since_us) <= since_us
    }
