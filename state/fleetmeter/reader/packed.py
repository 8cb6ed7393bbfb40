"""The numbers of a packed layout, as one read found them.

They pass for a hash: whatever is made of a hash's fields and texts can be made of them. But that takes as long as a
hash does. What must be fast takes the slots of many series at once, and looks only at rows that changed.
"""

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, compress, repeat
from operator import add, lt, mul, ne
from typing import NamedTuple

from fleetmeter.reader.hashes import Hash, LikeAHash
from fleetmeter.reader.places import Group, Places
from fleetmeter.schema.packing import BASE, FRACTION, joined_value

_NARROW = 4
"""Slots of a block up to which it takes less time to compare columns of slots than to compare blocks."""


class _Since(NamedTuple):
    """How numbers differ from earlier ones: the places of blocks that changed, and of those with a lower slot.

    A slot is lower if its number is, or after a carry to the next.
    """

    changed: list[list[int]]
    lower: list[list[int]]


class PackedNumbers(LikeAHash):
    """Raw field → raw text, in stored units. `raw` is the string of numbers, which fits the places."""

    def __init__(self, places: Places, raw: bytes) -> None:
        self.places = places
        self.raw = raw
        self.compared: tuple[PackedNumbers, _Since] | None = None
        """How these differ from numbers of an earlier read."""
        self._hash: Hash | None = None

    @cached_property
    def slots(self) -> "array[int]":
        """All slots."""
        slots = array("q", self.raw)
        if sys.byteorder == "little":
            slots.byteswap()
        return slots

    def as_hash(self) -> Hash:
        """The same as a hash. Most scrapes need none."""
        if self._hash is None:
            self._hash = self._made()
        return self._hash

    def _made(self) -> Hash:
        fields, numbers = self.places.fields, self._numbers()
        if len(fields) < len(numbers):  # blocks of several shapes, whose equal parts are added up
            sums = dict.fromkeys(fields, 0)
            for field, number in zip(self.places.spelled, numbers, strict=True):
                sums[field] += number
            numbers = list(sums.values())
        made = Hash(fields, list(map(b"%d".__mod__, numbers)))
        made.numbers = [*numbers]
        return made

    def follows(self, before: "PackedNumbers") -> bool:
        """Whether rows and blocks are where they were before, with new ones behind them."""
        return self.places is before.places or self.places.grew_from(before.places)

    def changed(self, before: "PackedNumbers") -> list[list[int]]:
        """The places of the blocks in each group that changed, or came, since numbers that these follow."""
        return self._since(before).changed

    def below(self, served: "PackedNumbers") -> dict[bytes, bytes]:
        """The served numbers that are lower here or missing, as they were served."""
        if self is served:
            return {}
        if not self.follows(served) or (len(self.places.groups) > 1 and any(self._since(served).lower)):
            return self.as_hash().below(served.as_hash())
        found: dict[bytes, bytes] = {}
        for group, places in zip(self.places.groups, self._since(served).lower, strict=True):
            for place in places:
                before = served.block(group, place)
                lower = map(lt, self.block(group, place), before)
                fields = self.places.fields_of(group, place)
                found.update(
                    (field, b"%d" % number) for field, number in compress(zip(fields, before, strict=True), lower)
                )
        return found

    def block(self, group: Group, place: int) -> list[int]:
        """The numbers of one block, part by part."""
        start, value = group.starts[place], group.shape.value
        slots = self.slots[start : start + group.shape.slots].tolist()
        return [joined_value(slots[:value]), *slots[value:]]

    def _since(self, before: "PackedNumbers") -> "_Since":
        known = self.compared  # another thread may write an older exposition out
        if known is None or known[0] is not before:
            known = self.compared = before, self._compare(before)
            before.compared = None
        return known[1]

    def _compare(self, before: "PackedNumbers") -> "_Since":
        found = _Since([], [])
        known = [len(group.starts) for group in before.places.groups]
        for group, count in zip(self.places.groups, chain(known, repeat(0)), strict=False):
            compare = self._narrow if group.shape.slots <= _NARROW else self._wide
            changed, lower = compare(before, group, count)
            came = range(count, len(group.starts))
            if len(self.places.groups) > 1:  # perhaps a further block of a known series
                lower += [place for place in came if min(self.block(group, place)) < 0]
            found.changed.append([*changed, *came])
            found.lower.append(lower)
        return found

    def _narrow(self, before: "PackedNumbers", group: Group, count: int) -> tuple[list[int], list[int]]:
        """Compare the first blocks of a group, slot for slot."""
        changed: set[int] = set()
        lower: set[int] = set()
        for pick in group.all_picks if count == len(group.starts) else group.picks(count):
            now, then = pick(self.slots), pick(before.slots)
            if now != then:
                now, then = _list(now), _list(then)
                places = list(compress(range(count), map(ne, now, then)))
                changed.update(places)
                lower.update(place for place in places if now[place] < then[place])
        return sorted(changed), sorted(lower)

    def _wide(self, before: "PackedNumbers", group: Group, count: int) -> tuple[list[int], list[int]]:
        """Compare the first blocks of a group, block for block."""
        cut = group.cut if count == len(group.starts) else group.cuts(count)
        changed = list(compress(range(count), map(ne, cut(self.raw), cut(before.raw))))
        lower: set[int] = set()
        for pick in group.all_picks if count == len(group.starts) else group.picks(count):
            now, then = _list(pick(self.slots)), _list(pick(before.slots))
            if any(map(lt, now, then)):
                lower.update(compress(range(count), map(lt, now, then)))
        return changed, sorted(lower)

    def _numbers(self) -> list[int]:
        """The numbers of each group, block by block."""
        found: list[int] = []
        for group in self.places.groups:
            value = group.shape.value
            columns = [pick(self.slots) for pick in group.all_picks]
            columns = [values_of(columns[:value]), *columns[value:]]
            rows = [0] * (len(columns) * len(group.starts))
            for at, column in enumerate(columns):
                rows[at :: len(columns)] = column
            found += rows
        return found

    def __getitem__(self, field: bytes) -> bytes:
        return self.as_hash()[field]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.places.fields)

    def __len__(self) -> int:
        return len(self.places.fields)


def _list(slots: "array[int] | tuple[int, ...]") -> Sequence[int]:
    """The same as objects, which are compared in less time."""
    return slots.tolist() if isinstance(slots, array) else slots


def values_of(columns: Sequence[Sequence[int]]) -> list[int]:
    """The values in stored units, given their slots: all high ones, all whole ones and perhaps all remainders."""
    high, whole, *remainders = columns
    values: Iterable[int] = whole
    if any(high):
        values = map(add, map(mul, high, repeat(BASE)), whole)
    for remainder in remainders:
        values = map(add, map(mul, values, repeat(FRACTION)), remainder)
    return list(values)
