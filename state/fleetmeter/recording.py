"""The recording methods that stand in for prometheus_client's while fleetmeter is installed.

Each takes the method that it replaces, which goes on to raise what a wrong call raises.
"""

from bisect import bisect_left
from typing import Any

from prometheus_client import Counter, Histogram, Info, Summary

from fleetmeter.cells import Amount, Facts
from fleetmeter.scale import LARGEST


def counter_inc(original: Any) -> Any:
    """`Counter.inc` that adds to a cell in one step."""

    def inc(self: Counter, amount: float = 1, exemplar: dict[str, str] | None = None) -> None:
        """Increment counter by the given amount."""
        try:
            cell: Any = self._value
        except AttributeError:
            original(self, amount, exemplar)  # raises: label values are missing
            return
        if exemplar is not None or not 0 <= amount <= LARGEST:
            original(self, amount, exemplar)  # raises for a negative amount
            return
        accumulator = cell.accumulator
        units = cell.units(amount)
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


def histogram_observe(original: Any) -> Any:
    """`Histogram.observe` that adds to sum and bucket in one step, so that one flush has both."""

    def observe(self: Histogram, amount: float, exemplar: dict[str, str] | None = None) -> None:
        """Observe the given amount."""
        try:
            total: Any = self._sum
        except AttributeError:
            original(self, amount, exemplar)  # raises: label values are missing
            return
        if not -LARGEST <= amount <= LARGEST:
            total.accumulator.reject(total.definition, amount)
            return
        if exemplar:
            block = total.accumulator.begin()
            try:
                original(self, amount, exemplar)  # checks and keeps the exemplar
            finally:
                total.accumulator.commit(block)
            return
        bucket: Any = self._buckets[bisect_left(self._upper_bounds, amount)]
        _observe_both(total, bucket, total.units(amount))

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
        if not -LARGEST <= amount <= LARGEST:
            total.accumulator.reject(total.definition, amount)
            return
        count: Any = self._count
        _observe_both(total, count, total.units(amount))

    return observe


def info_info(original: Any) -> Any:
    """`Info.info` that also sets the cell beside the metric."""

    def info(self: Info, val: dict[str, str]) -> None:
        """Set info metric."""
        original(self, val)
        cell: Facts | None = getattr(self, "_fleetmeter", None)
        if cell is not None:
            cell.set({key: str(value) for key, value in val.items()})

    return info
