"""The gateway under load, in short: a store that restarts loses no count, a killed replica what it held at most."""

import asyncio
from pathlib import Path

import pytest

from soak.fleet import CONFIG, running
from soak.memory import Memory
from soak.objects import CLASSIFIER, FILE, left_behind
from soak.runs import minutes, requests


def test_every_call_is_counted_while_the_store_restarts() -> None:
    """Calls, retries, tokens and money are the upstream's ledger, exactly; nothing is lost for a client."""
    report = minutes(6.0, share=0.5, kill=False)
    assert report.problems() == []
    assert report.tally.lost == 0
    assert report.tally.statuses[200] > 50


def test_a_killed_replica_loses_what_it_had_not_handed_over_at_most() -> None:
    """The rest of the fleet goes on; the other counts are all there, and no money is shown that was not billed."""
    report = minutes(9.0, share=0.5)
    assert report.problems() == []
    assert report.tally.statuses[200] > 50


def test_each_request_of_many_is_counted() -> None:
    """Requests and gets of the cache are what was sent, and each call has its tokens."""
    report = requests(1000)
    assert report.problems() == []
    assert report.tally.statuses == {200: 1000}
    assert report.kept > 0


def test_requests_leave_no_object_behind(tmp_path: Path) -> None:
    """Of 200 requests of every kind, answered, failed, refused and left, not one object for two of them stays.

    In the first parts what is bounded still fills up, such as the log for sending again; a leak is in each of them.
    """
    environ = {FILE: str(tmp_path / "objects"), "PYTHONPATH": str(Path(__file__).parents[1])}
    with running(1, f'classifier = "{CLASSIFIER}"\n{CONFIG}', **environ) as fleet:
        assert asyncio.run(left_behind(fleet, parts=16, rounds=10)) < 100


def test_a_slope_is_that_of_the_settled_part() -> None:
    """What a process takes at its start is no leak; what it takes again and again is one."""
    flat = Memory(1, [(place, 80.0 if place > 20 else 60.0 + place) for place in range(100)])
    leak = Memory(1, [(place, 60.0 + place / 10) for place in range(100)])
    assert flat.slope == pytest.approx(0.0)
    assert leak.slope == pytest.approx(0.1)
