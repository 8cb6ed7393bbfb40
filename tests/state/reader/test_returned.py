"""Since when a series counts: its family's registration, or its return after a removal."""

from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import Counter, Histogram

import fleetmeter
from fleetmeter.cli.command import main
from fleetmeter.reader.returned import telling_number
from support.fleet import families
from support.store import StoreAddress

OVERFLOW = "__overflow__"


@pytest.fixture
def jobs() -> Counter:
    """A counter with two series."""
    counter = Counter("r_jobs", "x", ["kind"], registry=None)
    counter.labels("a").inc(3)
    counter.labels("b").inc(4)
    return counter


def returned(address: StoreAddress, name: str = "r_jobs") -> dict[str, int]:
    """When series came back, µs, by their only label value."""
    return {labels[0][1]: time for labels, time in families(address)[name].returned_us.items()}


def store_now(client: Any) -> int:
    """The store's clock, µs."""
    seconds, micros = client.time()
    return int(seconds) * 10**6 + int(micros)


def test_a_series_counts_from_its_return(installed: StoreAddress, client: Any, jobs: Counter) -> None:
    """Whoever was not removed counts from the registration, as before; the time is that of the return."""
    fleetmeter.flush()
    jobs.remove("a")
    fleetmeter.flush()
    assert returned(installed) == {}
    gone = store_now(client)
    jobs.labels("a").inc()
    jobs.labels("b").inc()
    fleetmeter.flush()
    assert set(returned(installed)) == {"a"}
    assert gone < returned(installed)["a"] <= store_now(client)
    back = returned(installed)["a"]
    jobs.labels("a").inc()
    fleetmeter.flush()
    assert returned(installed) == {"a": back}


@pytest.mark.parametrize("numbers", ["fields", "packed"])
@pytest.mark.parametrize("full", [False, True])
def test_the_series_of_what_is_too_much_came_when_it_did(
    store: StoreAddress, client: Any, numbers: str, *, full: bool
) -> None:
    """After a removal, a series whose labels are `__overflow__` is new like any other, recorded as such or not."""
    fleetmeter.install(
        url=store.url, namespace=store.namespace, flush_interval=60.0, replica="here", max_series=20, numbers=numbers
    )
    try:
        jobs = Counter("r_jobs", "x", ["kind"], registry=None)
        for number in range(21 if full else 20):
            jobs.labels(str(number)).inc()
        jobs.labels("0").inc()
        fleetmeter.flush()
        jobs.remove("0")
        fleetmeter.flush()
        gone = store_now(client)
        jobs.labels(OVERFLOW if not full else "new").inc()
        jobs.labels("newer").inc()
        fleetmeter.flush()
        times = returned(store)
        assert set(times) == ({"new"} if full else {OVERFLOW, "newer"}), times
        assert all(gone < time <= store_now(client) for time in times.values())
    finally:
        fleetmeter.uninstall()


def test_removed_and_back_in_one_batch(installed: StoreAddress, client: Any, jobs: Counter) -> None:
    """The removal comes first."""
    fleetmeter.flush()
    gone = store_now(client)
    jobs.clear()
    jobs.labels("a").inc()
    fleetmeter.flush()
    assert set(returned(installed)) == {"a"}
    assert gone < returned(installed)["a"]


def test_another_bucket_is_no_return(installed: StoreAddress) -> None:
    """A histogram's series that stayed gets a number that it had not; one that came back has several numbers."""
    waits = Histogram("r_wait", "x", ["kind"], registry=None, buckets=(1, 5))
    waits.labels("a").observe(0.5)
    waits.labels("b").observe(0.5)
    fleetmeter.flush()
    waits.remove("a")
    waits.labels("b").observe(4)
    fleetmeter.flush()
    waits.labels("a").observe(4)
    waits.labels("b").observe(9)
    fleetmeter.flush()
    assert set(returned(installed, "r_wait")) == {"a"}


def test_a_family_that_was_forgotten_is_another_one(installed: StoreAddress, client: Any) -> None:
    """It is registered anew, and nothing is left of when its series had come back."""
    waits = Histogram("r_wait", "x", registry=None, buckets=(1, 5))
    waits.observe(0.5)
    fleetmeter.flush()
    forgotten = store_now(client)
    assert main(["forget", "r_wait", "--yes", "--url", installed.url, "--namespace", installed.namespace]) == 0
    waits.observe(0.5)
    fleetmeter.flush()
    found = families(installed)["r_wait"]
    assert found.returned_us == {}
    assert found.first_us > forgotten


@pytest.mark.parametrize("remove", [lambda jobs: jobs.remove("a"), lambda jobs: jobs.clear()])
def test_a_name_with_a_space(installed: StoreAddress, client: Any, remove: Callable[[Counter], None]) -> None:
    """It comes and goes like any other, with its exemplars."""
    jobs = Counter("r my jobs", "x", ["kind"], registry=None)
    jobs.labels("a").inc(3, {"trace": "1"})
    fleetmeter.flush()
    for _ in range(2):
        assert client.hlen(installed.keys.exemplars) == 1
        remove(jobs)
        fleetmeter.flush()
        assert [client.hlen(key) for key in (installed.keys.exemplars, installed.keys.returned)] == [0, 1]
        jobs.labels("a").inc(1, {"trace": "2"})
        gone = store_now(client)
        fleetmeter.flush()
        assert gone < returned(installed, "r my jobs")["a"]


@pytest.mark.parametrize("remove", [lambda jobs: jobs.remove("a"), lambda jobs: jobs.clear()])
def test_a_second_removal_takes_the_time_along(
    installed: StoreAddress, client: Any, jobs: Counter, remove: Callable[[Counter], None]
) -> None:
    """Nothing of what is gone stays on record but that there was something."""
    for _ in range(2):
        fleetmeter.flush()
        remove(jobs)
        fleetmeter.flush()
        assert len(client.hgetall(installed.keys.returned)) == 1
        jobs.labels("a").inc()
    fleetmeter.flush()
    assert len(client.hgetall(installed.keys.returned)) == 2


@pytest.mark.parametrize(("labels", "left"), [(["kind=a"], {"a", "mark"}), ([], set())])
def test_forgetting(installed: StoreAddress, client: Any, jobs: Counter, labels: list[str], left: set[str]) -> None:
    """An operator's removal counts like one by code; with its family goes all that was known of its series."""
    where = ["--yes", "--url", installed.url, "--namespace", installed.namespace]
    fleetmeter.flush()
    assert main(["forget", "r_jobs", "kind=a", *where]) == 0
    jobs.labels("a").inc()
    fleetmeter.flush()
    assert set(returned(installed)) == {"a"}
    assert main(["forget", "r_jobs", *labels, *where]) == 0
    field = families(installed)["r_jobs"].definition.field if labels else ""
    record = {name.decode() for name in client.hgetall(installed.keys.returned)}
    assert record == ({field} if labels else set())
    jobs.labels("a").inc()
    fleetmeter.flush()
    assert set(returned(installed)) == left - {"mark"}


@pytest.mark.parametrize(
    ("field", "has_part", "telling"),
    [
        (b'["a","b"]', False, b'["a","b"]'),
        (b'["a","0.5"]', True, b'["a","sum"]'),
        (b'["+Inf"]', True, b'["sum"]'),
        (b"[]", False, b"[]"),
    ],
)
def test_the_number_that_tells_of_a_series(field: bytes, has_part: bool, telling: bytes) -> None:
    """A series of several numbers is told by its sum."""
    assert telling_number(field, has_part=has_part) == telling
