"""The first answer of the exporter program: at once if nobody has anything to send again, and else not too early."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.fleet import Replica
from support.gateway import Program, Programs
from support.node import Node, until
from support.processes import environment
from support.store import StoreAddress

README = (Path(__file__).parents[2] / "README.md").read_text()


@pytest.fixture
def node() -> Iterator[Node]:
    """A store that runs for longer than the two seconds that its INFO leaves open."""
    with Node() as node:
        started = time.monotonic()
        until("two seconds have passed", lambda: time.monotonic() > started + 2.1)
        yield node


def first_answer(program: Program) -> httpx.Response:
    """What the program answers to its first question."""
    return httpx.get(program.address() + "/metrics", timeout=20)


def test_what_ended_processes_counted_is_there_at_once(node: Node, tmp_path: Path) -> None:
    """README's example as it is pasted: two processes that ended, then the exporter, then one question."""
    (example,) = re.findall(r"```python\n(import fleetmeter\nfrom prometheus_client.*?)```", README, re.DOTALL)
    (tmp_path / "count.py").write_text(example)
    store = StoreAddress(node.url, "default")
    for _ in range(2):
        subprocess.run([sys.executable, str(tmp_path / "count.py")], env=environment(store), check=True)
    with Programs() as programs:
        answer = first_answer(programs.exporter(store))
    assert answer.status_code == 200, answer.text
    for line in re.findall(r"^(?:orders|revenue)\S* \S+$", README, re.MULTILINE):
        assert f"\n{line}\n" in answer.text


def test_after_a_roll_back_living_replicas_have_their_time(node: Node) -> None:
    """If the store went back just before the start, the exporter waits until the replica has sent that again."""
    store = StoreAddress(node.url, "ns")
    replica = Replica(store)
    counter = replica.counter("jobs")
    counter.inc(1)
    assert replica.flush()
    node.run("SAVE")
    counter.inc(2)
    assert replica.flush()
    node.kill()
    node.start().ready()
    with Programs() as programs:
        program = programs.exporter(store)
        answer = first_answer(program)
        assert answer.status_code == 503
        assert "started just now" in answer.text
        counter.inc(4)
        assert replica.flush()
        assert "jobs_total 7\n" in program.get("/metrics").text
    replica.close()
