"""The ten gauge modes mean what they mean in prometheus_client's own multiprocess mode, beside which they are run."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from support.everything import MODES
from support.exposition import Series, parse
from support.processes import PROGRAMS, fleet
from support.store import StoreAddress

VALUES = ("4", "-2.5", "7", "1")
"""What the processes set, one after the other; the last two end before anybody looks."""


@contextmanager
def process(value: str, environ: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process that has set its gauges, and ends with the block."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("FLEETMETER_")}
    program = subprocess.Popen(
        [sys.executable, str(PROGRAMS / "gauges.py"), value],
        env=inherited | {"PYTHONPATH": str(PROGRAMS.parent.parent)} | environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        yield program  # the end of its input, by which it ends, comes with the end of the block


def names_replaced(samples: dict[Series, float], label: str) -> dict[Series, float]:
    """Samples of gauges, with a value per process in the order of the values, whatever tells processes apart."""
    gauges = {key: value for key, value in samples.items() if key[0].startswith("g_")}
    merged = {key: value for key, value in gauges.items() if label not in dict(key[1])}
    per_process = sorted((key[0], value) for key, value in gauges.items() if label in dict(key[1]))
    return merged | {(name, frozenset({("rank", str(rank))})): value for rank, (name, value) in enumerate(per_process)}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[Series, float]:
    """What the client's own multiprocess mode shows."""
    directory = tmp_path_factory.mktemp("multiprocess")
    environ = {"PROMETHEUS_MULTIPROC_DIR": str(directory)}
    with ExitStack() as living:
        for value in VALUES[:2]:
            living.enter_context(process(value, environ))
        for value in VALUES[2:]:
            with process(value, environ) as ended:
                pass
            mark_process_dead(ended.pid, str(directory))  # type: ignore[no-untyped-call]
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(directory))  # type: ignore[no-untyped-call]
        return names_replaced(parse(generate_latest(registry)), "pid")


def test_every_mode_shows_what_the_clients_own_multiprocess_mode_shows(
    store: StoreAddress, expected: dict[Series, float], tmp_path: Path
) -> None:
    """Four processes set every gauge, two of them end: the ten families are the same, with `replica` for the pid."""
    with ExitStack() as living:
        for value in VALUES[:2]:
            living.enter_context(process(value, store.environ))
        for value in VALUES[2:]:
            with process(value, store.environ):
                pass
        shown = names_replaced(fleet(store), "replica")
    assert {name for name, _ in expected} == {f"g_{mode}" for mode in MODES}
    assert shown == expected
