"""Replicas that give batches tokens, beside replicas of the version before, which knows none: one state format.

`versions/before_tokens.zip` is that version: `state/fleetmeter` of commit 43a5757, without what a replica and a reader
do not need (cli, launch, llm, pricing).
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from fleetmeter.schema.rows import Row, rows_of
from fleetmeter.writer.housekeeping import SILENCE
from support.fleet import samples
from support.processes import PROGRAMS, environment
from support.store import StoreAddress

BEFORE = Path(__file__).parent / "versions" / "before_tokens.zip"


def test_an_old_version_takes_a_writer_that_packs_for_alive() -> None:
    """It reads `packed` in the place of `alive`, and does not miss the writer."""
    code = (
        "from fleetmeter.schema.rows import Row; row = Row.parse('w', '5 2 77 packed t1'); "
        "print(row.alive(77), row.said_goodbye, row.applied)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(BEFORE)}, capture_output=True, text=True, check=True
    )
    assert said.stdout == "True False 5\n"


class Process:
    """A replica of one version, which does what it is told, one thing at a time."""

    def __init__(self, store: StoreAddress, numbers: str, *, old: bool) -> None:
        variables = {
            "FLEETMETER_FLUSH_INTERVAL": "60", "FLEETMETER_REPLICA": "host", "FLEETMETER_NUMBERS": numbers,
        }  # fmt: skip
        if old:
            variables["PYTHONPATH"] = str(BEFORE)
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAMS / "versioned.py")],
            env=environment(store, **variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid, self.old = self._process.pid, old
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def does(self, *command: object) -> Any:
        """Its answer to a command."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(*command, file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def end(self) -> None:
        """End cleanly, with a goodbye."""
        self._process.communicate(timeout=20)
        assert self._process.returncode == 0

    def die(self) -> None:
        """End without a word."""
        with self._process:
            self._process.kill()


class Fleet:
    """Replicas of both versions on one namespace, and the ledger of what they recorded.

    `numbers` is how the new ones keep theirs; the old version knows fields only.
    """

    def __init__(self, store: StoreAddress, numbers: str) -> None:
        self._numbers = numbers
        self.client = store.client()
        self.keys = store.keys
        self._store = store
        self._processes = ExitStack()
        self.recorded: list[int] = []

    def start(self, *, old: bool) -> Process:
        """Another replica."""
        process = Process(self._store, self._numbers, old=old)
        self._processes.callback(process.die)
        return process

    def count(self, *processes: Process) -> None:
        """Each records an amount that nobody has recorded, and hands it over."""
        for process in processes:
            amount = len(self.recorded) + 1
            assert process.does("count", amount) is True
            self.recorded.append(amount)

    def check(self, *processes: Process) -> None:
        """Whoever reads sees the ledger: in either version, or in this one if numbers are packed."""
        readers = [process for process in processes if self._numbers == "fields" or not process.old]
        ours = {name: number for (name, labels), number in samples(self._store).items() if not labels}
        for shown in (ours, *(process.does("export") for process in readers)):
            total, events = sum(self.recorded), len(self.recorded)
            assert (shown["versioned_jobs_total"], shown["versioned_seconds_sum"]) == (total, total)
            assert shown["versioned_seconds_count"] == events

    def rows(self) -> dict[str, Row]:
        """Every writer's row."""
        found = rows_of(self.client.hgetall(self.keys.writers))
        return {writer.decode(): Row.parse(writer.decode(), text.decode()) for writer, text in found.items()}

    def row_of(self, process: Process) -> str:
        """The writer that a process is."""
        pids = {writer: self.client.hget(self.keys.writer(writer), "pid") for writer in self.rows()}
        (writer,) = (writer for writer, pid in pids.items() if pid == str(process.pid).encode())
        return writer

    def saved(self) -> Callable[[], None]:
        """What brings the namespace back to its present state."""
        state = {key: self.client.dump(key) for key in self._all_keys()}

        def restore() -> None:
            self.client.delete(*self._all_keys())
            for key, content in state.items():
                self.client.restore(key, 0, content)

        return restore

    def _all_keys(self) -> list[bytes]:
        pattern = self.keys.writers.removesuffix("writers").replace("{", "[{]") + "*"
        return list(self.client.scan_iter(match=pattern))

    def fold(self, process: Process, by: Process) -> str:
        """Let a process be silent for a day, and another one put its row away; its writer."""
        writer = self.row_of(process)
        now_us = time.time_ns() // 1000
        words = self.client.hget(self.keys.writers, writer).decode().split(" ")
        words[2] = str(now_us - int((SILENCE + 60) * 1e6))
        self.client.hset(self.keys.writers, writer, " ".join(words))
        epoch = self.client.hget(self.keys.writers, "@epoch").decode().split(" ")[0]
        by.does("sweep", epoch, now_us)
        assert writer not in self.rows()
        assert self.client.hexists(self.keys.retired, writer)
        return writer

    def close(self) -> None:
        """End what still runs."""
        self._processes.close()
        self.client.close()


@pytest.fixture(params=["packed", "fields"])
def fleet(store: StoreAddress, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """A namespace that nobody has written to, for new replicas with either format of numbers."""
    fleet = Fleet(store, request.param)
    yield fleet
    fleet.close()


def test_an_upgrade_and_its_roll_back_count_everything_once(fleet: Fleet) -> None:
    """Old replicas, old and new, new ones, both again, old ones: whoever reads sees what was recorded, at each step."""
    old = [fleet.start(old=True), fleet.start(old=True)]
    fleet.count(*old, *old)
    new = [fleet.start(old=False), fleet.start(old=False)]
    fleet.count(*new, *old, *new)
    fleet.check(*old, *new)
    tokens = {fleet.row_of(process): bool(fleet.rows()[fleet.row_of(process)].token) for process in (*old, *new)}
    assert list(tokens.values()) == [False, False, True, True]
    for process in old:
        process.end()
    fleet.count(*new)
    fleet.check(*new)
    back = fleet.start(old=True)
    fleet.count(back, *new, back)
    fleet.check(back, *new)
    new[0].end()
    new[1].die()
    fleet.count(back)
    fleet.check(back)


def test_both_versions_send_again_what_a_store_lost(fleet: Fleet) -> None:
    """The store goes back to a time when only old replicas were there, and to one when both were."""
    old = fleet.start(old=True)
    fleet.count(old)
    first = fleet.saved()
    new = fleet.start(old=False)
    fleet.count(new, old)
    second = fleet.saved()
    fleet.count(old, new, old, new)
    for restore in (second, first, second):
        restore()
        fleet.count(new, old)
        fleet.check(old, new)
    assert {row.given_up for row in fleet.rows().values()} == {0}


@pytest.mark.parametrize("sweeper_is_old", [True, False])
def test_a_row_that_the_other_version_put_away_is_taken_up(fleet: Fleet, *, sweeper_is_old: bool) -> None:
    """An old replica keeps a folded row's number without its token: the writer goes on from the number."""
    sleeper, sweeper = fleet.start(old=not sweeper_is_old), fleet.start(old=sweeper_is_old)
    fleet.count(sleeper, sleeper, sweeper)
    writer = fleet.fold(sleeper, sweeper)
    fleet.count(sleeper, sleeper)
    fleet.check(sleeper, sweeper)
    assert bool(fleet.rows()[writer].token) is sweeper_is_old


def test_an_old_replica_leaves_the_retired_number_of_a_new_one(fleet: Fleet) -> None:
    """It does not take the token behind the time for the time: a number is dropped for its age and nothing else."""
    sleeper, old, new = fleet.start(old=False), fleet.start(old=True), fleet.start(old=False)
    fleet.count(sleeper, old, new)
    fleet.fold(sleeper, new)
    before = fleet.client.hgetall(fleet.keys.retired)
    epoch = before[b"@epoch"].decode().split(" ")[0]
    old.does("sweep", epoch, time.time_ns() // 1000)
    assert fleet.client.hgetall(fleet.keys.retired) == before
    fleet.count(sleeper)
    fleet.check(old, new)


@pytest.mark.parametrize("speaker_is_old", [True, False])
def test_a_goodbye_for_a_process_of_the_other_version(fleet: Fleet, *, speaker_is_old: bool) -> None:
    """The row is marked, whatever the other version left in it, and what was counted stays."""
    gone, speaker = fleet.start(old=not speaker_is_old), fleet.start(old=speaker_is_old)
    fleet.count(gone, speaker)
    writer = fleet.row_of(gone)
    gone.die()
    speaker.does("goodbye", gone.pid)
    assert fleet.rows()[writer].said_goodbye
    assert not fleet.rows()[fleet.row_of(speaker)].said_goodbye
    fleet.check(speaker)
