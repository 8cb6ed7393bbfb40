"""The fields of `gauges` by layout. Each field is parsed once, when it is new."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress
from typing import Self, cast

from fleetmeter.reader.change import Change, Splice, merged
from fleetmeter.reader.fields import Fields
from fleetmeter.reader.heads import Head, Places, Writers, by_layout, ends_of, read_heads, taken_apart, writers_of
from fleetmeter.reader.plain_lists import PlainLists
from fleetmeter.reader.spelling import columns_of_ends, lists_of

_MOST_LAYOUTS = 16
"""If there are more, it takes less time to find the layout of each field again."""

Columns = list[list[str]]
"""The label values of some fields: the first label's of all fields, then the second's, and so on."""


class Members(list[int]):
    """The places of a layout's statements among those of others. They also say how they became of earlier ones."""

    before: "Sequence[int] | None" = None
    """Those that were there before, as long as nothing newer was read."""
    change: Splice | None = None
    """How these became of those."""

    @classmethod
    def after(cls, before: Sequence[int], stayed: Sequence[int], came: Sequence[int], gone: Sequence[int]) -> Self:
        """The places where what was at others before stands now, if it stayed, with new ones in between."""
        change = Splice(len(before), merged(stayed, came), gone)
        made = cls(Splice(len(stayed), change.came).carried(stayed, came))
        made.before, made.change = before, change
        if isinstance(before, Members):
            before.before, before.change = None, None
        return made

    def since(self, before: Sequence[int]) -> Splice | None:
        """How other places became these, if that is known still."""
        change = self.change  # looked at once, and first: a later read, in another thread, takes it away
        return change if before is self.before else None


@dataclass(frozen=True)
class Stated:
    """The statements of one layout: at which places of the hash they are, and whose.

    `found` has the label values if they were found when the fields were read, and nobody has asked for them yet.
    `every_writer` are all writers among them.
    """

    fields: list[bytes] = field(default_factory=list)
    places: Sequence[int] = ()
    heads: list[Head] = field(default_factory=list)
    every_writer: frozenset[str] = frozenset()
    found: list[PlainLists] = field(default_factory=list, repr=False)

    @cached_property
    def writers(self) -> list[str]:
        """The writer of each."""
        return [head.writer for head in self.heads]

    @cached_property
    def values(self) -> list[tuple[str, ...]]:
        """The label values of each, by sorted name."""
        together = lists_of([b"[" + end[:-1] for end in ends_of(self.fields)])
        if together is not None:
            return list(map(tuple, together))
        return [values for one in self.fields for _, values in [taken_apart(one)]]

    def texts(self, width: int, some: Sequence[int]) -> PlainLists | Columns | None:
        """The `width` label values of some of them, by sorted name; None if a field is not spelled as our writers do.

        What was found when the fields were read is given away, because it takes as much memory as the fields.
        """
        found = self.found.pop() if self.found else None
        if found is not None and found.width == width and len(some) == len(self.fields):
            return found
        ends = ends_of(map(self.fields.__getitem__, some))
        return PlainLists.of(ends, width, "", "]]") or columns_of_ends(ends, width)

    def only(self, stays: Sequence[bool]) -> "Stated":
        """Those of them that stay."""
        self.found.clear()
        fields, places = list(compress(self.fields, stays)), list(compress(self.places, stays))
        heads = list(compress(self.heads, stays))
        return Stated(fields, places, heads, frozenset(head.writer for head in heads))


_NOTHING = Stated()


class StatedFields:
    """The fields of one hash. As long as a `Stated` is the same object, everything derived from it holds.

    `writers` are all writers. `unreadable` has the places of fields that are no statements.
    """

    def __init__(self, fields: Fields, before: Self | None = None) -> None:
        self.fields = fields
        found: dict[tuple[str, str], PlainLists] = {}
        if before is None:
            self._heads, places, found = read_heads(fields)
            self._writers = writers_of(self._heads)
        else:
            change = fields.since(before.fields)
            new = read_heads([fields[place] for place in change.came])[0]
            self._heads = change.carried(before.heads(), new)
            places = before.places_after(change, new, len(fields)) or by_layout(self._heads)
            self._writers = writers_of(self._heads) if change.gone else before.writers_with(new)
        self.writers = frozenset[str]().union(*self._writers.values())
        self.unreadable = places.pop(None, ())
        self._by_layout = {
            layout: self._stated(layout, at, before, [found[layout]] if layout in found else [])
            for layout, at in places.items()
            if layout is not None
        }

    @classmethod
    def of(cls, fields: Fields, before: Self | None) -> Self:
        """The statements of these fields; `before` itself if its fields are the same object."""
        if before is None or before.fields is not fields:
            return cls(fields, before)
        before.let_go()
        return before

    def let_go(self) -> None:
        """Forget the label values that nobody has asked for."""
        for stated in self._by_layout.values():
            stated.found.clear()

    def of_layout(self, name: str, layout: str) -> Stated:
        """The statements of a family's layout."""
        return self._by_layout.get((name, layout), _NOTHING)

    def places_after(self, change: Change, new: Sequence[Head | None], count: int) -> Places | None:
        """The places by layout among `count` fields, given the change that made them of these, and the new ones' heads.

        None if they must be sought anew, which takes longer if there are few layouts.
        """
        if self.unreadable or not isinstance(change, Splice) or len(self._by_layout) > _MOST_LAYOUTS:
            return None
        came: dict[tuple[str, str] | None, list[int]] = {}
        for place, head in zip(change.came, new, strict=True):
            if head is None:
                return None
            came.setdefault(head.layout, []).append(place)
        if count and len(self._by_layout.keys() | came.keys()) == 1:
            return {layout: range(count) for layout in (*self._by_layout, *came)}
        found: Places = {**came}
        for layout, stated in self._by_layout.items():
            stayed, gone = list(map(change.moved.__getitem__, stated.places)), list[int]()
            if change.gone:
                gone = [at for at, place in enumerate(stayed) if place < 0]
                stayed = [place for place in stayed if place >= 0]
            found[layout] = Members.after(stated.places, stayed, came.get(layout, ()), gone)
        return {layout: at for layout, at in found.items() if at}

    def writers_with(self, new: Sequence[Head | None]) -> Writers:
        """The writers by layout, with those of new heads."""
        return writers_of(new, self._writers)

    def heads(self) -> Sequence[Head | None]:
        """The head of each field; None for one that is no statement."""
        return self._heads

    def _stated(
        self, layout: tuple[str, str], places: Sequence[int], before: Self | None, found: list[PlainLists]
    ) -> Stated:
        writers = self._writers[layout]
        if len(places) == len(self.fields):
            return Stated(self.fields, places, cast("list[Head]", self._heads), writers, found)
        known = before.of_layout(*layout) if before is not None else _NOTHING
        if isinstance(places, Members) and places.change is not None:
            new = list(map(places.__getitem__, places.change.came))
            fields = places.change.carried(known.fields, map(self.fields.__getitem__, new))
            heads = places.change.carried(known.heads, cast("list[Head]", list(map(self._heads.__getitem__, new))))
        else:
            fields = list(map(self.fields.__getitem__, places))
            heads = cast("list[Head]", list(map(self._heads.__getitem__, places)))
        return Stated(fields, places, heads, writers, found)
