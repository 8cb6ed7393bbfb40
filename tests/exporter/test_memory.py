"""Memory goes back to the system when series go, in the exporter's own process."""

import ctypes
import gc
from types import SimpleNamespace

import pytest

from fleetmeter_exporter import memory
from fleetmeter_exporter.memory import COLLECT_AFTER, Shrinking, tune


def test_memory_is_given_back_once_after_an_exposition_of_far_fewer_samples() -> None:
    """At the one after it, as what was shown before is held until then; small changes are none."""
    given: list[int] = []
    seen: list[int] = []
    shrinking = Shrinking(lambda: given.append(len(seen)))
    for length in (1000, 900, 760, 740, 740, 740, 500, 500, 1000, 1, 1):
        shrinking(length)
        seen.append(length)
    assert given == [4, 7, 10]


@pytest.mark.parametrize("has_it", [True, False])
def test_the_c_library_is_asked(monkeypatch: pytest.MonkeyPatch, has_it: bool) -> None:
    """Where it knows of such a thing."""
    asked: list[int] = []
    library = SimpleNamespace(malloc_trim=asked.append) if has_it else SimpleNamespace()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    memory.malloc_trim()
    assert asked == ([0] if has_it else [])


def test_cycles_are_still_looked_for() -> None:
    """Less often, in a program of its own; the other thresholds stay."""
    before = gc.get_threshold()
    try:
        tune()
        assert gc.get_threshold() == (COLLECT_AFTER, *before[1:])
    finally:
        gc.set_threshold(*before)


def test_threads_share_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one thread freed is there for the next: the C library is told to keep one store of memory for all."""
    told: dict[int, int] = {}
    library = SimpleNamespace(mallopt=told.__setitem__)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    monkeypatch.setattr(gc, "set_threshold", lambda *_: None)
    tune()
    assert told == {memory._M_MMAP_THRESHOLD: memory.OWN_MAPPING, memory._M_ARENA_MAX: 1}
