"""Budgets and breakers of several replicas, each a process of its own, with one that is killed."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from support.breaker_worker import CONFIG, DEPLOYMENT
from support.guards import USD
from support.spender import LIMIT_USD
from support.store import StoreAddress

TESTS = Path(__file__).parents[2]
REPLICAS = 3
TASKS = 200


@contextmanager
def child(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process of a module of the tests; killed at the end if it still lives."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, "PYTHONPATH": str(TESTS)}, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    with process:
        try:
            yield process
        finally:
            process.kill()


def write_line(process: subprocess.Popen[str], line: str) -> None:
    """Give a process a line to read."""
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def read_line(process: subprocess.Popen[str]) -> str:
    """The next line that a process writes."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def sums(ledger: Path) -> tuple[int, int]:
    """What a replica's calls have cost, and the bounds of those that it had not settled, in nano-dollars."""
    lines = ledger.read_text().splitlines()
    return sum(int(line) for line in lines if line[0] not in "+-"), sum(int(line) for line in lines if line[0] in "+-")


@pytest.mark.long
def test_three_replicas_and_a_kill_stay_within_one_dollar(store: StoreAddress, tmp_path: Path) -> None:
    """200 callers in 3 processes, one of which is killed on the way, spend the limit and what was in flight at most."""
    ledgers = [tmp_path / f"{number}" for number in range(REPLICAS)]
    with ExitStack() as stack:
        replicas = [
            stack.enter_context(
                child(
                    "support.spender", store.url, store.namespace, str(ledger),
                    str(TASKS // REPLICAS + (number < TASKS % REPLICAS)), str(number),
                )
            )
            for number, ledger in enumerate(ledgers)
        ]  # fmt: skip
        for replica in replicas:
            assert read_line(replica) == "ready"
        for replica in replicas:
            write_line(replica, "begin")
        killed = replicas[0]
        while not ledgers[0].exists() or sums(ledgers[0])[0] < USD // 20:
            assert killed.poll() is None
            time.sleep(0.01)
        killed.kill()
        for replica in replicas[1:]:
            assert replica.wait(100) == 0
    limit = LIMIT_USD * USD
    spent = sum(sums(ledger)[0] for ledger in ledgers)
    in_flight = [sums(ledger)[1] for ledger in ledgers]
    assert in_flight[1:] == [0, 0]
    assert spent <= limit + in_flight[0]
    client = store.client()
    fields = {name.decode(): text.decode() for name, text in client.hgetall(store.keys.budget("month", "all")).items()}
    client.close()
    start = fields["@period"].partition(" ")[0]
    told, held = int(fields[f"{start} @spent"]), int(fields[f"{start} @held"])
    sys.stdout.write(f"spent {spent / USD} of {limit / USD} USD, of which {(spent - told) / USD} was not told; ")
    sys.stdout.write(f"the killed one had {in_flight[0] / USD} in flight\n")
    assert told + held <= limit
    assert 0 <= spent - told <= in_flight[0]
    assert told > limit - limit // 50  # all of it was of use, but for the last calls that did not fit
    assert held == 0  # the lease of the killed one is over: the others could not have ended otherwise


@pytest.mark.long
def test_one_replica_opens_the_circuit_for_all_and_one_probes(store: StoreAddress) -> None:
    """What one replica sees fail, all refuse within a second; then one call of the whole fleet tries it."""
    with ExitStack() as stack:
        replicas = [
            stack.enter_context(child("support.breaker_worker", store.url, store.namespace))
            for _ in range(REPLICAS)
        ]  # fmt: skip

        def read(number: int) -> tuple[str, float]:
            answer, _, at = read_line(replicas[number]).partition(" ")
            return answer, float(at)

        def told(number: int, line: str) -> tuple[str, float]:
            write_line(replicas[number], line)
            return read(number)

        def asked() -> list[str]:
            return [told(number, "ask")[0] for number in range(REPLICAS)]

        assert asked() == ["may"] * REPLICAS
        for number in (1, 2):
            write_line(replicas[number], "watch")
        failures = [told(0, "fail")[1] for _ in range(CONFIG.consecutive_failures)]
        refusals = [told(0, "ask"), read(1), read(2)]
        assert [answer for answer, _ in refusals] == ["refused"] * REPLICAS
        seconds = [at - failures[0] for _, at in refusals]
        sys.stdout.write(f"refused after {', '.join(f'{second:.3f}' for second in seconds)} s\n")
        assert asked() == ["refused"] * REPLICAS
        while "may" not in (answers := asked()):
            time.sleep(0.01)
        assert answers.count("may") == 1
        for _ in range(10):  # as long as the probe is under way
            assert asked() == ["refused"] * REPLICAS
            time.sleep(0.1)
        told(answers.index("may"), "succeed")
        while asked() != ["may"] * REPLICAS:
            time.sleep(0.01)
        assert circuit(store)[:2] == ["closed", "3"]


def circuit(store: StoreAddress) -> list[str]:
    """What the store has of the circuit."""
    client = store.client()
    text = client.hget(store.keys.circuits, DEPLOYMENT)
    client.close()
    return [] if text is None else text.decode().split(" ")
