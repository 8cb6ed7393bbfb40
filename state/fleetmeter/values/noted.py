"""Records that wait for being added up, a few at a time: they are in places of the memory that nothing has touched."""

from collections.abc import Callable
from typing import Any

MOST = 64
"""Records that wait; whoever brings the last one adds them up, in half a millisecond."""


class Noted:
    """Records as they came. Every method is called under the accumulator's lock."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[Any], object], Any]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, apply: Callable[[Any], object], records: object) -> None:
        """Keep records for `apply(records)`."""
        self._waiting.append((apply, records))
        if len(self._waiting) >= MOST:
            self.settle()

    def settle(self) -> None:
        """Add up what waits. If a record raises, it alone is lost, and the ones behind it wait on."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        done = 0
        try:
            for apply, records in waiting:
                done += 1
                apply(records)
        finally:
            self._waiting[:0] = waiting[done:]
