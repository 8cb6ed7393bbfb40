"""The recording methods that stand in for prometheus_client's while fleetmeter is installed.

Each gets the method that it replaces, and calls it for wrong calls, so that the same errors are raised.
"""

from bisect import bisect_left
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter, Enum, Gauge, Histogram, Info, Summary

from fleetmeter.schema.scale import float_of
from fleetmeter.values.amounts import Amount

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleetmeter.values.levels import Level

_SMALL = 2**62
"""A whole amount up to this can be used unchanged, whatever the scale."""


def counter_inc(original: Any) -> Any:
    """`Counter.inc` that adds to a cell in one step."""

    def inc(self: Counter, amount: float = 1, exemplar: dict[str, str] | None = None) -> None:
        """Increment counter by the given amount."""
        try:
            cell: Any = self._value
        except AttributeError:
            original(self, amount, exemplar)  # raises: label values are missing
            return
        if exemplar is not None or not amount >= 0:
            original(self, amount, exemplar)  # raises for a negative amount
            return
        # From here on as `Amount.inc`, written out: each call less is a fifth of what an increment costs.
        if type(amount) is int and amount <= _SMALL and cell.takes_whole:
            units: float | None = amount
        else:
            units = cell.units(amount)
            if units is None:
                return
        accumulator = cell.accumulator
        if accumulator.open_blocks and accumulator.defer(cell.add, units):
            return
        with accumulator.lock:
            cell.pending += units
            if cell.dirty:
                return
            wake = accumulator.mark(cell)
        if wake:
            accumulator.wake()

    return inc


def _observe_both(first: Amount, second: Amount, units: float) -> None:
    """Count an observation in two cells, its sum and its bucket or count, in one step."""
    accumulator = first.accumulator
    if accumulator.open_blocks and accumulator.defer(_add_both, (first, second, units)):
        return
    wake = False
    with accumulator.lock:
        first.pending += units
        second.pending += 1
        if not first.dirty:
            wake = accumulator.mark(first)
        if not second.dirty:
            wake = accumulator.mark(second) or wake
    if wake:
        accumulator.wake()


def _add_both(observation: tuple[Amount, Amount, float]) -> None:
    first, second, units = observation
    first.add(units)
    second.add(1)


def _observe_with_exemplar(histogram: Any, amount: float | Decimal, exemplar: dict[str, str], original: Any) -> None:
    """The stock method, which checks and keeps the exemplar, in one step."""
    total = histogram._sum
    if total.units(amount) is None:
        return
    exact = type(amount) is int or isinstance(amount, Decimal)  # as it is without an exemplar
    plain = amount if exact else float_of(amount)
    block = total.accumulator.begin()
    try:
        original(histogram, plain, exemplar)
    finally:
        total.accumulator.commit(block)


def histogram_observe(original: Any) -> Any:
    """`Histogram.observe` that adds to sum and bucket in one step, so that one flush has both."""

    def observe(self: Histogram, amount: float, exemplar: dict[str, str] | None = None) -> None:
        """Observe the given amount."""
        try:
            total: Any = self._sum
        except AttributeError:
            original(self, amount, exemplar)  # raises: label values are missing
            return
        if exemplar:
            _observe_with_exemplar(self, amount, exemplar, original)
            return
        units = total.units(amount)
        if units is None:
            return
        if units is not amount and type(amount) is not float:
            amount = float_of(amount)  # numpy's numbers warn of bounds that their type cannot hold
        _observe_both(total, self._buckets[bisect_left(self._upper_bounds, amount)], units)

    return observe


def summary_observe(original: Any) -> Any:
    """`Summary.observe` that adds to count and sum in one step, so that one flush has both."""

    def observe(self: Summary, amount: float) -> None:
        """Observe the given amount."""
        try:
            total: Any = self._sum
        except AttributeError:
            original(self, amount)  # raises: label values are missing
            return
        units = total.units(amount)
        if units is not None:
            _observe_both(total, self._count, units)

    return observe


def gauge_set_function(original: Any) -> Any:
    """`Gauge.set_function` that also lets this process call the function for the fleet, now and then."""

    def set_function(self: Gauge, f: "Callable[[], float]") -> None:
        """Call the provided function to return the Gauge value."""
        original(self, f)
        cell: Any = self._value
        cell.follow(f)

    return set_function


def info_info(original: Any) -> Any:
    """`Info.info` that also sets the cell beside the metric."""

    def info(self: Info, val: dict[str, str]) -> None:
        """Set info metric."""
        original(self, val)
        tell(self)

    return info


def enum_state(original: Any) -> Any:
    """`Enum.state` that also sets the cell beside the metric."""

    def state(self: Enum, state: str) -> None:
        """Set enum metric state."""
        original(self, state)
        tell(self)

    return state


def tell(metric: Any) -> None:
    """Set the cell beside an Info or an Enum to the metric's value. If two threads set it, the later one counts."""
    cell: Level | None = getattr(metric, "_fleetmeter", None)
    said = _said(metric)
    while cell is not None:
        cell.set(said)
        before, said = said, _said(metric)
        if said == before:
            return


def _said(metric: Any) -> Any:
    if isinstance(metric, Enum):
        return str(metric._states[metric._value])
    return {key: str(value) for key, value in metric._value.items()}
