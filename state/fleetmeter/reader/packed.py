"""The numbers of a packed layout, as one read found them.

They pass for a hash: whatever is made of a hash's fields and texts can be made of them. But that takes as long as a
hash does. What must be fast takes the slots of many series at once.
"""

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import compress, repeat
from operator import add, lt, mul

from fleetmeter.reader.hashes import Hash, LikeAHash
from fleetmeter.reader.places import Group, Places
from fleetmeter.schema.packing import BASE, FRACTION, SLOT, joined_value

_AT_ONCE = 1 << 13
"""Slots that are compared at once: few enough for the processor's cache."""

_SIGN = b"\x80" + bytes(SLOT - 1)
"""A slot of which only the sign is set."""

_ROOM = (2**63 - FRACTION).to_bytes(SLOT, "big")
"""A slot that sets the sign of a remainder which is no proper fraction, if it is added to it."""


class PackedNumbers(LikeAHash):
    """Raw field → raw text, in stored units. `raw` is the string of numbers, which fits the places."""

    def __init__(self, places: Places, raw: bytes) -> None:
        self.places = places
        self.raw = raw
        self._hash: Hash | None = None

    def slots(self) -> "array[int]":
        """All slots, made anew: only the string is kept."""
        return _slots(self.raw)

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

    def below(self, served: "PackedNumbers") -> dict[bytes, bytes]:
        """The served numbers that are lower here or missing, as they were served."""
        if self is served:
            return {}
        if not self.follows(served):
            return self.as_hash().below(served.as_hash())
        several = (
            len(self.places.groups) > 1
        )  # then another block may hold a part of a number that is lower in this one
        then = served.raw if not several else served.raw.ljust(len(self.raw), b"\0")
        if not may_be_lower(self.raw, then, self.places.remainders):
            return {}
        if several:
            return self.as_hash().below(served.as_hash())
        found: dict[bytes, bytes] = {}
        for group, known in zip(self.places.groups, served.places.groups, strict=True):
            for place in self._lower(served, known):
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
        slots = _slots(self.raw[SLOT * start : SLOT * (start + group.shape.slots)]).tolist()
        return [joined_value(slots[:value]), *slots[value:]]

    def _lower(self, served: "PackedNumbers", group: Group) -> list[int]:
        """The places of the blocks of a group of which a number is lower than in numbers that these follow."""
        places = range(len(group.starts))
        mine, others, value = self.slots(), served.slots(), group.shape.value
        columns = [(pick(mine), pick(others)) for pick in group.all_picks]
        lower = [{*compress(places, map(lt, now, then))} if now != then else set() for now, then in columns]
        found = set[int]().union(*lower[value:])
        doubtful = sorted(set[int]().union(*lower[:value]))  # a slot of a value may be lower, and another one higher
        slots = [[[column[place] for place in doubtful] for column in both] for both in columns[:value]]
        values = map(values_of, zip(*slots, strict=True))
        found.update(compress(doubtful, map(lt, *values)))
        return sorted(found)

    def _numbers(self) -> list[int]:
        """The numbers of each group, block by block."""
        found: list[int] = []
        slots = self.slots()
        for group in self.places.groups:
            value = group.shape.value
            columns = [pick(slots) for pick in group.all_picks]
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


def _slots(raw: bytes) -> "array[int]":
    slots = array("q", raw)
    if sys.byteorder == "little":
        slots.byteswap()
    return slots


def may_be_lower(now: bytes, then: bytes, remainders: Sequence[bool] = (False,)) -> bool:
    """Whether a number is lower now than it was then, or may be, because a slot is or was negative and not the same.

    `now` may have more slots. `remainders` says for each slot of a block whether it is a remainder. If it is lower,
    that is no loss, provided that the slot before it is higher: 2.1 is more than 1.9.

    Many slots are compared at once, as one large whole number each: the sign of each slot is set in the one that the
    other is taken from, and is still set after that unless the slot was lower. A remainder has no sign set, so that it
    takes one from the slot before it, as with pen and paper; but only if it is a proper fraction, now and then.
    """
    blocks = max(1, _AT_ONCE // len(remainders))
    size = SLOT * len(remainders) * blocks
    for start in range(0, len(then), size):
        before = then[start : start + size]
        after = now[start : start + len(before)]
        if after != before:
            larger, smaller = int.from_bytes(after, "big"), int.from_bytes(before, "big")
            every, signs, room = _marks(tuple(remainders), len(before) // SLOT // len(remainders))
            if (larger | smaller) & every or ((larger + room) | (smaller + room)) & (every ^ signs):
                return True
            if ((larger | signs) - smaller) & signs != signs:
                return True
    return False


@lru_cache(maxsize=16)
def _marks(remainders: tuple[bool, ...], blocks: int) -> tuple[int, int, int]:
    """Whole numbers of so many blocks: the sign of every slot, the same without remainders, and their room."""
    signs = b"".join([bytes(SLOT) if one else _SIGN for one in remainders])
    room = b"".join([_ROOM if one else bytes(SLOT) for one in remainders])
    texts = _SIGN * len(remainders), signs, room
    every, some, rooms = (int.from_bytes(text * blocks, "big") for text in texts)
    return every, some, rooms


def values_of(columns: Sequence[Sequence[int]]) -> list[int]:
    """The values in stored units, given their slots: all high ones, all whole ones and perhaps all remainders."""
    high, whole, *remainders = columns
    values: Iterable[int] = whole
    if any_set(high):
        values = map(add, map(mul, high, repeat(BASE)), whole)
    for remainder in remainders:
        values = map(add, map(mul, values, repeat(FRACTION)), remainder)
    return list(values)


def any_set(column: Sequence[int]) -> bool:
    """Whether a slot is not 0. In an array that is seen in its bytes, in a tenth of the time of looking at each."""
    if isinstance(column, array):
        return column.tobytes() != bytes(SLOT * len(column))
    return any(column)
