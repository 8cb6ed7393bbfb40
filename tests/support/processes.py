"""Programs of `tests/state/programs` as processes of their own, and what the fleet made of them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from fleetmeter_exporter import RedisCollector
from support.exposition import Series, parse
from support.store import StoreAddress

PROGRAMS = Path(__file__).parent.parent / "state" / "programs"
LAUNCHER = (sys.executable, "-m", "fleetmeter.cli", "run", "--")
"""What starts a command as `fleetmeter run --` does."""
PATIENCE = 40.0
"""Seconds after which a process counts as hanging."""


def environment(store: StoreAddress, **variables: str) -> dict[str, str]:
    """This process' environment, with the store's address and without any other setting of ours."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FLEETMETER_")}
    return inherited | store.environ | {"PYTHONUNBUFFERED": "1"} | variables


def run(program: str, store: StoreAddress, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end. Raises `subprocess.TimeoutExpired` for one that hangs, after ending it."""
    return finish([sys.executable, str(PROGRAMS / program), *map(str, arguments)], store, **variables)


def finish(command: Sequence[str], store: StoreAddress, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run any command to its end, with nothing to read. Raises `subprocess.TimeoutExpired` for one that hangs."""
    return subprocess.run(
        command,
        env=environment(store, **variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@contextmanager
def started(program: str, store: StoreAddress, *arguments: object, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A program that runs; it has written `ready`, and is killed at the end if it still lives."""
    process = subprocess.Popen(
        [sys.executable, str(PROGRAMS / program), *map(str, arguments)],
        env=environment(store, **variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def fleet(store: StoreAddress) -> dict[Series, float]:
    """Every sample that an exporter of that namespace shows now."""
    registry = CollectorRegistry(support_collectors_without_names=True)
    RedisCollector(registry, url=store.url, namespace=store.namespace)
    return parse(generate_latest(registry))


def value(samples: dict[Series, float], name: str, **labels: str) -> float:
    """One sample's value; raises `KeyError` where there is none."""
    return samples[name, frozenset(labels.items())]


def eventually(condition: Callable[[], bool], within: float = PATIENCE) -> bool:
    """Whether something comes true within so many seconds."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
