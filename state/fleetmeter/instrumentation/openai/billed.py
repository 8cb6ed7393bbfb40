"""Which responses were billed already, so that no later look at them is billed again."""

from collections import OrderedDict
from threading import Lock

_MOST_REMEMBERED = 10_000
"""Ids of responses that are remembered; the oldest go."""


class _Billed:
    """Responses whose usage was counted."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def first(self, identity: str | None) -> bool:
        """Whether a response is met for the first time; it is remembered."""
        if identity is None:
            return True
        with self._lock:
            known = identity in self._ids
            self._ids[identity] = None
            self._ids.move_to_end(identity)
            if len(self._ids) > _MOST_REMEMBERED:
                self._ids.popitem(last=False)
        return not known


_billed = _Billed()


def is_first(identity: str | None) -> bool:
    """Whether the response of this id is met for the first time, or has no id; it is remembered as billed."""
    return _billed.first(identity)


def forget_billed() -> None:
    """Take every response for a new one, as a test does that begins."""
    global _billed
    _billed = _Billed()
