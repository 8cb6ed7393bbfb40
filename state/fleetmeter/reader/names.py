"""The list of names of a packed layout, as far as it was read: which block belongs to which series.

A read asks for what came since, and for the last entry that is known. If that entry is at its place, the list goes on
from what is known: its digest vouches for all entries before it. If it is not, the store holds another list, as after a
roll-back, and everything is read anew. See `schema/packing.py` for the entries.
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from hashlib import sha1
from itertools import repeat

from fleetmeter.errors import StateError
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.packing import NOTHING_ALIKE, Shape, shape_of

_DIGEST = 16
"""Characters of an entry's digest."""


class Names:
    """What the entries that were read say of a layout. `key` is that of the list.

    `starts`, `kinds` and `series` have, for each block that ever came, its first slot, the number of its shape, and its
    series. `gone` has the places of those that went. `shapes` are by number. `slots` is how many slots the numbers must
    have.
    """

    def __init__(self, key: str, layout: Definition) -> None:
        self.key = key
        self._counter = layout.type == "counter"
        self._value = shape_of(layout, ()).value
        self._last = b""
        self.known = 0
        """How many entries were read."""
        self.slots = 0
        self.shapes: list[Shape] = []
        self.starts, self.kinds = array("q"), array("q")
        self.series: list[bytes] = []
        self.gone: set[int] = set()

    @property
    def first(self) -> int:
        """The place of the first entry to ask for: the last that is known, if there is one."""
        return max(0, self.known - 1)

    def goes_on(self, entries: Sequence[bytes]) -> bool:
        """Whether the list in the store begins with all that is known, given its entries from `first` on."""
        return not self.known or entries[:1] == [self._last]

    def learn(self, entries: Sequence[bytes]) -> bool:
        """Take in the entries of a list that goes on, and say whether any is new.

        Raises `StateError` for entries that no writer would have appended; then this object is of no use any more.
        """
        new = entries[1:] if self.known else entries
        if not new:
            return False
        try:
            _check_chain(self._last, new)
            for entry in new:
                self._take(entry)
        except (ValueError, TypeError, IndexError) as error:
            raise StateError(self.key, f"no list of names of this state format ({error!r})", "bad_value") from error
        self._last = new[-1]
        return True

    def _take(self, entry: bytes) -> None:
        _, kind, rest = entry.split(b" ", 2)
        if (kind == b"g") != (self.known == 0):
            raise ValueError(f"{entry!r} is entry {self.known}")
        self.known += 1
        match kind:
            case b"c":
                self._add(*rest.split(b" ", 2))
            case b"d":
                self._drop(int(rest))
            case b"s":
                self.shapes.append(self._checked(Shape.parse(rest.decode())))
            case b"g":
                pass
            case _:
                raise ValueError(f"{entry!r} is nothing that can happen to blocks")

    def _add(self, start: bytes, kind: bytes, texts: bytes) -> None:
        """Take in blocks that came together, one behind the other."""
        series, first, shape = _series_in(texts), int(start), int(kind)
        size = self.shapes[shape].slots
        whole = b"\n".join(series)
        between = whole.count(b"]\n[") + 1
        if first < self.slots or shape < 0 or whole[:1] + whole[-1:] != b"[]" or between != len(series):
            raise ValueError(f"no blocks of this layout can begin at slot {first} for {whole!r}")
        self.slots = first + size * len(series)
        self.starts.extend(range(first, self.slots, size))
        self.kinds.extend(repeat(shape, len(series)))
        self.series += series

    def _drop(self, slot: int) -> None:
        place = bisect_left(self.starts, slot)
        if self.starts[place] != slot or place in self.gone:
            raise ValueError(f"no block begins at slot {slot}")
        self.gone.add(place)

    def _checked(self, shape: Shape) -> Shape:
        if shape.value != self._value or (shape.parts == ("",)) != self._counter:
            raise ValueError(f"{shape.text()!r} is no shape of this layout")
        return shape


def _series_in(texts: bytes) -> list[bytes]:
    """The series of an entry, given its lines. Raises `ValueError` or `IndexError` for lines of no writer."""
    before, *lines = texts.split(b"\n")
    series = [before]
    for line in lines:
        first, last = line[0] - NOTHING_ALIKE, line[1] - NOTHING_ALIKE
        behind = len(before) - last
        if not 0 <= first <= behind <= len(before):
            raise ValueError(f"{line!r} cannot stand behind {before!r}")
        before = before[:first] + line[2:] + before[behind:]
        series.append(before)
    return series


def _check_chain(last: bytes, entries: Sequence[bytes]) -> None:
    """Raise `ValueError` if the digest of an entry is not that of the entry before, given the last before these."""
    digests = [entry[:_DIGEST] for entry in entries]
    heads = [last[:_DIGEST], *digests]
    bodies = [head + entry[_DIGEST:] for head, entry in zip(heads, entries, strict=False)]
    found = [sha1(body, usedforsecurity=False).hexdigest()[:_DIGEST] for body in bodies]
    if "".join(found).encode() != b"".join(digests):
        wrong = next(at for at, digest in enumerate(found) if digest.encode() != digests[at])
        raise ValueError(f"{entries[wrong]!r} does not follow the entry before it")
