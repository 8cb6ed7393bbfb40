"""Many records in one step, while the caller holds the accumulator's lock.

Each does what `inc` and `observe` in `recording` do, written out: a call of a model has ten of them.
"""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

from prometheus_client import Counter, Histogram

Counts = Iterable[tuple[Counter, float]]
"""Children of counters, and what to add to each."""
Observations = Iterable[tuple[Histogram, float]]
"""Children of histograms, and what to observe in each."""


def add_under_lock(counts: Counts, observations: Observations) -> None:
    """Add to counters and histograms, whose amounts are ints and floats from 0 up, and finite.

    A metric that has no cell of ours, because nothing is installed any more, gets its records by its own methods.
    """
    cell: Any
    for counter, amount in counts:
        try:
            cell = counter._value
            units = amount if amount <= cell.largest_unchanged else cell.units(amount)
        except AttributeError:
            counter.inc(amount)
            continue
        if units is not None:
            cell.pending += units
            if not cell.dirty:
                cell.accumulator.mark(cell)
    for histogram, amount in observations:
        try:
            cell = histogram._sum
            units = amount if amount <= cell.largest_unchanged else cell.units(amount)
        except AttributeError:
            histogram.observe(amount)
            continue
        if units is not None:
            bucket: Any = histogram._buckets[bisect_left(histogram._upper_bounds, amount)]
            cell.pending += units
            bucket.pending += 1
            if not cell.dirty:
                cell.accumulator.mark(cell)
            if not bucket.dirty:
                cell.accumulator.mark(bucket)
