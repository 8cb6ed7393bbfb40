"""Every way Python runs: the programs of docs/examples, each with a ledger, which is the lines that it writes.

Each of them hands over only when asked to or when it ends: the flush interval is as long as a test may take.
"""

import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from celery import Celery

from fleetmeter.embedded import EmbeddedStore
from support.examples import EXAMPLES, Program, running
from support.exposition import total
from support.processes import PATIENCE, eventually, fleet, value
from support.store import StoreAddress, new_address

WAYS = {
    "threads": ("threads.py", "JOBS"),
    "asyncio": ("coroutines.py", "JOBS"),
    "gevent": ("greenlets.py", "JOBS"),
    "ProcessPoolExecutor, fork": ("process_pool.py", "JOBS", "fork"),
    "ProcessPoolExecutor, forkserver": ("process_pool.py", "JOBS", "forkserver"),
    "ProcessPoolExecutor, spawn": ("process_pool.py", "JOBS", "spawn"),
    "multiprocessing.Pool": ("multiprocessing_pool.py", "JOBS"),
}
JOBS = 200
MANY = 100_000
"""Jobs that nobody lives to see the end of."""
CALLS = 18


def test_the_table_names_every_example() -> None:
    """Each file of docs/examples is in its README, and each one that the README names is there."""
    named = set(re.findall(r"\]\((\w+\.py)\)", (EXAMPLES / "README.md").read_text()))
    assert named == {path.name for path in EXAMPLES.glob("*.py")}


@pytest.mark.parametrize("way", WAYS)
def test_an_example_that_ends_or_is_told_to_has_handed_over_everything(
    way: str, server: EmbeddedStore, tmp_path: Path
) -> None:
    """The fleet has exactly the jobs that the program did: after its end, and after SIGTERM in the middle of them."""
    stores = new_address(server), new_address(server)
    whole, cut = ([word.replace("JOBS", str(jobs)) for word in WAYS[way]] for jobs in (JOBS, MANY))
    with running(stores[0], tmp_path / "0", *whole) as ending, running(stores[1], tmp_path / "1", *cut) as terminated:
        terminated.do(JOBS // 2)
        assert terminated.terminate() == 0
        assert ending.process.wait(PATIENCE) == 0

    assert value(fleet(stores[0]), "jobs_total") == ending.done == JOBS
    assert JOBS // 2 <= value(fleet(stores[1]), "jobs_total") == terminated.done < MANY


def test_functions_that_live_for_50_ms_lose_no_call(store: StoreAddress, tmp_path: Path) -> None:
    """Many processes, several at a time, a third of them told to end at once: each of their calls counts, once."""

    def call(number: int) -> int:
        with running(store, tmp_path / str(number), "function.py") as function:
            function.do(1)
            return function.process.wait(PATIENCE) if number % 3 else function.terminate()

    with ThreadPoolExecutor(4) as threads:
        statuses = list(threads.map(call, range(CALLS)))

    assert set(statuses) == {0, -signal.SIGTERM}
    assert value(fleet(store), "calls_total") == CALLS


@contextmanager
def celery(store: StoreAddress, ledger: Path, jobs: int, *options: str) -> Iterator[Program]:
    """A Celery worker with so many jobs in its queue, which is in the run's own store."""
    broker = store.url.replace("unix://", "redis+socket://").partition("?")[0]
    words = ["-m", "celery", "--quiet", "--app", "celery_app", "worker", "--concurrency", "2"]
    words += ["--queues", store.namespace, "--loglevel", "critical", "--without-gossip", "--without-mingle", *options]
    with running(store, ledger, *words, CELERY_BROKER_URL=broker, C_FORCE_ROOT="1") as program:
        with Celery(broker=broker) as client:
            for number in range(jobs):
                client.send_task("celery_app.work", [number], queue=store.namespace)
        yield program


def terminate_children(pid: int) -> None:
    """Tell each child of a process to end, as a service manager may do."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        os.kill(int(child), signal.SIGTERM)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the children of a process are found in Linux' /proc")
def test_celery_children_hand_over_whatever_ends_them(server: EmbeddedStore, tmp_path: Path) -> None:
    """Children that do five jobs each, then those that the worker ends; and children that get SIGTERM themselves.

    The workers are told to end when they are idle: in mid-work Celery does not always end in time, with or without us.
    """
    stores = new_address(server), new_address(server)
    with (
        celery(stores[0], tmp_path / "0", JOBS // 5, "--max-tasks-per-child", "5") as replaced,
        celery(stores[1], tmp_path / "1", JOBS) as orphaned,
    ):
        orphaned.do(JOBS)
        terminate_children(orphaned.process.pid)
        assert eventually(lambda: total(fleet(stores[1]), "jobs_total") == JOBS)
        replaced.do(JOBS // 5)
        assert replaced.terminate() == 0

    assert value(fleet(stores[0]), "jobs_total") == replaced.done == JOBS // 5
