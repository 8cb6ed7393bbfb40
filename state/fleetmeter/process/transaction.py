"""Atomic blocks: what is recorded inside one appears in one scrape, or in none."""

from collections.abc import Iterator
from contextlib import contextmanager

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
