"""Job runners and processes that end by `os._exit`: each hands over before, and says goodbye."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rq import Queue

from support.distance import far_away
from support.load import service
from support.processes import PATIENCE, PROGRAMS, environment, fleet, run, value
from support.store import StoreAddress

JOBS = 12


def states(store: StoreAddress) -> list[str]:
    """How each writer of a namespace stands: alive or goodbye."""
    client: Any = store.client()
    rows = client.hgetall(store.keys.writers)
    client.close()
    return [text.split()[3].decode() for field, text in rows.items() if not field.startswith(b"@")]


@pytest.mark.parametrize(
    ("way", "total"),
    [
        ("multiprocess fork", 20),
        ("multiprocess spawn", 20),
        ("billiard fork", 20),
        ("billiard spawn", 20),
        ("own", 20),
        ("execv", 20),
    ],
)
def test_children_hand_over_before_they_leave(way: str, total: int, store: StoreAddress) -> None:
    """They run no exit functions; their records are in the store all the same, and no row looks alive."""
    ended = run("leaving.py", store, way, FLEETMETER_FLUSH_INTERVAL="60", PYTHONWARNINGS="ignore:This process")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert value(fleet(store), "counted_total") == total
    assert set(states(store)) == {"goodbye"}


@pytest.mark.parametrize(
    "options", [("worker",), ("worker", "-w", "rq.worker.SpawnWorker"), ("worker-pool", "-n", "2")]
)
def test_each_job_of_rq_is_handed_over(options: tuple[str, ...], store: StoreAddress, tmp_path: Path) -> None:
    """Work horses live for one job, which may fail; their rows say goodbye."""
    client: Any = store.client()
    queue = Queue(store.namespace, connection=client)
    for number in range(JOBS):
        queue.enqueue("rq_jobs.work", number % 4 == 0)
    ledger = tmp_path / "ledger"
    command = [sys.executable, "-m", "rq.cli", options[0], "--quiet", "--burst", "--url", store.url, *options[1:]]
    ended = subprocess.run(
        [*command, store.namespace],
        cwd=PROGRAMS,
        env=environment(store, LEDGER=str(ledger), FLEETMETER_FLUSH_INTERVAL="60", PYTHONPATH=str(PROGRAMS)),
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,
        check=False,
    )
    client.close()

    assert ledger.stat().st_size == JOBS, ended.stderr
    assert value(fleet(store), "jobs_total") == JOBS
    assert states(store) == ["goodbye"] * JOBS


@pytest.mark.parametrize("round_trip", [0.001, 0.1])
@pytest.mark.parametrize("name", ["waitress", "wsgiref"])
def test_sigterm_under_load_loses_no_request_that_was_answered(
    name: str, round_trip: float, store: StoreAddress, tmp_path: Path
) -> None:
    """The default action ends servers with worker threads; what they answered is counted, and no row looks alive."""
    command = [sys.executable, str(PROGRAMS / "wsgi.py"), name, "PORT"]
    with (
        far_away(store.url, round_trip) as url,
        service(command, store, tmp_path, variables={"FLEETMETER_REDIS_URL": url}) as running,
        running.load() as clients,
    ):
        assert running.ask(20) == 20
        running.process.terminate()
        assert running.process.wait(PATIENCE) == -15
        answers = 20 + sum(client.result() for client in clients)
        assert answers <= value(fleet(store), "answered_total") >= running.written
    assert set(states(store)) == {"goodbye"}
