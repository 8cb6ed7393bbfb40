"""The fields of a hash from read to read: what is known of each goes along, wherever it stands now."""

from collections.abc import Iterable, Sequence
from itertools import compress
from operator import ne
from typing import Self, TypeVar

T = TypeVar("T")

_BLOCK, _NEAR = 32, 32
"""Fields that are compared at once at first, and how far another place is looked for before all are looked up."""


class Fields(list[bytes]):
    """The fields of a hash. As long as they are the same object, everything derived from them holds.

    If they differ from those of an earlier read, they also say how, so that nobody has to find that out again.
    """

    before: "Fields | None" = None
    """Those that were read before, as long as nothing newer was read."""
    places: Sequence[int] = ()
    """What `places_in` returns for those."""

    @classmethod
    def after(cls, before: "Fields", fields: list[bytes]) -> Self:
        """Fields of a hash that was read later. Those that are the same are the same objects."""
        places = _places(before, fields)
        made = cls(carried(before, fields, places))
        made.before, made.places = before, places
        before.before, before.places = None, ()
        return made

    def places_in(self, before: list[bytes]) -> Sequence[int]:
        """For each field its place in another hash's fields, or behind these if it is not among them.

        Example: the others are `a, b, c`, and these are `c, x, a`. The places are 2, 3 + 1 and 0: `x` is new, and is at
        place 1 here. So a list for the others with a list for these behind it has an item for each of these.
        """
        return self.places if before is self.before else _places(before, self)

    def not_in(self, before: list[bytes]) -> list[bytes]:
        """The fields that are new beside another hash's fields."""
        return list(compress(self, map(len(before).__le__, self.places_in(before))))


def _places(before: list[bytes], fields: list[bytes]) -> Sequence[int]:
    """See `Fields.places_in`.

    A store mostly keeps the order of what was there. So both lists are followed side by side, which takes a sixth of
    the time of looking each field up; where they part for long, each field is looked up.
    """
    count = len(before)
    if not before:
        return range(len(fields))
    places: list[int] = []
    came: list[bytes] = []
    gone: list[bytes] = []
    here, there, most = 0, 0, _BLOCK
    while here < len(fields) and there < count:
        ours, theirs = fields[here : here + most], before[there : there + most]
        same = min(len(ours), len(theirs))
        if ours[:same] == theirs[:same]:
            most *= 2
        else:
            same, most = next(compress(range(same), map(ne, ours, theirs))), _BLOCK
        places += range(there, there + same)
        here, there = here + same, there + same
        if here == len(fields) or there == count or most > _BLOCK:
            continue
        if before[there] in fields[here + 1 : here + _NEAR]:
            end = fields.index(before[there], here + 1)
            came += fields[here:end]
            places += range(count + here, count + end)
            here = end
        elif fields[here] in before[there + 1 : there + _NEAR]:
            end = before.index(fields[here], there + 1)
            gone += before[there:end]
            there = end
        else:
            return _looked_up(before, fields)
    came, gone = came + fields[here:], gone + before[there:]
    if came and gone and not frozenset(gone).isdisjoint(came):
        return _looked_up(before, fields)  # some only stand elsewhere
    places += range(count + here, count + len(fields))
    return places


def _looked_up(before: list[bytes], fields: list[bytes]) -> list[int]:
    count = len(before)
    known = dict(zip(before, range(count), strict=True))
    return list(map(known.get, fields, range(count, count + len(fields))))


def carried(before: Iterable[T], now: Iterable[T], places: Iterable[int]) -> list[T]:
    """What there was for each field `before`, and for new ones what there is `now`, by `Fields.places_in`."""
    return list(map([*before, *now].__getitem__, places))
