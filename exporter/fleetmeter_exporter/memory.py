"""How the programs keep their memory small. A library in another program's process must not do this."""

import ctypes
import gc
from collections.abc import Callable

COLLECT_AFTER = 100_000
"""New objects that stay alive until Python looks for cycles among them.

A scrape makes some objects for each writer, but no cycles. With Python's default of 700, the search took a sixth of the
time of a scrape of 1,000 replicas.
"""

SHRUNK = 0.75
"""If an exposition has fewer samples than this part of the largest one, memory is given back."""


OWN_MAPPING = 1 << 20
"""Bytes from which on a block has a mapping of its own, so that its memory is the system's again when it is freed.

The texts of an exposition are such blocks. By default the C library raises the limit up to 32 MiB as it sees them come
and go, and then they leave holes.
"""

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8


def tune() -> None:
    """Make Python look for cycles less often, and the C library give large blocks back and share what it has.

    By default each thread has memory of its own, and what one thread freed is of no use to the next. Threads that wait
    for each other, as Python's do, gain nothing by that.
    """
    gc.set_threshold(COLLECT_AFTER)
    map_large_blocks()
    _set_malloc(_M_ARENA_MAX, 1)


def map_large_blocks() -> None:
    """Make the C library give large blocks back as soon as they are free, however many come and go."""
    _set_malloc(_M_MMAP_THRESHOLD, OWN_MAPPING)


def _set_malloc(parameter: int, value: int) -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # other C libraries do not have it
        mallopt(parameter, value)


class Shrinking:
    """Gives memory back to the system after many series are gone, because the C library keeps what Python freed.

    Call it with the number of samples of each exposition. Example: 10,000, 4,000, 4,000. The second is far smaller than
    the first. At the third the memory is given back, because then nothing refers to the first any more.
    """

    def __init__(self, give_back: Callable[[], object] | None = None) -> None:
        self._give_back = give_back or malloc_trim
        self._most = 0
        self._due = False

    def __call__(self, samples: int) -> None:
        """Note an exposition with this many samples."""
        if self._due:
            self._due = False
            self._give_back()
        if samples < SHRUNK * self._most:
            self._most, self._due = samples, True
        self._most = max(self._most, samples)


def malloc_trim() -> None:
    """Give back what is free, by a call of glibc. Other C libraries do not have it, and keep less memory."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
