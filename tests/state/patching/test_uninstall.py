"""`uninstall()`: prometheus_client and the signal are as if we had never been there."""

import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary, values
from prometheus_client.metrics import MetricWrapperBase

import fleetmeter
from support.processes import eventually, fleet, value
from support.proxy import Fault, FaultProxy
from support.store import StoreAddress

OWNERS: tuple[Any, ...] = (values, MetricWrapperBase, Counter, Gauge, Histogram, Summary, Info, Enum)


@pytest.fixture
def sigterm() -> Iterator[Any]:
    """An application's own SIGTERM handler, and the number of its calls."""
    calls: list[int] = []
    former = signal.signal(signal.SIGTERM, lambda number, _: calls.append(number))
    yield calls
    signal.signal(signal.SIGTERM, former)


def install(store: StoreAddress) -> None:
    """Install for a namespace."""
    fleetmeter.install(url=store.url, namespace=store.namespace)


def test_the_classes_of_the_client_are_as_they_were(store: StoreAddress) -> None:
    """Every attribute of every hooked class is the identical object again."""
    before = [dict(vars(owner)) for owner in OWNERS]
    install(store)
    during = [dict(vars(owner)) for owner in OWNERS]
    fleetmeter.uninstall()
    after = [dict(vars(owner)) for owner in OWNERS]

    assert all(hooked != stock for hooked, stock in zip(during, before, strict=True))
    for stock, restored in zip(before, after, strict=True):
        assert restored.keys() == stock.keys()
        assert all(restored[name] is stock[name] for name in stock)


def test_metrics_go_on_with_this_process_own_totals(store: StoreAddress) -> None:
    """The stock objects have what was recorded before, during and after; the fleet what was recorded until the end."""
    registry = CollectorRegistry()
    jobs = Counter("jobs", "Jobs.", ["kind"], registry=registry)
    size = Histogram("size", "Sizes.", registry=registry)
    jobs.labels("a").inc(1)
    install(store)
    jobs.labels("a").inc(10)
    size.observe(2)
    fleetmeter.uninstall()
    jobs.labels("a").inc(100)
    size.observe(3)

    assert registry.get_sample_value("jobs_total", {"kind": "a"}) == 111
    assert registry.get_sample_value("size_sum") == 5
    samples = fleet(store)
    assert value(samples, "jobs_total", kind="a") == 11
    assert value(samples, "size_sum") == 2


def test_nothing_of_ours_runs_on(store: StoreAddress) -> None:
    """The flush thread is gone, and who installs again starts a new one."""
    before = set(threading.enumerate())
    for _ in range(2):
        install(store)
        Counter("again", "Records.", registry=None).inc()
        assert [thread.name for thread in set(threading.enumerate()) - before] == ["fleetmeter-flush"]
        fleetmeter.uninstall()
        assert set(threading.enumerate()) <= before
    assert value(fleet(store), "again_total") == 2


def test_threads_that_record_during_uninstall_start_nothing_anew(store: StoreAddress) -> None:
    """A busy thread goes on by the stock client; no flush thread is left, which would keep a dead replica alive."""
    counter = Counter("busy", "Records.", registry=None)
    done = threading.Event()

    def record() -> None:
        while not done.is_set():
            counter.inc()

    busy = threading.Thread(target=record)
    busy.start()
    before = set(threading.enumerate())
    for _ in range(5):
        install(store)
        fleetmeter.uninstall()
    left = set(threading.enumerate()) - before
    done.set()
    busy.join()

    assert not left


def test_the_signal_is_given_back(store: StoreAddress, sigterm: list[int]) -> None:
    """SIGTERM has the application's handler again, the identical object."""
    own = signal.getsignal(signal.SIGTERM)
    install(store)
    assert signal.getsignal(signal.SIGTERM) is not own
    fleetmeter.uninstall()

    assert signal.getsignal(signal.SIGTERM) is own


def test_a_handler_set_over_ours_is_left_alone_and_may_still_call_it(store: StoreAddress, sigterm: list[int]) -> None:
    """Who chained our handler reaches, through it, the application's first one, after `uninstall()` too."""
    install(store)
    ours: Any = signal.getsignal(signal.SIGTERM)

    def newer(number: int, frame: Any) -> None:
        ours(number, frame)

    signal.signal(signal.SIGTERM, newer)
    fleetmeter.uninstall()
    assert signal.getsignal(signal.SIGTERM) is newer
    signal.raise_signal(signal.SIGTERM)

    assert sigterm == [signal.SIGTERM]


def test_another_thread_may_uninstall(store: StoreAddress, sigterm: list[int]) -> None:
    """Only the main thread can set handlers: elsewhere ours stays, and does no more than to hand the signal on."""
    counter = Counter("elsewhere", "Records.", registry=None)
    install(store)
    counter.inc()
    thread = threading.Thread(target=fleetmeter.uninstall)
    thread.start()
    thread.join()
    counter.inc()
    signal.raise_signal(signal.SIGTERM)

    assert sigterm == [signal.SIGTERM]
    assert value(fleet(store), "elsewhere_total") == 1


def test_a_goodbye_that_is_asked_for_during_a_call_is_the_last_word(store: StoreAddress) -> None:
    """What was recorded since that call began is handed over before it: no writer is left that seems to live."""
    with FaultProxy(store.url) as proxy:
        fleetmeter.install(url=proxy.url("socket_timeout=5"), namespace=store.namespace, flush_interval=0.01)
        try:
            counter = Counter("u_late", "x", registry=None)
            counter.inc()
            assert fleetmeter.flush()
            proxy.arm(Fault.DELAY_REPLY, seconds=0.3)
            counter.inc()
            assert eventually(lambda: bool(proxy.fired))
            counter.inc()
        finally:
            fleetmeter.uninstall()
    client = store.client()
    rows = [text.split()[3] for field, text in client.hgetall(store.keys.writers).items() if field[:1] != b"@"]
    client.close()
    assert set(rows) == {b"goodbye"}
    assert value(fleet(store), "u_late_total") == 3
