"""Labels of the user's own for one test, and none after it."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from fleetmeter.attribution import families, labels


@contextmanager
def no_labels() -> Iterator[None]:
    """Nothing is decided inside the block, families have no series, and nothing is left of what was."""
    _forget()
    families._labels.settled = False
    labels._told.clear()
    try:
        yield
    finally:
        _forget()


def _forget() -> None:
    families.configure_labels({})
    for family in list(families._followers):
        family.clear()
        family.earlier = ()
    gc.collect()  # children that applications of a test held
