"""The replay log: what the store has acknowledged, kept for sending it again if the store loses it."""

from collections import deque
from dataclasses import dataclass, replace

from fleetmeter.values.delta import NOTHING, Delta, Shapes, joined, merged, packed, unpacked

KEEP_SECONDS = 3600.0
"""How long an acknowledged batch is kept."""

KEEP_BYTES = 8 * 2**20
"""How much is kept, compressed: about 20 minutes of a busy replica (4 batches a second of 200 numbers each)."""


@dataclass(frozen=True)
class _Entry:
    at: float
    data: bytes


class ReplayLog:
    """The amounts of a writer's newest acknowledged batches, one entry for each number after `base`.

    It shrinks only when a batch is added, which happens when one is acknowledged. An outage, however long, costs
    nothing.
    """

    def __init__(self, keep_seconds: float = KEEP_SECONDS, keep_bytes: int = KEEP_BYTES) -> None:
        self._keep_seconds = keep_seconds
        self._keep_bytes = keep_bytes
        self._entries: deque[_Entry] = deque()
        self.base = 0
        """The highest number that is not kept any more. Batches up to it cannot be sent again."""
        self.size = 0
        """Bytes that are kept."""
        self._has_parts: frozenset[str] = frozenset()
        self._shapes: Shapes = {}

    @property
    def newest(self) -> int:
        """The highest number that is kept, or `base`."""
        return self.base + len(self._entries)

    def append(self, delta: Delta, now: float) -> None:
        """Keep the amounts of the batch after `newest`, and drop what is too old or too much.

        `now` is in seconds of a clock that never goes back.
        """
        entry = _Entry(now, packed(delta.adds))
        self._entries.append(entry)
        self._has_parts |= delta.has_parts
        self._shapes = joined(self._shapes, delta.shapes)
        self.size += len(entry.data)
        while self._entries and (self.size > self._keep_bytes or now - self._entries[0].at > self._keep_seconds):
            self.size -= len(self._entries.popleft().data)
            self.base += 1

    def after(self, number: int, newest: Delta = NOTHING) -> Delta:
        """A batch whose amounts also hold everything kept after a number. All else that it says is from `newest`."""
        kept = [unpacked(entry.data) for entry in list(self._entries)[max(0, number - self.base) :]]
        if not kept:
            return newest
        return replace(
            newest,
            adds=merged([*kept, newest.adds]),
            has_parts=self._has_parts | newest.has_parts,
            shapes=joined(self._shapes, newest.shapes),
        )

    def forget(self, base: int) -> None:
        """Drop everything; the next number is the one after `base`."""
        self._entries.clear()
        self.base = base
        self.size = 0
