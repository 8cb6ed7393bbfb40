"""The replay log: what the store has acknowledged, kept for sending it again if the store loses it."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

from fleetmeter.values.delta import (
    NOTHING,
    Adds,
    Delta,
    Shapes,
    joined,
    merged,
    packed,
    packed_together,
    unpacked,
    unpacked_all,
)

KEEP_SECONDS = 3600.0
"""How long an acknowledged batch is kept."""

KEEP_BYTES = 8 * 2**20
"""How much is kept, compressed: 582 bytes for each batch of an hour, four a second. A gateway under load needs 350."""

BUNDLE = 16
"""Batches that are packed together once so many have come. A gateway's take a third of the bytes then."""

_SMALL = 2**15
"""Bytes that they may take before that, all together. The compression looks back 32 KiB: larger ones gain little."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """Batches that follow each other. `at` is when the newest of them was acknowledged."""

    at: float
    count: int
    data: bytes

    def batches(self) -> list[Adds]:
        return [unpacked(self.data)] if self.count == 1 else unpacked_all(self.data)


class ReplayLog:
    """The amounts of a writer's newest acknowledged batches: those with the numbers after `base`.

    It shrinks only when a batch is added, which happens when one is acknowledged. An outage, however long, costs
    nothing. Batches that were packed together go together.
    """

    def __init__(self, keep_seconds: float = KEEP_SECONDS, keep_bytes: int = KEEP_BYTES) -> None:
        self._keep_seconds = keep_seconds
        self._keep_bytes = keep_bytes
        self._entries: deque[_Entry] = deque()
        self._single = 0  # newest entries that are one batch each, and may still be packed together
        self.base = self.newest = 0
        """The highest number that is not kept any more, and so cannot be sent again; and the highest number of all."""
        self.size = 0
        """Bytes that are kept."""
        self._has_parts: frozenset[str] = frozenset()
        self._shapes: Shapes = {}

    def append(self, delta: Delta, now: float) -> None:
        """Keep the amounts of the batch after `newest`, and drop what is too old or too much.

        `now` is in seconds of a clock that never goes back.
        """
        if self._single == BUNDLE:
            self._bundle()
        self._has_parts |= delta.has_parts
        self._shapes = joined(self._shapes, delta.shapes)
        self._push(_Entry(now, 1, packed(delta.adds)))
        self.newest += 1
        self._single += 1
        while self._entries and (self.size > self._keep_bytes or now - self._entries[0].at > self._keep_seconds):
            oldest = self._entries.popleft()
            self.size -= len(oldest.data)
            self.base += oldest.count
            self._single = min(self._single, len(self._entries))

    def _push(self, entry: _Entry) -> None:
        self._entries.append(entry)
        self.size += len(entry.data)

    def _bundle(self) -> None:
        """Pack the newest entries together, unless they are large."""
        self._single = 0
        singles = [self._entries[place] for place in range(-BUNDLE, 0)]
        if sum(len(entry.data) for entry in singles) > _SMALL:
            return
        data = packed_together(entry.data for entry in singles)
        for _ in singles:
            self.size -= len(self._entries.pop().data)
        self._push(_Entry(singles[-1].at, BUNDLE, data))

    def after(self, number: int, newest: Delta = NOTHING) -> Delta:
        """A batch whose amounts also hold everything kept after a number. All else that it says is from `newest`."""
        if max(number, self.base) >= self.newest:
            return newest
        return replace(
            newest,
            adds=merged(chain(self._after(number), (newest.adds,))),
            has_parts=self._has_parts | newest.has_parts,
            shapes=joined(self._shapes, newest.shapes),
        )

    def _after(self, number: int) -> Iterator[Adds]:
        """The amounts of each batch after a number, oldest first. A few at a time: unpacked they are a hundredfold."""
        last = self.base
        for entry in self._entries:
            first, last = last, last + entry.count
            if last > number:
                yield from entry.batches()[max(0, number - first) :]

    def forget(self, base: int) -> None:
        """Drop everything; the next number is the one after `base`."""
        self._entries.clear()
        self.base = self.newest = base
        self.size = self._single = 0
