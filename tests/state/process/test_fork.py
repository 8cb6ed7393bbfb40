"""Forks and multiprocessing: a child is a replica of its own, and everybody's records count once."""

import sys

import pytest

from support.processes import eventually, fleet, run, value
from support.store import StoreAddress

THREADS_OF_ITS_OWN = {"PYTHONWARNINGS": "ignore:This process:DeprecationWarning"}
"""For programs that fork beside threads which are not ours: Python 3.12 and later warns of those."""


@pytest.mark.parametrize(
    ("way", "total"),
    [
        ("after counting", 11),
        ("after a flush", 11),
        ("in an atomic block", 11),
        ("grandchild", 111),
        ("terminated child", 11),
        ("uninstalled child", 11),
    ],
)
def test_what_was_recorded_before_a_fork_is_the_parents(way: str, total: int, store: StoreAddress) -> None:
    """The parent counts 10 and its child 1: the fleet has 11, whenever the fork came."""
    ended = run("fork.py", store, way)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert value(fleet(store), "counted_total") == total


def test_an_interrupt_while_a_child_starts_leaves_no_half_of_it(store: StoreAddress) -> None:
    """A signal handler that raises amid our fork hook waits for its end, so the parent's 10 do not count twice."""
    ended = run("fork.py", store, "interrupted child")

    assert ended.returncode == 0
    assert "KeyboardInterrupt" in ended.stderr
    assert value(fleet(store), "counted_total") == 11


def test_a_fork_while_other_threads_record_is_exact_and_blocks_nobody(store: StoreAddress) -> None:
    """Fifteen forks under three busy threads: no child inherits a held lock, and no record is lost or copied."""
    ended = run("fork.py", store, "while threads record", **THREADS_OF_ITS_OWN)

    assert (ended.returncode, ended.stderr) == (0, "")
    samples = fleet(store)
    assert value(samples, "counted_total") == int(ended.stdout) > 0
    assert value(samples, "counted_by_total", who="child") == 15


def test_threads_may_fork_at_the_same_time(store: StoreAddress) -> None:
    """Three threads fork 25 children each, all at once: nobody blocks, and each record counts once."""
    ended = run("fork.py", store, "from several threads", **THREADS_OF_ITS_OWN)

    assert (ended.returncode, ended.stderr) == (0, "")
    samples = fleet(store)
    assert value(samples, "counted_total") == 10 + 75
    assert value(samples, "counted_by_total", who="child") == 75


@pytest.mark.parametrize(
    ("method", "use", "installer"),
    [
        ("fork", "processes", "main"),
        ("fork", "pool", "main"),
        ("fork", "terminated pool", "main"),
        ("fork", "pool", "work"),
        ("forkserver", "processes", "module"),
        ("forkserver", "pool", "work"),
        ("spawn", "processes", "module"),
        ("spawn", "pool", "work"),
    ],
)
def test_children_of_multiprocessing_hand_over_when_they_end(
    method: str, use: str, installer: str, store: StoreAddress
) -> None:
    """Such children run no exit functions, and still lose nothing, whatever starts them and whoever installs."""
    ended = run("pools.py", store, method, use, installer, FLEETMETER_FLUSH_INTERVAL="60")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert value(fleet(store), "counted_total") == 15


@pytest.mark.parametrize(
    ("where", "counts", "observed"),
    [
        ("children", 3, 3),
        ("parent, then children", 13, 13),
        ("children, then parent", 13, 13),
    ],
)
def test_what_a_preloading_parent_counted_counts_once_at_most(
    where: str, counts: int, observed: float, store: StoreAddress
) -> None:
    """Ten counts before the fork, one in each of three children: the ten are the parent's, if it is a replica."""
    ended = run("preload.py", store, where)

    assert (ended.returncode, ended.stderr) == (0, "")
    samples = fleet(store)
    assert value(samples, "counted_total") == counts
    assert value(samples, "work_seconds_sum") == observed
    assert value(samples, "late_total", k="a") == 3
    assert value(samples, "level") == 4


def test_a_daemon_counts_what_its_ended_parent_left_it(store: StoreAddress) -> None:
    """Nobody else is left to count it."""
    assert run("preload.py", store, "daemon").returncode == 0
    assert eventually(lambda: fleet(store).get(("counted_total", frozenset())) == 11)


@pytest.mark.parametrize(
    ("way", "total", "level"),
    [
        ("nothing before", 3, 3),
        ("counted before", 13, 8),
        *([("child half", 3, 3)] if sys.version_info < (3, 13) else []),  # a later Python aborts such a child itself
        ("in an atomic block", 13, 3),
        ("terminated", 3, 3),
    ],
)
def test_a_fork_that_python_is_not_told_of_is_noticed(way: str, total: int, level: float, store: StoreAddress) -> None:
    """Three children that C forked are writers of their own: their records count once, and the parent's too."""
    ended = run("c_fork.py", store, way)

    assert (ended.returncode, ended.stderr) == (0, "")
    samples = fleet(store)
    assert value(samples, "counted_total") == total
    assert value(samples, "size_sum") == 9
    assert value(samples, "level") == level
