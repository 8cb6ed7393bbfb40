"""Atomic blocks: what is recorded inside one appears in one scrape, or in none."""

from collections.abc import Iterator
from contextlib import contextmanager

from fleetmeter.patching.together import Counts, Observations, add_one_by_one, add_under_lock
from fleetmeter.process.installation import current


@contextmanager
def atomic() -> Iterator[None]:
    """Records made inside the block, by this thread or task, are added together at its end.

    No lock is held while the block runs. A block inside another joins it. If a block ends with an exception, its
    records are added all the same: what happened has happened. `remove()`, `remove_by_labels()`, `clear()` and
    `set_function()` are no records: they act at once.

    If a generator is suspended inside the block, the block stays open for its caller, as Python's context variables do.
    What the caller then records is added when the generator goes on, is closed, or the process ends. Meanwhile
    `flush()` returns False, and the log says why. Without `install()` it does nothing.
    """
    runtime = current()
    if runtime is None:
        yield
        return
    block = runtime.accumulator.begin()
    try:
        yield
    finally:
        runtime.accumulator.commit(block)


def add_together(counts: Counts, observations: Observations) -> None:
    """Make additions that one scrape shows all together, or none: what `atomic()` does, at a fraction of its cost.

    For records of the library's own: the metrics are children that exist, and the amounts are finite numbers from 0 up,
    ints or floats, that somebody has checked. Nobody changes the arguments afterwards: they are read when somebody asks
    for a value.
    """
    runtime = current()
    if runtime is None:
        add_one_by_one(counts, observations)
        return
    if not runtime.accumulator.note(add_under_lock, (counts, observations)):
        with atomic():
            for counter, amount in counts:
                counter.inc(amount)
            for histogram, amount in observations:
                histogram.observe(amount)
