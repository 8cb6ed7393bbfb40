"""What was recorded, in amounts that tell how often each record was counted.

Every record has two bits of its own in one large number: the stored total then says of each record whether it was
counted never, once, or more often, whatever was merged, replayed or lost on the way. Which bits a record has is
drawn by lot, so that a late record may be worth less than all before it.
"""

from dataclasses import dataclass
from random import Random

from fleetmeter.schema.definition import Definition

LARGEST = 2**963
"""Whole numbers up to here are sent as they are: `LARGEST` of `fleetmeter.schema.scale`."""

RECORDS = 400
"""Records of one schedule, at most; 2 bits each stay below `LARGEST`."""

ONES = sum(1 << 2 * place for place in range(RECORDS))
"""Every record once."""

PAID = Definition.of("paid", "counter", "Each record's own bits.", "", (), (), "")
TWIN = Definition.of(
    "twin", "counter", "The same amounts, by kind, recorded in the same atomic block.", "", ("kind",), (), ""
)
TOOK = Definition.of("took_seconds", "histogram", "A time in the same block.", "seconds", (), ("0.1", "+Inf"), "")
GONE = Definition.of(
    "gone", "counter", "The same amounts, in a series that is removed now and then.", "", ("who",), (), ""
)
FAMILIES = (PAID, TWIN, TOOK, GONE)
KINDS = ("x", "y")


@dataclass(frozen=True)
class Record:
    """One record: its amount, its kind, and the time it tells of, in microseconds."""

    amount: int
    kind: str
    micros: int
    removable: bool


class Ledger:
    """Every record of a run, by its place."""

    def __init__(self, random: Random) -> None:
        self._places = random.sample(range(RECORDS), RECORDS)
        self._random = random
        self._by_amount: dict[int, Record] = {}

    def enter(self, *, removable: bool) -> Record | None:
        """A new record; None when there are enough."""
        if not self._places:
            return None
        kind = self._random.choice(KINDS)
        record = Record(1 << 2 * self._places.pop(), kind, self._random.randint(1, 300_000), removable)
        self._by_amount[record.amount] = record
        return record

    def micros(self, total: int) -> int:
        """The times of the records in a total, as often as they are in it."""
        return sum(count * self._by_amount[amount].micros for amount, count in counts(total))

    def of_kind(self, kind: str) -> int:
        """All records of a kind, once."""
        return sum(record.amount for record in self._by_amount.values() if record.kind == kind)


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
