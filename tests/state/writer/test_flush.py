"""Flushing and installing: when something is sent, and what the answers of these functions mean."""

import asyncio
import threading
import time
from typing import Any

import pytest
from prometheus_client import Counter, Gauge

import fleetmeter
from fleetmeter.process.installation import current
from fleetmeter.reader.reading import Reader
from fleetmeter.schema.definition import Definition
from fleetmeter.writer import flusher
from support.fleet import Replica, installation, samples, value
from support.store import StoreAddress


def wait_for(condition: object, seconds: float = 10.0) -> bool:
    """Whether a condition comes true in time."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return bool(condition())


def test_what_was_recorded_before_flush_is_in_the_store_after_it(installed: StoreAddress) -> None:
    """True means acknowledged."""
    counter = Counter("u_c", "x", registry=None)
    for expected in (1, 2, 3):
        counter.inc()
        assert fleetmeter.flush()
        assert value(installed, "u_c_total") == expected


def test_flush_of_what_cannot_be_sent_says_no(store: StoreAddress) -> None:
    """False after the time that was given; what was recorded is kept."""
    replica = Replica(store, "unix:///nowhere/store.sock")
    replica.counter("u_kept").inc(1)
    assert not replica.flush(0.05)
    assert not replica.flush(0)
    assert replica.flusher.has_work
    replica.close()


def test_flush_where_nothing_was_recorded_sends_nothing(store: StoreAddress) -> None:
    """A process is a replica once it records, and not before."""
    replica = Replica(store)
    replica.counter("u_nothing")
    assert replica.flush()
    client = store.client()
    assert client.exists(store.keys.writers) == 0
    client.close()
    replica.close()


def test_the_thread_sends_by_itself(store: StoreAddress) -> None:
    """Within the interval of the first record, without any call."""
    fleetmeter.install(url=store.url, namespace=store.namespace, flush_interval=0.02)
    try:
        counter = Counter("u_alone", "x", registry=None)
        counter.inc()
        assert wait_for(lambda: value(store, "u_alone_total") == 1)
        counter.inc()
        assert wait_for(lambda: value(store, "u_alone_total") == 2)
    finally:
        fleetmeter.uninstall()


def test_an_idle_writer_gives_signs_of_life(store: StoreAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """A heartbeat renews the row's time and moves no number."""
    monkeypatch.setattr(flusher, "HEARTBEAT", 0.05)
    replica = Replica(store, interval=0.02)
    replica.counter("u_idle").inc(1)
    assert replica.flush()
    reader = Reader(store.url, store.namespace)
    before = reader.read().rows[replica.writer.id]
    assert wait_for(lambda: reader.read().rows[replica.writer.id].heartbeat_us > before.heartbeat_us)
    assert reader.read().rows[replica.writer.id].applied == before.applied
    reader.close()
    replica.close()


def test_many_threads_may_flush_at_once(installed: StoreAddress) -> None:
    """Each call hands over what its thread recorded before it."""
    counter = Counter("u_many", "x", ["k"], registry=None)
    results = []

    def work(name: str) -> None:
        for expected in range(1, 6):
            counter.labels(name).inc()
            results.append(fleetmeter.flush(10) and (value(installed, "u_many_total", k=name) or 0) >= expected)

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 20


def test_asynchronous_code_can_flush(installed: StoreAddress) -> None:
    """`aflush` waits beside the event loop."""
    Counter("u_async", "x", registry=None).inc()
    assert asyncio.run(fleetmeter.aflush())
    assert value(installed, "u_async_total") == 1


def test_a_record_after_shutdown_is_handed_over_too(installed: StoreAddress) -> None:
    """Libraries go on recording while a process ends."""
    counter = Counter("u_late", "x", registry=None)
    counter.inc()
    assert fleetmeter.shutdown()
    runtime = current()
    assert runtime is not None
    assert not runtime._flusher.running()
    counter.inc()
    assert fleetmeter.flush()
    assert value(installed, "u_late_total") == 2


def test_without_install_everything_says_yes() -> None:
    """Nothing is waiting where nothing is collected."""
    assert current() is None
    assert fleetmeter.flush()
    assert fleetmeter.shutdown()
    assert asyncio.run(fleetmeter.aflush())
    fleetmeter.uninstall()


def test_install_with_the_same_settings_does_nothing(store: StoreAddress) -> None:
    """Libraries and applications may both call it."""
    with installation(store):
        runtime = current()
        fleetmeter.install(url=store.url, namespace=store.namespace, flush_interval=60.0, replica="here")
        assert current() is runtime


def test_install_with_other_settings_is_an_error(store: StoreAddress) -> None:
    """Two settings in one process are a mistake, which is told and changes nothing."""
    with installation(store):
        runtime = current()
        for other in ({"namespace": "other"}, {"url": "redis://elsewhere"}, {"replica": "x"}):
            settings: dict[str, Any] = {"url": store.url, "namespace": store.namespace, "replica": "here", **other}
            with pytest.raises(fleetmeter.InstallError, match=r"uninstall\(\) first"):
                fleetmeter.install(flush_interval=60.0, **settings)
        with pytest.raises(fleetmeter.SettingError, match=r"^flush_interval"):
            fleetmeter.install(flush_interval=-1)
        assert current() is runtime
        Counter("u_still", "x", registry=None).inc()
        assert fleetmeter.flush()
        assert value(store, "u_still_total") == 1


def test_a_failed_install_leaves_the_client_alone() -> None:
    """A setting that cannot be used is refused before anything is changed."""
    before = Counter.__dict__["inc"]
    with pytest.raises(fleetmeter.SettingError):
        fleetmeter.install(url="http://x")
    assert Counter.__dict__["inc"] is before
    assert current() is None


def test_the_time_at_which_a_gauge_was_set_is_the_stores(store: StoreAddress) -> None:
    """Of two writers the one that set last wins, even if it hands over first."""
    first, second = Replica(store), Replica(store)
    definition = Definition.of("u_recent", "gauge", "x", "", (), (), "mostrecent")
    for replica in (first, second):
        replica.counter("u_other").inc(1)
        assert replica.flush()
    earlier, later = first.cell(definition), second.cell(definition)
    earlier.set(1)
    time.sleep(0.02)
    later.set(2)
    assert second.flush()
    assert first.flush()
    assert samples(store)[("u_recent", frozenset())] == 2
    first.close()
    second.close()


def test_a_process_that_ends_is_no_replica_from_then_on(store: StoreAddress) -> None:
    """Its row says goodbye: what only living writers show goes at once, counts and other gauges stay."""
    with installation(store):
        Gauge("u_live", "x", registry=None, multiprocess_mode="livesum").set(3)
        Gauge("u_max", "x", registry=None, multiprocess_mode="max").set(4)
        Counter("u_c", "x", registry=None).inc(5)
        assert fleetmeter.flush()
        assert value(store, "u_live") == 3
    assert value(store, "u_live") is None
    assert (value(store, "u_max"), value(store, "u_c_total")) == (4, 5)


def test_a_goodbye_to_a_store_that_went_back_leaves_everything(store: StoreAddress) -> None:
    """What was recorded is sent again, and so is its definition, without which nobody could read it."""
    with installation(store):
        Counter("u_back", "x", registry=None).inc(5)
        assert fleetmeter.flush()
        client, keys = store.client(), store.keys
        rows = [field for field in client.hkeys(keys.writers) if field[:1] != b"@"]
        numbers = [key for stem in (keys.family("*"), *keys.packed("*")) for key in client.keys(stem)]
        client.hdel(keys.writers, *rows)
        client.delete(keys.families, *numbers)
        client.close()
    assert value(store, "u_back_total") == 5


def test_a_record_after_the_goodbye_is_another_writers(installed: StoreAddress) -> None:
    """The row that said goodbye will be dropped: nothing is recorded under its id any more."""
    counter = Counter("u_again", "x", registry=None)
    counter.inc()
    assert fleetmeter.shutdown()
    counter.inc(2)
    assert fleetmeter.flush()
    client = installed.client()
    rows = [text.split()[3] for field, text in client.hgetall(installed.keys.writers).items() if field[:1] != b"@"]
    client.close()
    assert sorted(rows) == [b"goodbye", b"packed"]
    assert value(installed, "u_again_total") == 3
