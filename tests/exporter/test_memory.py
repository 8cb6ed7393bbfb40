"""Memory goes back to the system when series go, in the exporter's own process."""

import gc

from fleetmeter_exporter import memory
from fleetmeter_exporter.memory import COLLECT_AFTER, Shrinking, tune


def test_memory_is_given_back_once_after_an_exposition_became_much_shorter() -> None:
    """At the one after it, as what was shown before is held until then; small changes are none."""
    given: list[int] = []
    seen: list[int] = []
    shrinking = Shrinking(lambda: given.append(len(seen)))
    for length in (1000, 900, 760, 740, 740, 740, 500, 500, 1000, 1, 1):
        shrinking(length)
        seen.append(length)
    assert given == [4, 7, 10]


def test_the_c_library_is_asked() -> None:
    """Whichever it is."""
    memory._malloc_trim()


def test_cycles_are_still_looked_for() -> None:
    """Less often, in a program of its own; the other thresholds stay."""
    before = gc.get_threshold()
    try:
        tune()
        assert gc.get_threshold() == (COLLECT_AFTER, *before[1:])
    finally:
        gc.set_threshold(*before)
