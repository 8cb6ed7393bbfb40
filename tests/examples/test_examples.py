"""The programs of examples/, as they stand: what the fleet has of them is what the upstream's ledger says.

Those that need more than the development environment has are run by `make matrix-openai`, in environments of their own.
"""

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from celery import Celery

from support.exposition import total
from support.load import service
from support.model_examples import EXAMPLES, QUESTIONS, SCRIPTS, SERVICES, differences, tried, variables
from support.processes import PATIENCE, environment, eventually, fleet
from support.store import StoreAddress
from support.upstream import RunningUpstream, settled


def test_the_table_names_every_example() -> None:
    """Each program is in the folder's README and is run by somebody: by this file, or by the matrix."""
    programs = {path.name for path in EXAMPLES.glob("*.py")}
    assert set(re.findall(r"\]\((\w+\.py)\)", (EXAMPLES / "README.md").read_text())) == programs
    assert {*SCRIPTS, *SERVICES} == programs


@pytest.mark.parametrize("name", [name for name, packages in SCRIPTS.items() if not packages])
def test_a_script_has_handed_over_what_the_upstream_billed(
    name: str, store: StoreAddress, upstream: RunningUpstream
) -> None:
    """Calls, retries, tokens and nano-dollars of a script that has ended are in the store, all of them."""
    ledger, told = tried(sys.executable, name, store, upstream)
    assert told == "equal"
    assert ledger.total().delivered.answered == len(QUESTIONS)
    assert ledger.total().received == len(QUESTIONS) + 1


def test_a_service_needs_two_calls_of_ours(store: StoreAddress, upstream: RunningUpstream, tmp_path: Path) -> None:
    """Every line of the FastAPI service that speaks of fleetmeter is the import or one of two; it counts all calls."""
    code = (EXAMPLES / "fastapi_service.py").read_text().partition('"""\n\n')[2]
    ours = [line.partition("(")[0] for line in code.splitlines() if "fleetmeter" in line]
    assert ours == ["import fleetmeter", "fleetmeter.install", "fleetmeter.instrument_openai"]
    command = [sys.executable, "-m", "uvicorn", "--log-level", "warning", "--port", "PORT", "fastapi_service:app"]
    with service(command, store, tmp_path, cwd=EXAMPLES, variables=variables(upstream)) as serving:
        for question in QUESTIONS:
            address = f"http://127.0.0.1:{serving.port}/answer"
            assert httpx.get(address, params={"question": question}, timeout=PATIENCE).json()["answer"]
        serving.process.terminate()
        serving.process.wait(PATIENCE)
    assert differences(store, settled(upstream)) == []
    assert upstream.ledger().total().received == len(QUESTIONS) + 1


def test_a_celery_task_counts_under_its_intent(store: StoreAddress, upstream: RunningUpstream, tmp_path: Path) -> None:
    """What the children of the pool called is in the fleet's totals, under the intent that the task gave it."""
    broker = store.url.replace("unix://", "redis+socket://").partition("?")[0]
    command = [sys.executable, "-m", "celery", "--quiet", "--app", "celery_tasks", "worker", "--concurrency", "2"]
    command += ["--queues", store.namespace, "--loglevel", "critical", "--without-gossip", "--without-mingle"]
    environ = environment(store, **variables(upstream), CELERY_BROKER_URL=broker, C_FORCE_ROOT="1")
    with Celery(broker=broker) as client:
        for question in QUESTIONS:
            client.send_task("celery_tasks.summarise", [question], queue=store.namespace)
    with subprocess.Popen(command, cwd=EXAMPLES, env=environ) as worker:
        try:
            assert eventually(lambda: upstream.ledger().total().delivered.answered == len(QUESTIONS), 2 * PATIENCE)
            worker.terminate()
            assert worker.wait(PATIENCE) == 0
        finally:
            worker.kill()
    assert differences(store, settled(upstream)) == []
    assert total(fleet(store), "openai_api_calls_total", intent="summary") == len(QUESTIONS)
