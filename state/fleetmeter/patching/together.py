"""Many records in one step: each does what `inc` and `observe` do, written out, as a call of a model has ten of them.

The children exist, and the amounts were checked.
"""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

from prometheus_client import Counter, Histogram

Counts = Iterable[tuple[Counter, float]]
"""Children of counters, and what to add to each."""
Observations = Iterable[tuple[Histogram, float]]
"""Children of histograms, and what to observe in each."""


def add_one_by_one(counts: Counts, observations: Observations) -> None:
    """Add to counters and histograms while nothing is installed; amounts are finite, and from 0 up.

    Whatever values prometheus_client has made, those of its multiprocess mode included, get the additions that its own
    methods make.
    """
    for counter, amount in counts:
        counter._value.inc(amount)
    for histogram, amount in observations:
        if amount:
            histogram._sum.inc(amount)
        histogram._buckets[bisect_left(histogram._upper_bounds, amount)].inc(1)


def add_under_lock(records: tuple[Counts, Observations]) -> None:
    """Add to counters and histograms, while the caller holds the lock of the accumulator that their cells are in.

    Amounts are ints and floats, finite, and from 0 up. A metric that has no cell of ours, because nothing is installed
    any more, gets its records by its own methods.
    """
    cell: Any
    counts, observations = records
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
