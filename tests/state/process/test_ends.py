"""How a script ends: nothing that it recorded is lost, and nothing is counted twice."""

import pytest

from support.processes import fleet, run, value
from support.store import StoreAddress

JOBS = {"end": 500, "sys.exit": 500, "raise": 500, "threads": 2500, "slow thread": 1000, "shutdown": 1000}
STATUS = {"sys.exit": 3, "raise": 1}


@pytest.mark.parametrize("way", JOBS)
def test_a_script_that_ends_has_handed_over_everything(way: str, store: StoreAddress) -> None:
    """Counters, money and histograms are exact after any end of the interpreter, and what never counted shows as 0."""
    ended = run("ends.py", store, way)

    assert ended.returncode == STATUS.get(way, 0), ended.stderr
    samples = fleet(store)
    assert value(samples, "jobs_total") == JOBS[way]
    assert value(samples, "cost_usd_total") == JOBS[way] / 10_000
    assert value(samples, "job_size_bucket", le="10.0") == JOBS[way]
    assert value(samples, "job_size_bucket", le="1.0") == 0
    assert value(samples, "job_size_sum") == 3 * JOBS[way]
    assert value(samples, "failures_total", reason="network") == 0
    assert ("RuntimeError: nobody handles this" in ended.stderr) == (way == "raise")


@pytest.mark.parametrize("way", ["end", "sys.exit", "raise"])
def test_exit_functions_that_run_after_ours_still_count(way: str, store: StoreAddress) -> None:
    """A record made by an exit function from before `install()`, which runs last, is handed over too."""
    run("ends.py", store, way)

    assert value(fleet(store), "late_total") == 7


def test_the_caller_hands_over_where_no_thread_can_be_had(store: StoreAddress) -> None:
    """A system that refuses to start a thread costs nothing but the time at the end."""
    ended = run("ends.py", store, "no thread to be had")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert value(fleet(store), "jobs_total") == 1000


def test_without_a_store_a_script_ends_as_it_would(store: StoreAddress) -> None:
    """An unreachable store delays the end and changes neither status nor output of the application."""
    ended = run("ends.py", store, "sys.exit", FLEETMETER_REDIS_URL="unix:///nonexistent/store.sock")

    assert ended.returncode == 3
    assert "Traceback" not in ended.stderr
