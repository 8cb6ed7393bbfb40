"""Packed numbers: how the numbers of a layout stand in one string, and what tells which is whose.

A *slot* is a signed whole number of 64 bits, big-endian, as BITFIELD reads and adds to it. Slot n is the bytes 8n to
8n+7. The string has slots for `room_for` those in use; the ones behind are zero. A *block* is the run of slots of one
series; a block begins at a slot. A *shape* says what the slots of a block are: the number of slots of its value, and
its parts in their order.

A value is a counter, or the sum of a histogram or summary, as a whole number of stored units, and it stands first in
its block. Its slots are *high*, *whole* and, for layouts in units of 10^-15, *remainder*. Together they mean
high * 10^18 + whole units of the family or of its scale, and remainder * 10^-15. A slot may be negative or above 10^18:
only the sum counts. Each further part (a bucket, not cumulative, or a summary's count) has one slot.

Example: the shape `2 ["sum","0.1","+Inf"]` is that of a histogram of seconds with two buckets; its blocks have four
slots. If they hold 0, 250000, 1 and 2, then three observations had a sum of 250,000 microseconds, and one of them was
at most 0.1 s.

The list of names says what happened to blocks. Each entry is `<digest> <what>`, with

* `g <random>`: everything begins here; the first entry, and no other. Behind a compaction it ends with the digest of
  the last entry of the list before;
* `s <shape>`: a shape, numbered from 0 in the order of these entries;
* `c <slot> <shape's number> <series>`: a block came for a series, a JSON array of label values by sorted name. Blocks
  that came together, up to 500, are one entry: it has a line for each series, and the first block begins at the slot,
  each further one where the one before ends. A line but the first leaves out what its series has in common with the one
  before: two characters say how many bytes of that one it begins with and how many it ends with, and between these
  stands the rest of the line. A space means none, each further ASCII character one more, `~` 94;
* `d <slot>`: the block at a slot went, and its slots are zero. They are *dead* from then on: nothing is put there.

The digest is the first 16 hexadecimal digits of the SHA-1 of the digest before (nothing for the first), a space and
the rest of the entry. So one entry vouches for all before it: who knows the first k entries and finds its own k-th in
the list knows that the first k are its own. The *generation* is the digest of the newest `g` or `d`: while it stays, no
block went or moved, and what is known of blocks holds.

A *compaction* (lua/compact.lua) gives dead slots back. It copies the living blocks into a string without gaps, those of
one shape together, and writes all three keys anew: the list begins with another `g`, has the shapes that are in use,
and the series of each, 500 to an entry. A layout without living series is deleted. In between a block is never moved,
and its slots are never used again.

The index is for writers, which ask by series: a hash with the fields

* `@state`: `<generation> <names> <digest> <slots> <shapes> <series> <dead slots>`, that is the generation, how many
  entries the list of names has, the digest of the last, and how many slots, shapes, living series and, among the slots,
  dead ones there are;
* `@shape <shape>`: its number;
* two hexadecimal digits: the blocks of all series whose SHA-1 begins with them, each as the next 18 digits of that
  SHA-1, and `:<shape's number>:<slot>;`. A series' text stands in the names only.

Two series of one layout with the same 80 bits of SHA-1 would share their blocks. Among a million series the chance of
that is 4 in 10^13.
"""

from collections.abc import Sequence
from hashlib import sha1
from typing import NamedTuple

from fleetmeter.schema.definition import Definition, compact_json, read_json, texts_of
from fleetmeter.schema.scale import Scale

SLOT = 8
"""Bytes of a slot."""

BASE = 10**18
"""What a unit of the high slot is in units of the whole slot."""

FRACTION = 10**15
"""Units of the remainder slot in one unit of the whole slot."""

LARGEST_WHOLE = BASE**2
"""The largest amount that is added at once, in units of the whole slot; a value has room for nine of them."""

NOTHING_ALIKE = 32
"""The byte that says that a series begins, or ends, with nothing of the one before."""

STATE = "@state"
"""The field of a layout's index that says where its names and slots end."""


def room_for(slots: int) -> int:
    """How many slots a string has if so many are in use: a few more, so that it seldom has to grow.

    They are a multiple of 8, from 128 used ones on of 16, from 256 on of 32, and so on: an eighth more at most.
    """
    step = max(8, 1 << slots.bit_length() >> 4)
    return -(-slots // step) * step


class Shape(NamedTuple):
    """What the slots of a block are: so many for the value, and one for each part after the first.

    `parts` are as in `Definition.series_field`: `("",)` for a counter; `sum` comes first for others.
    """

    value: int
    parts: tuple[str, ...]

    @property
    def slots(self) -> int:
        """How many slots a block has."""
        return self.value + len(self.parts) - 1

    def text(self) -> str:
        """As it is stored."""
        return f"{self.value} {compact_json(self.parts)}"

    @classmethod
    def parse(cls, text: str) -> "Shape":
        """Read a stored shape. Raises `ValueError` or `TypeError`."""
        value, _, parts = text.partition(" ")
        shape = cls(int(value), tuple(texts_of(read_json(parts))))
        if shape.value not in (2, 3) or shape.parts[:1] not in (("",), ("sum",)):
            raise ValueError(f"{text!r} is no shape")
        return shape


def shape_of(definition: Definition, bounds: Sequence[str]) -> Shape:
    """The shape of the series of a layout; `bounds` are those of a histogram."""
    value = 3 if definition.scale == Scale.FEMTO else 2
    parts = {"counter": ("",), "summary": ("sum", "count")}.get(definition.type, ("sum", *bounds))
    return Shape(value, parts)


def split_value(units: int, value: int) -> tuple[int, ...]:
    """A whole number of stored units as its high, whole and, with three slots, remainder; each has its sign."""
    sign, size = (-1, -units) if units < 0 else (1, units)
    rest: tuple[int, ...] = ()
    if value == 3:
        size, remainder = divmod(size, FRACTION)
        rest = (sign * remainder,)
    high, whole = divmod(size, BASE)
    return sign * high, sign * whole, *rest


def joined_value(slots: Sequence[int]) -> int:
    """The whole number of stored units that the slots of a value hold."""
    high, whole, *remainder = slots
    units = high * BASE + whole
    return units * FRACTION + remainder[0] if remainder else units


def digest_of(before: str, what: str) -> str:
    """The digest of an entry in the list of names, given that of the entry before it.

    Bytes of `what` that are no UTF-8 by themselves stand in it as surrogates.
    """
    return sha1(f"{before} {what}".encode(errors="surrogateescape"), usedforsecurity=False).hexdigest()[:16]


def index_entry(series: str, shape: int, slot: int) -> tuple[str, str]:
    """The field of the index that has a block of a series, and what stands there for it."""
    digest = sha1(series.encode(), usedforsecurity=False).hexdigest()
    return digest[:2], f"{digest[2:20]}:{shape}:{slot};"
