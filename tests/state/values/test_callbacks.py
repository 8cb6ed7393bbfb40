"""Gauges with a function: each replica calls its own, nobody waits for one that blocks, failures are counted."""

import gc
import logging
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge

import fleetmeter
from fleetmeter.values import callbacks
from support.fleet import installation, samples, value
from support.processes import eventually
from support.store import StoreAddress


class Function:
    """Returns its answers one after the other, then the last one for ever."""

    def __init__(self, *answers: float) -> None:
        self.answers = list(answers)
        self.calls = 0
        self.threads: set[str] = set()

    def __call__(self) -> float:
        """The next answer."""
        self.calls += 1
        self.threads.add(threading.current_thread().name)
        self.last = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return self.last


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """No gauge goes from one test to the next: with a function it is part of a cycle, and may live for a while."""
    gc.collect()
    yield
    gc.collect()


@pytest.fixture
def gauge() -> Iterator[Gauge]:
    """A gauge of no registry; what is still held of it by then (a log holds tracebacks) has no function any more."""
    gauge = Gauge("f_size", "x", registry=None, multiprocess_mode="livesum")
    yield gauge
    gauge.__dict__.pop("_child_samples", None)


def test_flush_asks_the_function_and_sends_its_value(installed: StoreAddress, gauge: Gauge) -> None:
    """A process that flushes shows what its functions say now; the other ways to set such a gauge do nothing."""
    function = Function(5, 5.5, 6, 7, 8)
    gauge.set_function(function)
    assert fleetmeter.flush()
    assert value(installed, "f_size") == function.last >= 5
    gauge.set(100)
    gauge.inc()
    assert gauge._value.get() == function.last
    assert fleetmeter.flush()
    assert value(installed, "f_size") == function.last <= 8


def test_setting_a_function_makes_a_replica_and_it_is_called_by_itself(
    store: StoreAddress, gauge: Gauge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No flush and no other record is needed: it is called now and then, and what changed is handed over."""
    monkeypatch.setattr(callbacks, "EVERY", 0.05)
    numbers: list[float] = [3.0]
    fleetmeter.install(url=store.url, namespace=store.namespace, flush_interval=0.02)
    try:
        gauge.set_function(lambda: numbers[0])
        assert eventually(lambda: value(store, "f_size") == 3)
        numbers[0] = 4.0
        assert eventually(lambda: value(store, "f_size") == 4)
    finally:
        fleetmeter.uninstall()


def test_a_function_is_called_without_the_lock_and_may_record(installed: StoreAddress, gauge: Gauge) -> None:
    """It may do what application code may do: count, make children, flush."""
    counter = Counter("f_asked", "x", ["k"], registry=None)

    def function() -> float:
        counter.labels("a").inc()
        assert fleetmeter.flush()
        return 2.0

    gauge.set_function(function)
    assert fleetmeter.flush()
    assert eventually(lambda: bool(fleetmeter.flush() and value(installed, "f_size") == 2))
    assert (value(installed, "f_asked_total", k="a") or 0) >= 1


@pytest.fixture
def blocked(gauge: Gauge) -> Iterator[threading.Event]:
    """A function that blocks; the event lets it go."""
    go_on = threading.Event()
    gauge.set_function(lambda: float(go_on.wait()))
    yield go_on
    go_on.set()


def test_counts_do_not_wait_for_a_function_that_blocks(
    installed: StoreAddress, gauge: Gauge, request: pytest.FixtureRequest
) -> None:
    """Flushes arrive, uninstall() comes back, and the gauge shows nothing that nobody said."""
    request.getfixturevalue("blocked")
    counter = Counter("f_counted", "x", registry=None)
    for number in range(1, 4):
        counter.inc()
        assert fleetmeter.flush(timeout=1.0)
        assert value(installed, "f_counted_total") == number
    assert value(installed, "f_size") is None
    fleetmeter.uninstall()


@pytest.mark.parametrize("end", [fleetmeter.shutdown, fleetmeter.uninstall])
def test_a_value_that_comes_after_the_end_makes_no_replica(
    installed: StoreAddress, gauge: Gauge, request: pytest.FixtureRequest, end: Callable[[], object]
) -> None:
    """A function that blocked beyond shutdown() or uninstall() is heard no more."""
    go_on = request.getfixturevalue("blocked")
    before = set(threading.enumerate())
    end()
    go_on.set()
    for thread in before - {threading.current_thread()}:
        if thread.name.startswith("fleetmeter"):
            thread.join(10)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fleetmeter")]
    assert value(installed, "f_size") is None


@pytest.mark.parametrize("bad", [lambda: 1 / 0, lambda: "text", lambda: None, lambda: exec("raise SystemExit")])
def test_a_function_that_fails_is_counted_and_the_last_good_value_stays(
    installed: StoreAddress, gauge: Gauge, caplog: pytest.LogCaptureFixture, bad: Any
) -> None:
    """It is logged once a minute; other functions of the process are called as before."""
    answers: list[Any] = [lambda: 3.0]

    def function() -> float:
        answer: float = answers[0]()
        return answer

    gauge.set_function(function)
    other = Gauge("f_other", "x", registry=None, multiprocess_mode="livesum")  # kept, else it might end
    other.set_function(lambda: 8.0)
    assert fleetmeter.flush()
    assert value(installed, "f_size") == 3
    answers[0] = bad
    with caplog.at_level(logging.WARNING, "fleetmeter"):
        for _ in range(3):
            Counter("f_trigger", "x", registry=None).inc()
            assert fleetmeter.flush()
    assert value(installed, "f_size") == 3
    assert value(installed, "f_other") == 8
    assert (value(installed, "fleetmeter_rejected_values_total", reason="callback") or 0) >= 2
    assert [record.args[0] for record in caplog.records if isinstance(record.args, tuple)] == ["f_size"]


def test_this_process_shows_the_function_as_the_stock_client_does(store: StoreAddress) -> None:
    """Its own registry calls the function when it is collected, in the thread that collects."""
    registry = CollectorRegistry()
    function = Function(4)
    gauge = Gauge("f_here", "x", registry=registry)
    with installation(store):
        gauge.set_function(function)
        assert registry.get_sample_value("f_here") == 4
        assert threading.current_thread().name in function.threads
    assert registry.get_sample_value("f_here") == 4


def test_functions_set_before_install_are_taken_over_and_work_on_after_uninstall(store: StoreAddress) -> None:
    """One installation after the other calls the same function."""
    registry = CollectorRegistry()
    gauge = Gauge("f_early", "x", ["k"], registry=registry, multiprocess_mode="livesum")
    numbers = [1.0]
    gauge.labels("a").set_function(lambda: numbers[0])
    for number in (2.0, 3.0):
        numbers[0] = number
        with installation(store):
            assert fleetmeter.flush()
            assert value(store, "f_early", k="a") == number
        assert registry.get_sample_value("f_early", {"k": "a"}) == number


def test_a_forked_child_keeps_the_functions(installed: StoreAddress, gauge: Gauge) -> None:
    """Once it records it is a replica of its own, which calls them itself."""
    gauge.set_function(os.getpid)
    assert fleetmeter.flush()
    assert value(installed, "f_size") == os.getpid()
    pid = os.fork()
    if pid == 0:
        Counter("f_child", "x", registry=None).inc()
        told = eventually(lambda: fleetmeter.flush() and value(installed, "f_size") == os.getppid() + os.getpid())
        os._exit(0 if told else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_removed_gauges_function_is_called_no_more(installed: StoreAddress) -> None:
    """Neither while its parent lives nor for a child that somebody still holds."""
    gauge = Gauge("f_removed", "x", ["k"], registry=None, multiprocess_mode="livesum")
    held = gauge.labels("a")
    function = Function(1)
    held.set_function(function)
    assert fleetmeter.flush()
    assert value(installed, "f_removed", k="a") == 1
    gauge.clear()
    held.set_function(function)
    assert fleetmeter.flush()
    number = function.calls
    assert fleetmeter.flush()
    assert function.calls == number
    assert not [name for name, _ in samples(installed) if name == "f_removed"]


def test_a_gauge_shows_nothing_before_its_function_has_told(installed: StoreAddress, gauge: Gauge) -> None:
    """A 0 that nobody set would be wrong."""

    def function() -> float:
        raise LookupError("not yet")

    gauge.set_function(function)
    assert fleetmeter.flush()
    assert value(installed, "f_size") is None
