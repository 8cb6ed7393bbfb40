"""Removals that are on record only as many: what of the served numbers may have gone with them."""

from collections.abc import Mapping

from fleetmeter.reader.numbers import Numbers
from fleetmeter.reader.removals import CLOCKS_APART_US, Removed
from fleetmeter.reader.returned import telling_number
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.schema.definition import Definition, series_key


def without_gathered(served: Numbers, since: Removed, before: Snapshot, now: Snapshot) -> Numbers:
    """The `served` numbers, of `before`, without those of series that may have gone with gathered removals.

    Of a layout with such removals those series went which the store lacks `now`, and those that came anew after
    `before` was read. A number that is there and merely lower was lost.
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
