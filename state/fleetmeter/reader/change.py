"""How one list became another: what is known of the items goes along, at a cost that follows what is new."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress, islice, pairwise
from operator import gt, sub
from typing import Any, TypeVar

T = TypeVar("T")

_BLOCK, _NEAR = 32, 32
"""Items that are compared at once at first, and how far another place is looked for before all are looked up."""

_BEHIND = 32
"""How many keys behind the last new one the next one is looked for, before it is looked for among all."""

_MANY = 100
"""If more than one of so many items is new, comparing item by item takes less time than comparing blocks."""


@dataclass(frozen=True)
class Splice:
    """Some items went, others came in between, and those that stayed kept their order.

    `came` are the places of new items in the new list, and `gone` those of others in the old one, which had `count`
    items. Both ascend.
    """

    count: int
    came: Sequence[int]
    gone: Sequence[int] = ()

    def carried(self, before: Sequence[T], new: Iterable[T]) -> list[T]:
        """Something of each item now, given what it was before, and what it is for each new one."""
        if len(self.gone) == self.count:  # all are new
            return list(islice(new, len(self.came)))
        made: list[T] = []
        put, stayed = made.append, self.stayed(before)
        for run, one in zip(self._runs, new, strict=False):
            made += stayed[run]
            put(one)
        made += stayed[self._runs[-1].stop if self._runs else 0 :]
        return made

    @cached_property
    def _runs(self) -> list[slice]:
        """Which of the items that stayed stand before each new one, behind the new one before it."""
        ends = list(map(sub, self.came, range(len(self.came))))
        return list(map(slice, [0, *ends], ends))

    def stayed(self, before: Sequence[T]) -> Sequence[T]:
        """Those of the old items that stayed."""
        return _without(before, self.gone) if self.gone else before

    def here(self, now: Sequence[T]) -> Sequence[T]:
        """Something of the items that stayed, in their old order, given it for all items now."""
        return _without(now, self.came) if self.came else now

    @cached_property
    def moved(self) -> list[int]:
        """The new place of each old item, and of the end of the old list; -1 for those that went."""
        made: list[int] = []
        last, stayed = 0, self.count - len(self.gone)
        for number, place in enumerate(self.came):
            if place - number != last:
                made += range(last + number, place)
                last = place - number
        made += range(last + len(self.came), stayed + len(self.came) + 1)
        return Splice(stayed + 1, self.gone).carried(made, [-1] * len(self.gone)) if self.gone else made


@dataclass(frozen=True)
class Shuffle:
    """The items have another order, and some may be new or gone. `places` is for each item its place before.

    The first new one has the place behind the last old one, the next new one the place behind that.
    """

    count: int
    places: Sequence[int]

    @cached_property
    def came(self) -> Sequence[int]:
        """The places of new items."""
        return list(compress(range(len(self.places)), map(self.count.__le__, self.places)))

    @cached_property
    def gone(self) -> Sequence[int]:
        """The old places of items that went."""
        return [place for place, now in enumerate(self.moved) if now < 0]

    def carried(self, before: Sequence[T], new: Iterable[T]) -> list[T]:
        """As `Splice.carried`."""
        return list(map([*before, *new].__getitem__, self.places))

    def stayed(self, before: Sequence[T]) -> Sequence[T]:
        """As `Splice.stayed`."""
        return _without(before, self.gone)

    def here(self, now: Sequence[T]) -> Sequence[T]:
        """As `Splice.here`."""
        return [now[place] for place in self.moved[:-1] if place >= 0]

    @cached_property
    def moved(self) -> list[int]:
        """As `Splice.moved`."""
        made = [-1] * self.count
        for here, there in enumerate(self.places):
            if there < self.count:
                made[there] = here
        return [*made, len(self.places)]


Change = Splice | Shuffle


def change_of(before: Sequence[Any], now: Sequence[Any]) -> Change:
    """How the one list became the other. No list may have two equal items.

    A store mostly keeps the order of what was there. So both lists are followed side by side, which takes a third of
    the time of looking each item up; where they part for long, each item is looked up.
    """
    if not before:
        return Splice(0, range(len(now)))
    more = len(now) - len(before)
    if abs(more) * _MANY > len(now):
        between = _between(before, now) if more > 0 else _between(now, before)
        if between is not None:
            return Splice(len(before), between) if more > 0 else Splice(len(before), (), between)
    return _followed(before, now) or _looked_up(before, now)


def _between(few: Sequence[Any], many: Sequence[Any]) -> list[int] | None:
    """The places of what the one list has more than the other; None if that is not all that differs."""
    most = len(many) - len(few)
    found: list[int] = []
    left = iter(few)
    expected = next(left, None)
    for place, one in enumerate(many):
        if one == expected:
            expected = next(left, None)
        else:
            found.append(place)
            if len(found) > most:
                return None
    return found


def _followed(before: Sequence[Any], now: Sequence[Any]) -> Splice | None:
    """The difference of lists in which only a little differs; None if they part for long."""
    came: list[int] = []
    gone: list[int] = []
    here, there, most = 0, 0, _BLOCK
    while here < len(now) and there < len(before):
        ours, theirs = now[here : here + most], before[there : there + most]
        same = min(len(ours), len(theirs))
        if ours[:same] == theirs[:same]:
            most *= 2
        else:
            same, most = next(place for place in range(same) if ours[place] != theirs[place]), _BLOCK
        here, there = here + same, there + same
        if here == len(now) or there == len(before) or most > _BLOCK:
            continue
        if before[there] in now[here + 1 : here + _NEAR]:
            end = now.index(before[there], here + 1)
            came += range(here, end)
            here = end
        elif now[here] in before[there + 1 : there + _NEAR]:
            end = before.index(now[here], there + 1)
            gone += range(there, end)
            there = end
        else:
            return None
    came += range(here, len(now))
    gone += range(there, len(before))
    if came and gone and not {before[place] for place in gone}.isdisjoint(now[place] for place in came):
        return None  # some only stand elsewhere
    return Splice(len(before), came, gone)


def _looked_up(before: Sequence[Any], now: Sequence[Any]) -> Change:
    count = len(before)
    known = dict(zip(before, range(count), strict=True))
    found: list[Any] = list(map(known.get, now))
    came = [place for place, number in enumerate(found) if number is None]
    for number, place in enumerate(came, start=count):
        found[place] = number
    stayed = [number for number in found if number < count] if came else found
    if any(map(gt, stayed, stayed[1:])):
        return Shuffle(count, found)
    return Splice(count, came, sorted({*range(count)}.difference(stayed)) if len(stayed) < count else ())


def _without(items: Sequence[T], places: Sequence[int]) -> list[T]:
    """The items but those at these places, which ascend."""
    made: list[T] = []
    for last, place in pairwise([-1, *places, len(items)]):
        if place - last > 1:
            made += items[last + 1 : place]
    return made


def joined(changes: Iterable[tuple[Change, int]]) -> Splice | None:
    """The change of lists that follow each other, each with the number of its items now; None if an order changed."""
    came: list[int] = []
    gone: list[int] = []
    before = now = 0
    for change, count in changes:
        if not isinstance(change, Splice):
            return None
        came += [now + place for place in change.came]
        gone += [before + place for place in change.gone]
        before, now = before + change.count, now + count
    return Splice(before, came, gone)


def merged(stayed: Sequence[Any], added: Sequence[Any]) -> Sequence[int]:
    """The places that further keys have among others, when both are in order."""
    if not stayed or not added or stayed[-1] < added[0]:
        return range(len(stayed), len(stayed) + len(added))
    places: list[int] = []
    at, count = 0, len(stayed)
    for key in added:
        near = at + _BEHIND
        at = bisect_left(stayed, key, at, near if near < count and stayed[near] >= key else count)
        places.append(at + len(places))
    return places
