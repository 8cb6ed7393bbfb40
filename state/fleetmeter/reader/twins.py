"""Layouts that are kept in both formats: they are added up to one, which passes for packed numbers.

Old writers keep the numbers of a family as fields of a hash, new ones pack them, and housekeeping moves fields to
packed numbers. Only the sum of both has a meaning that lasts. So everybody who shows or compares numbers takes the two
layouts for one: the packed one, in its units, in which every sum is whole.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from fleetmeter.reader.hashes import Hash
from fleetmeter.reader.joined import Joined
from fleetmeter.reader.returned import Returned
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.schema.definition import Definition, StoredDefinition
from fleetmeter.schema.keys import split_note


class Twins:
    """Joins snapshot after snapshot. What did not change since the last one is the same object."""

    def __init__(self) -> None:
        self._known: dict[str, Joined] = {}

    def join(self, snapshot: Snapshot, beside: Iterable[StoredDefinition] = ()) -> Snapshot:
        """The snapshot with one layout, the packed one, for each that is there in both formats.

        A layout whose other format is defined `beside`, as in an earlier snapshot, is taken for packed, too: so both
        snapshots can be compared.
        """
        packed = packed_beside((*snapshot.definitions, *beside))
        here = {stored.definition.field: stored for stored in snapshot.definitions}
        pairs = {field: packed[field] for field in packed.keys() & here.keys()}
        if not pairs:
            self._known = {}
            return snapshot
        merged = {twin: _merged(here[field], here.get(twin)) for field, twin in pairs.items()}
        numbers = dict(snapshot.numbers)
        known, self._known = self._known, {}
        for field, twin in pairs.items():
            stored, more = numbers.pop(field, None), numbers.get(twin)
            if stored:
                layout, found = merged[twin].definition, Hash.of(stored)
                numbers[twin] = self._known[twin] = _again(known.get(twin), layout, found, more if more else {})
            elif more is None and stored is not None:
                numbers[twin] = stored
        return replace(
            snapshot,
            definitions=tuple(_definitions(here, pairs, merged)),
            numbers=numbers,
            exemplars=_exemplars(snapshot.exemplars, pairs),
            returned=_returned(snapshot.returned, snapshot.numbers, pairs),
            came=_returned(snapshot.came, snapshot.numbers, pairs),
        )


def joined(snapshot: Snapshot, beside: Iterable[StoredDefinition] = ()) -> Snapshot:
    """A snapshot with one layout for each that is there in both formats; see `Twins.join`."""
    return Twins().join(snapshot, beside)


def packed_beside(definitions: Iterable[StoredDefinition]) -> dict[str, str]:
    """For each packed layout the field of its other format → its own."""
    return {
        _other_format(stored.definition): stored.definition.field for stored in definitions if stored.definition.packed
    }


@lru_cache(maxsize=4096)
def _other_format(definition: Definition) -> str:
    twin = definition.twin
    return twin.field if twin is not None else ""


def _definitions(
    here: Mapping[str, StoredDefinition], pairs: Mapping[str, str], merged: Mapping[str, StoredDefinition]
) -> Iterator[StoredDefinition]:
    """The definitions, one for each pair."""
    for field, stored in here.items():
        twin = pairs.get(field, field)
        if twin == field or twin not in here:
            yield merged.get(twin, stored)


def _merged(stored: StoredDefinition, packed: StoredDefinition | None) -> StoredDefinition:
    """What both say, as a packed layout: registered when the first was, and the words of the newer one."""
    twin = stored.definition.twin or stored.definition
    if packed is None:
        return replace(stored, definition=twin)
    newer = packed.definition if packed.defined_us >= stored.defined_us else twin
    times = min(stored.first_us, packed.first_us), max(stored.defined_us, packed.defined_us)
    return StoredDefinition(newer, *times)


def _again(before: Joined | None, layout: Definition, numbers: Hash, packed: Mapping[bytes, bytes]) -> Joined:
    if before is not None and before.numbers is numbers and before.packed is packed and before.layout == layout:
        return before
    return Joined(layout, numbers, packed, before)


def _exemplars(raw: Mapping[bytes, bytes], pairs: Mapping[str, str]) -> Mapping[bytes, bytes]:
    """The exemplars under the packed layout. If both have one of a number, the later one stays."""
    found: dict[bytes, bytes] = {}
    for name, text in raw.items():
        layout, number = split_note(name)
        key = f"{pairs[layout]} ".encode() + number if layout in pairs else name
        if key not in found or _time(found[key]) <= _time(text):
            found[key] = text
    return found


def _time(exemplar: bytes) -> int:
    time = exemplar.partition(b" ")[0]
    return int(time) if time.isdigit() and len(time) < 40 else 0


def _returned(times: Returned, numbers: Mapping[str, Mapping[bytes, bytes]], pairs: Mapping[str, str]) -> Returned:
    """When series came back: a series that is there in both formats, when it first did in one of them."""
    if times.layouts.isdisjoint(pairs) and times.layouts.isdisjoint(pairs.values()):
        return times
    return times.joined({field: (twin, numbers.get(field, {}), numbers.get(twin, {})) for field, twin in pairs.items()})
