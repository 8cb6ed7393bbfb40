"""What the exporter's program does about its memory. In somebody else's process that is not for a library to decide."""

import ctypes
import gc
from collections.abc import Callable

COLLECT_AFTER = 100_000
"""Objects that may be made, and not freed, before Python looks for cycles among them.

A scrape makes some for each writer, and no cycles. With Python's own 700, looking for them took a sixth of the time of
a scrape of 1,000 replicas.
"""

SHRUNK = 0.75
"""The part of the most samples below which an exposition counts as one of far fewer."""


def tune() -> None:
    """Look for cycles less often."""
    gc.set_threshold(COLLECT_AFTER)


class Shrinking:
    """Gives memory back to the system some time after series went: the C library keeps what Python freed.

    It is called with the number of samples of each exposition, and acts at the one after that which had far fewer: by
    then nothing holds on to what was shown before.
    """

    def __init__(self, give_back: Callable[[], object] | None = None) -> None:
        self._give_back = give_back or _malloc_trim
        self._most = 0
        self._due = False

    def __call__(self, samples: int) -> None:
        """Take note of an exposition."""
        if self._due:
            self._due = False
            self._give_back()
        if samples < SHRUNK * self._most:
            self._most, self._due = samples, True
        self._most = max(self._most, samples)


def _malloc_trim() -> None:
    """Glibc's malloc_trim(3); other C libraries have none, and keep less."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
