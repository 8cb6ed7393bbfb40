"""Why a scrape is held: the log, the page and the doctor tell somebody who does not know the source."""

import logging
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from fleetmeter.reader.continuity import Shown
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.reader.verdict import Cause, Reason, Verdict
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.rows import Epoch, Row
from fleetmeter_exporter.held import HoldLog
from support.commands import process
from support.exposition import total
from support.gateway import Programs
from support.node import Node, until
from support.scraping import FixedState
from support.store import StoreAddress

JOBS = Definition.of("jobs", "counter", "Jobs.", "", (), (), "")
EMPTY = Snapshot(1, None, {}, (), {}, {}, {"w": "pod-1:7"}, None)
LOWER = Cause(Verdict.BEHIND, Reason.ROW_LOWER, "E", "w", Row(9, 1, 5, False), Row(7, 0, 4, False), True, 2)
FRESH, HELD, RAISED = Shown(EMPTY), Shown(EMPTY, True, 3, LOWER), Shown(EMPTY, False, 2, LOWER)


class Clock:
    """Time that passes when a test says so."""

    now = 5.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, object]]]:
    """The level and the fields of each line since the last call."""
    found = [(record.levelname, vars(record)["fields"]) for record in caplog.records]
    caplog.clear()
    return found


@pytest.fixture
def node() -> Iterator[Node]:
    """A store whose dumps a test takes."""
    with Node() as node:
        yield node


def test_a_hold_has_a_line_when_it_begins_and_one_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    """The first names what was found, the last how long it took and how it ended; between them there is none."""
    caplog.set_level(logging.INFO)
    clock = Clock()
    log = HoldLog("ns", 30.0, clock)
    for shown in (FRESH, HELD, HELD):
        log.tell(shown)
    assert lines(caplog) == [
        (
            "WARNING",
            {
                "namespace": "ns", "hold_seconds": 30.0, "numbers": 3, "reason": "row_lower", "epoch": "E",
                "writers": 2, "writer": "w", "replica": "pod-1:7",
                "row_served": "9 (1 given up)", "row_found": "7", "folded": True,
            },
        )
    ]  # fmt: skip
    clock.now += 4.25
    for shown in (FRESH, FRESH):
        log.tell(shown)
    assert lines(caplog) == [("INFO", {"namespace": "ns", "seconds": 4.25, "outcome": "caught_up", "numbers": 0})]


def test_a_hold_that_was_in_vain_says_what_is_shown_then(caplog: pytest.LogCaptureFixture) -> None:
    """Its end is a warning, and there is one line more when the store has caught up."""
    caplog.set_level(logging.INFO)
    clock = Clock()
    log = HoldLog("ns", 30.0, clock)
    log.tell(HELD)
    clock.now += 30
    log.tell(RAISED)
    clock.now += 7
    log.tell(FRESH)
    _, ended, caught_up = lines(caplog)
    assert ended == ("WARNING", {"namespace": "ns", "seconds": 30.0, "outcome": "still_behind", "numbers": 2})
    assert caught_up == ("INFO", {"namespace": "ns", "seconds": 7.0})


def test_a_hold_that_a_new_epoch_ends_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing was sent again: the store came back without a dump, and counting began anew."""
    log = HoldLog("ns", 30.0, Clock())
    log.tell(HELD)
    log.tell(Shown(replace(EMPTY, epoch=Epoch("F", 1, 1))))
    assert lines(caplog)[-1] == (
        "WARNING", {"namespace": "ns", "seconds": 0.0, "outcome": "began_anew", "numbers": 0},
    )  # fmt: skip


def test_numbers_that_are_missing_without_a_hold_are_told_with_their_cause(caplog: pytest.LogCaptureFixture) -> None:
    """An evicted key is no roll-back: no row went back."""
    HoldLog("ns", 30.0).tell(Shown(EMPTY, False, 4, Cause(Verdict.AHEAD, Reason.NUMBERS_LOWER, "E")))
    assert lines(caplog) == [
        ("WARNING", {"namespace": "ns", "numbers": 4, "reason": "numbers_lower", "epoch": "E"})
    ]  # fmt: skip


def count(node: Node, store: StoreAddress, applied: int, jobs: int) -> None:
    """What the one writer's batch of that number leaves."""
    seconds, micros = node.run("TIME")
    with FixedState(store) as state:
        state.family(JOBS, {(): jobs})
    node.run("HSET", store.keys.writers, "w", f"{applied} 0 {seconds}{int(micros):06} alive")


def test_a_real_roll_back(node: Node) -> None:
    """A dump, more counts, a kill, a start from the dump: every place says what is held, why and until when."""
    store = StoreAddress(node.url, "ns")
    count(node, store, 1, 1)
    node.run("SAVE")
    count(node, store, 2, 3)
    with Programs() as programs:
        exporter = programs.exporter(store, "--hold", "600")
        assert total(exporter.samples(), "jobs_total") == 3
        node.kill()
        node.start().ready()
        held = exporter.samples()
        assert (total(held, "jobs_total"), total(held, "fleetmeter_snapshot_held")) == (3, 1)
        assert total(held, "fleetmeter_snapshot_held_reason", reason="row_lower") == 1
        assert total(held, "fleetmeter_snapshot_held_reason") == 1
        begun = exporter.output().splitlines()[-1]
        assert "level=warning" in begun
        assert "reason=row_lower epoch=epoch writers=1 writer=w" in begun
        assert "row_served=2 row_found=1 folded=false" in begun
        said = process(store, "doctor").stdout
        assert "1 of 1 writer not heard from since: w" in said
        assert "fleetmeter_snapshot_held_reason, and its log, say why" in said
        at = time.monotonic()
        until("INFO's whole seconds are over", lambda: time.monotonic() > at + 2)
        count(node, store, 3, 7)
        after = exporter.samples()
        assert (total(after, "jobs_total"), total(after, "fleetmeter_snapshot_held")) == (7, 0)
        assert total(after, "fleetmeter_snapshot_held_reason") == 0
        assert "outcome=caught_up numbers=0" in exporter.output().splitlines()[-1]
        assert "every writer that has not ended was heard from since" in process(store, "doctor").stdout
