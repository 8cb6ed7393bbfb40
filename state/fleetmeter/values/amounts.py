"""The cells of counters, histograms and summaries, one class per kind of number.

A cell has the methods of `prometheus_client.values.MutexValue` and adds to this process's pending amounts only: no
I/O, and nothing that grows with events. `get()` is this process's own total, as the stock client shows it.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from fleetmeter.schema.definition import OWN_PREFIX, compact_json
from fleetmeter.schema.exemplars import read_exemplar
from fleetmeter.schema.scale import LARGEST, Scale, float_of

if TYPE_CHECKING:
    from fleetmeter.schema.definition import Definition
    from fleetmeter.values.accumulator import Accumulator
    from fleetmeter.values.batch import Batch

_NANO = int(Scale.NANO)


def put_exemplar(batch: "Batch", definition: "Definition", number: str, exemplar: Any) -> None:
    """Put the newest exemplar of one number into a batch. One that cannot be served is left out.

    prometheus_client has checked it before, but permits amounts and label names that no exposition can hold.
    """
    try:
        at = float(exemplar.timestamp or 0.0)
        text = compact_json({"labels": exemplar.labels, "value": float(exemplar.value), "timestamp": at})
        if read_exemplar(text) is not None:
            batch.set_exemplar(definition, number, at, text)
    except (TypeError, ValueError, OverflowError, AttributeError):
        return


class Amount:
    """A number that only grows: a counter, a bucket, a count or a sum, in stored units."""

    __slots__ = (
        "__weakref__", "accumulator", "definition", "dirty", "exemplar", "field", "flushed", "labelvalues", "part",
        "pending", "quiet", "sent_exemplar",
    )  # fmt: skip
    largest = LARGEST
    takes_whole = True
    """Whether a whole amount is added unchanged."""
    largest_unchanged: float = LARGEST
    """Amounts from 0 to this are added unchanged, whole or not."""

    def __init__(
        self, accumulator: "Accumulator", definition: "Definition", labelvalues: Sequence[str], part: str | None = None
    ) -> None:
        self.accumulator = accumulator
        self.definition = definition
        self.labelvalues = labelvalues
        self.part = part
        self.pending: float = 0
        self.flushed: float = 0
        self.exemplar: Any = None
        self.sent_exemplar: Any = None
        self.field: str | None = None
        self.dirty = False
        self.quiet = definition.name.startswith(OWN_PREFIX)
        accumulator.adopt(self)

    def units(self, amount: float | Decimal) -> float | None:
        """An amount as it is added to `pending`. If it cannot be added, it is rejected, and None is returned."""
        # sums and comparisons of mixed number types may fail, wrap around or warn, where nobody sees it
        usable = amount if type(amount) is float or type(amount) is int else float_of(amount)
        if -self.largest <= usable <= self.largest:
            return usable
        self.accumulator.reject(self.definition, amount)
        return None

    def in_unit(self, units: float) -> float:
        """What stands in `pending` or `flushed`, in the family's unit."""
        return float(units)

    def inc(self, amount: float | Decimal) -> None:
        """Add an amount in the family's unit. If no finite float can hold it, it is refused and counted."""
        units = self.units(amount)
        if units is not None:
            self.record(units)

    def record(self, units: float) -> None:
        """Add stored units, at once or at the end of the open `atomic()` block."""
        accumulator = self.accumulator
        if accumulator.open_blocks and accumulator.defer(self.add, units):
            return
        with accumulator.lock:
            self.pending += units
            if self.dirty:
                return
            wake = accumulator.mark(self)
        if wake:
            accumulator.wake()

    def add(self, units: float) -> None:
        """Add under the lock that the caller holds."""
        self.pending += units
        if not self.dirty:
            self.accumulator.mark(self)

    def set(self, value: float, timestamp: float | None = None) -> None:  # noqa: ARG002  the client names it
        """Set this process's own total, never the fleet's. The stock client does so when a counter is reset."""
        accumulator = self.accumulator
        if accumulator.open_blocks and accumulator.defer(self.begin_at, value):
            return
        with accumulator.lock:
            self.begin_at(value)

    def begin_at(self, value: float) -> None:
        """Set this process's own total, in the family's unit, under the lock. What is pending stays pending."""
        self.accumulator.settle()
        self.flushed = value - self.pending

    def get(self) -> float:
        """This process's total, in the family's unit."""
        with self.accumulator.lock:
            self.accumulator.settle()
            return self.in_unit(self.flushed + self.pending)

    def handed_over(self) -> float:
        """How much of this process's total was handed over, in the family's unit."""
        with self.accumulator.lock:
            return self.in_unit(self.flushed)

    def get_exemplar(self) -> Any:
        """The newest exemplar of this process."""
        return self.exemplar

    def set_exemplar(self, exemplar: Any) -> None:
        """Keep the newest exemplar of this process; it goes with the next batch."""
        accumulator = self.accumulator
        if accumulator.open_blocks and accumulator.defer(self.keep, exemplar):
            return
        with accumulator.lock:
            wake = self.keep(exemplar)
        if wake:
            accumulator.wake()

    def keep(self, exemplar: Any) -> bool:
        """Keep an exemplar under the lock; whether `wake()` must be called."""
        self.exemplar = exemplar
        return not self.dirty and self.accumulator.mark(self)

    def take(self) -> float:
        """The stored units to hand over. None of them stays pending."""
        amount = self.pending
        self.flushed += amount
        self.pending = 0
        return amount

    def put(self, batch: "Batch", taken: float) -> None:
        """Put stored units into a batch. A zero makes the series exist; a bucket exists as soon as its sum does."""
        exemplar, counts = self.exemplar, taken or self.part in (None, "sum", "count")
        if not counts and exemplar is self.sent_exemplar:
            return
        if self.field is None:
            self.field = self.definition.series_field(self.labelvalues, self.part)
        if counts:
            batch.add(self.definition, self.field, taken)
        if exemplar is not self.sent_exemplar:
            self.sent_exemplar = exemplar
            put_exemplar(batch, self.definition, self.field, exemplar)

    def drop(self) -> None:
        """Let go of what is pending."""
        self.pending = 0

    def forget(self) -> None:
        """Start from nothing."""
        self.pending = self.flushed = 0
        self.exemplar = self.sent_exemplar = None
        self.dirty = False

    def forget_parent(self) -> None:
        """Keep what is pending: the cell was clean when the process was forked, so all of it was recorded here."""
        self.flushed = 0
        if self.exemplar is self.sent_exemplar:
            self.exemplar = self.sent_exemplar = None


class Seconds(Amount):
    """Seconds, handed over as whole microseconds. A rest of less than 1 µs stays pending for the next batch."""

    __slots__ = ()
    largest = largest_unchanged = LARGEST / Scale.MICRO

    def take(self) -> float:
        """Whole microseconds."""
        whole = int(round(self.pending * Scale.MICRO, 3))  # 0.000397 s are 396.99999999999994 µs to a float
        seconds = whole / Scale.MICRO
        self.pending -= seconds
        self.flushed += seconds
        return whole


class Money(Amount):
    """US dollars, kept as whole nano-dollars. Each amount is rounded by itself, so any order gives the same total."""

    __slots__ = ()
    largest = LARGEST / Scale.NANO
    takes_whole = False
    largest_unchanged = -1

    def units(self, amount: float | Decimal) -> float | None:
        """An amount in nano-dollars, exact for a Decimal. If it cannot be added, it is rejected: None."""
        if type(amount) is float and 0.0 <= amount <= self.largest:
            return round(amount * _NANO)
        usable = super().units(amount)
        if usable is None:
            return None
        return round((amount if isinstance(amount, Decimal) else usable) * Scale.NANO)

    def begin_at(self, value: float) -> None:
        """Let this process's own total be so many dollars, under the lock."""
        self.accumulator.settle()
        self.flushed = round(value * Scale.NANO) - self.pending

    def in_unit(self, units: float) -> float:
        """Dollars."""
        return units / Scale.NANO
