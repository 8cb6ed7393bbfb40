"""What was recorded, in amounts that tell how often each record was counted.

Every record has two bits of its own in one large number: the stored total then says of each record whether it was
counted never, once, or more often, whatever was merged, replayed or lost on the way. Which bits a record has is
drawn by lot, so that a late record may be worth less than all before it.
"""

from dataclasses import dataclass
from functools import partial
from random import Random
from typing import NamedTuple

from fleetmeter.schema.definition import Definition

LARGEST = 2**963
"""Whole numbers up to here are sent as they are: `LARGEST` of `fleetmeter.schema.scale`."""

RECORDS = 59
"""Records of one schedule, at most, which is more than one has steps.

2 bits each stay below what a counter with packed numbers takes.
"""

DRAWN = 400
"""Places that are drawn, more than are used: so every seed goes on as it did when there were more records."""

ONES = sum(1 << 2 * place for place in range(RECORDS))
"""Every record once."""

LOADS = 1024
"""Parts of a whole in a load: fractions of two, which floats add up exactly."""


class Families(NamedTuple):
    """The families of one format. Every record is in the first four, and some are in the last one."""

    paid: Definition
    twin: Definition
    took: Definition
    load: Definition
    gone: Definition

    @classmethod
    def of(cls, *, packed: bool) -> "Families":
        """Those of a process that packs its numbers, or of one that does not."""
        define = partial(Definition.of, packed=packed)
        twin = "The same amounts, by kind, recorded in the same atomic block."
        gone = "The same amounts, in series that are removed now and then."
        return cls(
            define("paid", "counter", "Each record's own bits.", "", (), (), ""),
            define("twin", "counter", twin, "", ("kind",), (), ""),
            define("took_seconds", "histogram", "A time in the same block.", "seconds", (), ("0.1", "+Inf"), ""),
            define("load", "summary", "A fraction in the same block.", "", (), (), ""),
            define("gone", "counter", gone, "", ("who",), (), ""),
        )


FIELDS, PACKED = FORMATS = Families.of(packed=False), Families.of(packed=True)
PAID, TWIN, TOOK, LOAD, GONE = FIELDS


@dataclass(frozen=True)
class Record:
    """One record: its amount, its kind, and the time it tells of, in microseconds.

    A kind is a series that a process makes with its first record of it: so they are born in another order in each.
    """

    amount: int
    kind: str
    micros: int
    removable: bool

    @property
    def bound(self) -> str:
        """The bucket of its time."""
        return "0.1" if self.micros <= 100_000 else "+Inf"

    @property
    def load(self) -> int:
        """Its load, of which a whole has `LOADS`."""
        return self.micros % LOADS + 1

    @property
    def who(self) -> str:
        """Its series of those that are removed."""
        return self.kind[0]


class Ledger:
    """Every record of a run, by its place."""

    def __init__(self, random: Random) -> None:
        self._places = [place for place in random.sample(range(DRAWN), DRAWN) if place < RECORDS]
        self._random = random
        self._by_amount: dict[int, Record] = {}
        self._by_series: dict[str, int] = {}

    def enter(self, *, removable: bool) -> Record | None:
        """A new record; None when there are enough."""
        if not self._places:
            return None
        letter, micros = self._random.choice("xy"), self._random.randint(1, 300_000)
        record = Record(1 << 2 * self._places.pop(), f"{letter}{micros % 2}", micros, removable)
        self._by_amount[record.amount] = record
        for series in (record.kind, record.who):
            self._by_series[series] = self.of(series) | record.amount
        return record

    def records(self, total: int) -> list[tuple[Record, int]]:
        """The records in a total, and how often each is in it. Raises `KeyError` for what nobody recorded."""
        return [(self._by_amount[amount], count) for amount, count in counts(total)]

    def micros(self, total: int) -> int:
        """The times of the records in a total, as often as they are in it."""
        return sum(count * record.micros for record, count in self.records(total))

    def load(self, total: int) -> int:
        """The loads of the records in a total."""
        return sum(count * record.load for record, count in self.records(total))

    def of(self, series: str) -> int:
        """All records of a kind, or of a series of those that are removed, once."""
        return self._by_series.get(series, 0)

    def strangers(self, total: int, series: str) -> int:
        """The records in a total that were never recorded for that series."""
        return (total | total >> 1) & ONES & ~self.of(series)


def counts(total: int) -> list[tuple[int, int]]:
    """The records in a total: amount and how often it is there."""
    found = []
    while total:
        shift = (total & -total).bit_length() - 1 & ~1
        count = total >> shift & 3
        found.append((1 << shift, count))
        total ^= count << shift
    return found


def number_of(total: int) -> int:
    """How many records are in a total."""
    return (total & ONES).bit_count() + 2 * (total >> 1 & ONES).bit_count()


def missing(wanted: int, total: int) -> int:
    """Those of the wanted records that are not in a total."""
    return wanted & ~(total | total >> 1) & ONES
