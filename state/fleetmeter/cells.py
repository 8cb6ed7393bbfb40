"""The values behind prometheus_client's metrics, one class per kind of number.

A cell has the methods of `prometheus_client.values.MutexValue` and adds to this process's pending amounts only: no
I/O, and nothing that grows with events. `get()` is this process's own total, as the stock client shows it.
"""

from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any

from fleetmeter.definition import OWN_PREFIX, compact_json
from fleetmeter.scale import LARGEST, Scale, number_text

if TYPE_CHECKING:
    from fleetmeter.accumulator import Accumulator
    from fleetmeter.batch import Batch
    from fleetmeter.definition import Definition


class Amount:
    """A number that only grows: a counter, a bucket, a count or a sum, in stored units as they come."""

    __slots__ = (
        "__weakref__", "accumulator", "definition", "dirty", "exemplar", "field", "flushed", "labelvalues", "part",
        "pending", "quiet",
    )  # fmt: skip

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
        self.field: str | None = None
        self.dirty = False
        self.quiet = definition.name.startswith(OWN_PREFIX)
        accumulator.adopt(self)

    def units(self, amount: float) -> float:
        """An amount in the family's unit as it is added to `pending`."""
        return amount

    def in_unit(self, units: float) -> float:
        """What stands in `pending` or `flushed`, in the family's unit."""
        return float(units)

    def inc(self, amount: float) -> None:
        """Add an amount in the family's unit; what no finite float can hold is refused and counted."""
        accumulator = self.accumulator
        if not -LARGEST <= amount <= LARGEST:
            accumulator.reject(self.definition, amount)
            return
        amount = self.units(amount)
        if accumulator.open_blocks and accumulator.defer(self.add, amount):
            return
        with accumulator.lock:
            self.pending += amount
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
        """Set this process's own total, which the stock client does when a counter is reset; never the fleet's."""
        with self.accumulator.lock:
            self.flushed = value - self.pending

    def get(self) -> float:
        """This process's total, in the family's unit."""
        with self.accumulator.lock:
            return self.in_unit(self.flushed + self.pending)

    def handed_over(self) -> float:
        """What of this process's total has left it, in the family's unit."""
        with self.accumulator.lock:
            return self.in_unit(self.flushed)

    def get_exemplar(self) -> Any:
        """The newest exemplar of this process."""
        return self.exemplar

    def set_exemplar(self, exemplar: Any) -> None:
        """Keep the newest exemplar of this process."""
        self.exemplar = exemplar

    def take(self) -> float:
        """The stored units to hand over; nothing of them stays pending."""
        amount = self.pending
        self.flushed += amount
        self.pending = 0
        return amount

    def put(self, batch: "Batch", taken: float) -> None:
        """Put stored units into a batch; a zero makes the series exist, and a bucket exists with its sum."""
        if taken or self.part in (None, "sum", "count"):
            if self.field is None:
                self.field = self.definition.series_field(self.labelvalues, self.part)
            batch.add(self.definition.field, self.field, taken)

    def forget(self) -> None:
        """Start from nothing."""
        self.pending = self.flushed = 0
        self.dirty = False


class Seconds(Amount):
    """Seconds, handed over as whole microseconds; what is less than one stays pending for the next batch."""

    __slots__ = ()

    def take(self) -> float:
        """Whole microseconds."""
        whole = int(round(self.pending * Scale.MICRO, 3))  # 0.000397 s are 396.99999999999994 µs to a float
        seconds = whole / Scale.MICRO
        self.pending -= seconds
        self.flushed += seconds
        return whole


class Money(Amount):
    """US dollars, kept as whole nano-dollars; each amount is rounded by itself, so that any order gives one total."""

    __slots__ = ()

    def units(self, amount: float) -> float:
        """Nano-dollars; none, and a rejected value, where they are too many for a float."""
        try:
            return round(amount * Scale.NANO)
        except OverflowError:
            self.accumulator.reject(self.definition, amount)
            return 0

    def set(self, value: float, timestamp: float | None = None) -> None:  # noqa: ARG002  the client names it
        """Set this process's own total, in dollars."""
        super().set(round(value * Scale.NANO))

    def in_unit(self, units: float) -> float:
        """Dollars."""
        return units / Scale.NANO


class Level:
    """A gauge: the newest value of this process and when it was set."""

    __slots__ = ("__weakref__", "accumulator", "definition", "dirty", "labelvalues", "quiet", "set_at", "value")

    def __init__(self, accumulator: "Accumulator", definition: "Definition", labelvalues: Sequence[str]) -> None:
        self.accumulator = accumulator
        self.definition = definition
        self.labelvalues = labelvalues
        self.value: Any = 0.0
        self.set_at: float | None = None
        self.dirty = False
        self.quiet = definition.name.startswith(OWN_PREFIX)
        accumulator.adopt(self)

    def inc(self, amount: float) -> None:
        """Change the value by an amount."""
        # adding 0.0 lets what is no number fail here, as the caller's error, and not at a block's end
        self._record(self.change, amount + 0.0)

    def set(self, value: Any, timestamp: float | None = None) -> None:  # noqa: ARG002  the client names it
        """Replace the value; NaN and infinities are values like any other."""
        self._record(self.replace, value)

    def _record(self, apply: Any, amount: Any) -> None:
        accumulator = self.accumulator
        if accumulator.open_blocks and accumulator.defer(apply, amount):
            return
        with accumulator.lock:
            wake = apply(amount)
        if wake:
            accumulator.wake()

    def change(self, amount: float) -> bool:
        """Change the value under the lock."""
        return self.replace(self.value + amount)

    def replace(self, value: Any) -> bool:
        """Replace the value under the lock."""
        self.value = value
        self.set_at = monotonic()
        return not self.dirty and self.accumulator.mark(self)

    def get(self) -> Any:
        """This process's value."""
        with self.accumulator.lock:
            return self.value

    def get_exemplar(self) -> None:
        """Gauges have no exemplars."""

    def take(self) -> tuple[Any, float | None]:
        """The present value, and when it was set (monotonic; None: never)."""
        return self.value, self.set_at

    def put(self, batch: "Batch", taken: tuple[Any, float | None]) -> None:
        """Put a value into a batch."""
        value, set_at = taken
        batch.set_gauge(self.definition, self.labelvalues, set_at, self.text(value))

    def text(self, value: Any) -> str:
        """A value as it is stored."""
        return number_text(float(value))

    def forget(self) -> None:
        """Start from nothing."""
        self.value = 0.0
        self.set_at = None
        self.dirty = False


class Facts(Level):
    """The label values of an Info metric; nothing is shown until they are set."""

    __slots__ = ()

    def put(self, batch: "Batch", taken: tuple[Any, float | None]) -> None:
        """Put the label values into a batch."""
        if taken[1] is not None:
            super().put(batch, taken)

    def text(self, value: Any) -> str:
        """The label values as JSON."""
        return compact_json(value)


_AMOUNTS = {Scale.PLAIN: Amount, Scale.MICRO: Seconds, Scale.NANO: Money}


def cell_of(
    accumulator: "Accumulator", definition: "Definition", labelvalues: Sequence[str], part: str | None
) -> Amount | Level:
    """The cell for one value: its kind follows from the family's type, its scale and the part of the series."""
    if definition.type == "info":
        return Facts(accumulator, definition, labelvalues)
    if definition.type == "gauge":
        return Level(accumulator, definition, labelvalues)
    scaled = part is None or part == "sum"
    return _AMOUNTS[Scale(definition.scale) if scaled else Scale.PLAIN](accumulator, definition, labelvalues, part)
