"""Gives back the room that removed series left in packed layouts: the store copies what lives into new keys.

A removed series leaves a block of zeroes, and names that say that it came and went. Nobody uses such a block again
before a compaction (lua/compact.lua), which makes a new generation. So whatever a writer knew of blocks is stale by
then, and readers read all names anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from fleetmeter.errors import StateError
from fleetmeter.schema.definition import StoredDefinition
from fleetmeter.schema.rows import random_id

LEAST = 4096
"""Bytes that a compaction must win. For less it is not worth it that each writer has to learn its blocks anew."""

SHARE = 1
"""Dead slots for each living one, or spare names for each living series, that make a compaction worth it.

With 1, at most as much is copied as was removed, or came one by one, since the last compaction: so removals cost the
same on average, however many series there are.
"""

MOST = 20_000
"""Living series that a layout may have to be compacted, at most.

The store does nothing else meanwhile: if as many went, 85 ms for 10,000 and 260 ms for 20,000; twice that if each came
alone.
"""

AT_ONCE = 10
"""Layouts that one sweep compacts, at most; the next one goes on. A process that ends compacts one: it is awaited."""


@dataclass(frozen=True)
class Compact:
    """A call that compacts the first of some packed layouts that is worth it; they are fields of `families`.

    `random` is a text without spaces that no other call has.
    """

    epoch: str
    random: str
    layouts: Sequence[str]
    least: int
    share: int
    most: int


class Compactable(Protocol):
    """What a compaction asks of a store; see `Store`."""

    packed: bool

    def definitions(self) -> Mapping[bytes, bytes]:
        """The families, as they are stored."""

    def compact(self, call: Compact) -> int:
        """Compact one layout if it is worth it: its number, the first being 1; or 0."""


def compact(store: Compactable, epoch: str, at_most: int) -> int:
    """Compact the packed layouts of which so much is dead that it is worth it. Returns how many. Raises `StoreError`.

    Only a writer that packs its numbers does it: others need not be allowed to call what it takes.
    """
    layouts = packed_layouts(store.definitions()) if store.packed else []
    done = 0
    while layouts and done < at_most:
        number = store.compact(Compact(epoch, random_id(), layouts, LEAST, SHARE, MOST))
        if not number:
            break
        layouts, done = layouts[number:], done + 1
    return done


def packed_layouts(definitions: Mapping[bytes, bytes]) -> list[str]:
    """The fields of all packed layouts. A definition that cannot be read is left out."""
    found = []
    for raw, text in definitions.items():
        try:
            stored = StoredDefinition.parse(raw.decode(), text.decode())
        except (StateError, UnicodeDecodeError):
            continue  # the scrape says what is wrong with it
        if stored.definition.packed:
            found.append(stored.definition.field)
    return found
