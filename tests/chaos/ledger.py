"""What one writer has recorded, kept by itself in a file: the truth that the exporter is compared with."""

import mmap
import struct
from collections.abc import Iterable
from pathlib import Path

BOUNDS = (0.001, 0.01, 0.1, 1.0)
"""Upper bounds of the histogram's buckets, in seconds; one more bucket takes the rest."""

BUCKETS = (*(f"bucket {bound}" for bound in BOUNDS), "bucket +Inf")

NUMBERS = ("left", "right", "records", "nanodollars", "microseconds", *BUCKETS)
"""What is kept: whole numbers all of them, as the store keeps them."""

_FORM = struct.Struct("<q")


class Ledger:
    """Whole numbers in a file that is mapped into memory: it outlives its writer, and costs no call to keep.

    One process writes it, others may read. The file is made if there is none.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_FORM.size * len(NUMBERS)))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    def add(self, number: str, amount: int) -> None:
        """Count something that is recorded right after: who is killed in between has a ledger that is not too low."""
        place = NUMBERS.index(number) * _FORM.size
        _FORM.pack_into(self._map, place, _FORM.unpack_from(self._map, place)[0] + amount)

    def read(self) -> dict[str, int]:
        """Every number."""
        return {name: _FORM.unpack_from(self._map, at * _FORM.size)[0] for at, name in enumerate(NUMBERS)}


def summed(ledgers: Iterable[dict[str, int]]) -> dict[str, int]:
    """The numbers of several ledgers, added up."""
    total = dict.fromkeys(NUMBERS, 0)
    for ledger in ledgers:
        for name, number in ledger.items():
            total[name] += number
    return total


def difference(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    """How much more one has than the other, by number; those that are equal are left out."""
    return {name: one[name] - other[name] for name in NUMBERS if one[name] != other[name]}
