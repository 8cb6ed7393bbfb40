"""What must not silence a process: odd amounts, long intervals, a thread that cannot be had, a store that is gone."""

import logging
import os
import threading
from typing import Any

import pytest
from prometheus_client import Counter, Histogram, Info

import fleetmeter
from fleetmeter.embedded import EmbeddedStore
from fleetmeter.process.installation import current
from fleetmeter.schema.rows import Row
from fleetmeter.writer import exchange, flusher
from support.fleet import installation, value
from support.processes import eventually
from support.store import StoreAddress


def test_an_amount_that_its_scale_cannot_hold_stops_nothing(installed: StoreAddress) -> None:
    """It is refused before any part of the observation is counted; everything else goes on."""
    seconds = Histogram("r_seconds", "x", registry=None)
    money = Histogram("r_usd", "x", registry=None)
    for histogram, amount in ((seconds, 1e303), (money, 1e285)):
        histogram.observe(0.5)
        histogram.observe(amount)
    assert fleetmeter.flush()
    seconds.observe(0.5)
    assert fleetmeter.flush()
    assert value(installed, "r_seconds_count") == 2
    assert value(installed, "r_usd_count") == 1
    assert value(installed, "r_usd_sum") == 0.5
    assert value(installed, "fleetmeter_rejected_values_total", reason="too_large") == 2


def test_a_cell_that_cannot_be_taken_blocks_no_other(installed: StoreAddress) -> None:
    """A defect in one number costs that number, is counted, and leaves the batch whole."""
    broken, sound = Counter("r_broken", "x", registry=None), Counter("r_sound", "x", registry=None)
    broken.inc()
    sound.inc()
    cell: Any = broken._value
    cell.pending = "no number"
    assert fleetmeter.flush()
    broken.inc(2)
    assert fleetmeter.flush()
    assert (value(installed, "r_broken_total"), value(installed, "r_sound_total")) == (2, 1)


def test_a_long_interval_does_not_make_a_replica_look_dead(
    store: StoreAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The heartbeat keeps its own time, and hands over nothing before it is due."""
    monkeypatch.setattr(flusher, "HEARTBEAT", 0.05)
    with installation(store):
        counter = Counter("r_beats", "x", registry=None)
        counter.inc()
        assert fleetmeter.flush()
        counter.inc()
        row = store.client().hgetall(store.keys.writers)
        assert eventually(lambda: store.client().hgetall(store.keys.writers) != row, within=10)
        assert value(store, "r_beats_total") == 1


def test_an_idle_writer_sends_signs_of_life_only(store: StoreAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats are no batches: the machinery's own metrics would otherwise feed on themselves."""
    monkeypatch.setattr(exchange, "HEARTBEAT", 0.02)
    fleetmeter.install(url=store.url, namespace=store.namespace, flush_interval=0.01)
    try:
        Counter("r_idle", "x", registry=None).inc()
        assert fleetmeter.flush()
        (first,) = rows(store)
        beats = {first.heartbeat_us}
        assert eventually(lambda: len(beats_of(store, beats)) > 4, within=10)
        assert [row.applied for row in rows(store)] == [first.applied]
    finally:
        fleetmeter.uninstall()


def rows(store: StoreAddress) -> list[Row]:
    """The rows of all writers."""
    found = store.client().hgetall(store.keys.writers)
    return [Row.parse(name.decode(), text.decode()) for name, text in found.items() if not name.startswith(b"@")]


def beats_of(store: StoreAddress, seen: set[int]) -> set[int]:
    """The heartbeats seen so far, with the present one."""
    seen |= {row.heartbeat_us for row in rows(store)}
    return seen


def test_a_thread_that_cannot_be_had_is_asked_for_again(store: StoreAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process at its limit of threads hands over as soon as it may have one."""
    monkeypatch.setattr(flusher, "START_PAUSE", 0.0)
    fleetmeter.install(url=store.url, namespace=store.namespace, flush_interval=0.05)
    try:
        counter = Counter("r_threads", "x", registry=None)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", _no_thread)
            counter.inc()
        counter.inc()
        assert eventually(lambda: value(store, "r_threads_total") == 2, within=10)
    finally:
        fleetmeter.uninstall()


def _no_thread(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_facts_are_true_of_a_forked_child(store: StoreAddress) -> None:
    """A child states what its parent stated, so that a service whose parent has gone still shows its version."""
    with installation(store):
        Info("r_build", "x", registry=None).info({"version": "7"})
        child = os.fork()
        if child == 0:
            Counter("r_work", "x", registry=None).inc()
            os._exit(0 if fleetmeter.flush() else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert value(store, "r_build_info", version="7") == 1  # the parent has handed over nothing yet


def test_what_is_left_behind_is_said(store: StoreAddress, caplog: pytest.LogCaptureFixture) -> None:
    """Who ends while the store is away is told that something is lost, and where it should have gone."""
    with EmbeddedStore() as other:
        fleetmeter.install(url=other.url, namespace=store.namespace, flush_interval=60)
    with caplog.at_level(logging.WARNING, "fleetmeter"):
        Counter("r_left", "x", registry=None).inc()
        runtime = current()
        assert runtime is not None
        assert not runtime.shutdown(0.1)
        fleetmeter.uninstall()
    assert [True for record in caplog.records if "did not take everything" in record.getMessage()]


def test_a_store_that_comes_back_empty_counts_what_it_lost(store: StoreAddress) -> None:
    """A restart without persistence is no new beginning that somebody asked for."""
    with installation(store):
        counter = Counter("r_wiped", "x", registry=None)
        for _ in range(3):
            counter.inc()
            assert fleetmeter.flush()
        client = store.client()
        for key in client.scan_iter(match=f"*{store.namespace}*"):
            client.delete(key)
        counter.inc()
        assert fleetmeter.flush()
        counter.inc()
        assert fleetmeter.flush()
        assert value(store, "r_wiped_total") == 2
        assert value(store, "fleetmeter_lost_batches_total") == 3
