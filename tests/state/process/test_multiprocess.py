"""The call shapes of prometheus_client's multiprocess mode: a value class, and a dead process that is marked."""

import inspect
import logging
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values
from prometheus_client.values import MultiProcessValue

import fleetmeter
from fleetmeter.multiprocess import RedisValue, mark_process_dead
from fleetmeter.process.installation import current
from fleetmeter.schema.definition import Definition
from support.fleet import Replica, families, samples, value
from support.processes import fleet, started
from support.store import StoreAddress


@pytest.fixture
def environ(store: StoreAddress, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreAddress]:
    """The environment names the store; the client's value class and the process are as before at the end."""
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    for name, text in {**store.environ, "FLEETMETER_REPLICA": "test", "FLEETMETER_FLUSH_INTERVAL": "60"}.items():
        monkeypatch.setenv(name, text)
    yield store
    fleetmeter.uninstall()


def test_a_program_for_multiprocess_mode_counts_for_the_fleet(store: StoreAddress) -> None:
    """Without install(): counts, a forked child's too, gauges by their mode, histograms with every bucket."""
    with started("value_class.py", store, "worker-7", FLEETMETER_REPLICA="host"):
        shown = fleet(store)
        assert shown[("m_calls_total", frozenset({("k", "a")}))] == 11
        assert [shown[("m_seconds_bucket", frozenset({("le", le)}))] for le in ("0.1", "1.0", "+Inf")] == [0, 1, 2]
        assert shown[("m_seconds_sum", frozenset())] == 5.5
        assert shown[("m_size_sum", frozenset())] == 3
        assert shown[("m_level", frozenset())] == 2  # the child has ended
        assert shown[("fleetmeter_replicas", frozenset())] == 1
        client = store.client()
        pids = {client.hget(key, "pid") for key in client.scan_iter(store.keys.writer("*"))}
        client.close()
        assert pids == {b"worker-7", b"child"}


def test_the_value_class_has_the_call_shape_of_the_clients_own(environ: StoreAddress) -> None:
    """Arguments of the maker and of the class, and the methods of a value."""
    assert list(inspect.signature(RedisValue).parameters) == list(inspect.signature(MultiProcessValue).parameters)
    made: Any = RedisValue()
    assert made._multiprocess is True
    cell = made("counter", "m_raw", "m_raw_total", ["k"], ["v"], "Raw.")
    assert {name for name in dir(values.MutexValue) if not name.startswith("_")} <= set(dir(cell))
    cell.inc(3)
    assert cell.get() == 3
    assert fleetmeter.flush()
    assert value(environ, "m_raw_total", k="v") == 3


def test_nothing_is_hooked_without_install(environ: StoreAddress) -> None:
    """Metrics of the stock value class, and the client's classes, stay as they are."""
    before = [Counter.inc, Histogram.observe, Gauge.set_function, Counter._metric_init]
    stock = Counter("m_stock", "x", registry=None)
    RedisValue()
    assert [Counter.inc, Histogram.observe, Gauge.set_function, Counter._metric_init] == before
    assert values.ValueClass is type(stock._value)
    stock.inc()
    assert fleetmeter.flush()
    assert samples(environ) == {}


def test_install_after_the_value_class_takes_the_rest_over_and_counts_nothing_twice(environ: StoreAddress) -> None:
    """One runtime: what was counted by the value class stays as it is, the other metrics join."""
    stock = Counter("m_stock", "x", registry=None)
    stock.inc(2)
    values.ValueClass = RedisValue()
    registry = CollectorRegistry()
    counter = Counter("m_cost", "x", registry=registry, unit="usd")
    histogram = Histogram("m_size", "x", registry=registry, buckets=(1,))
    counter.inc(5)
    histogram.observe(3)
    runtime = current()
    fleetmeter.install()
    assert current() is runtime
    counter.inc(1)
    histogram.observe(3)
    assert fleetmeter.flush()
    assert value(environ, "m_cost_usd_total") == 6
    assert value(environ, "m_size_count") == 2
    assert value(environ, "m_stock_total") == 2
    assert families(environ)["m_cost_usd"].definition.unit == "usd"
    fleetmeter.uninstall()
    counter.inc(1)
    assert registry.get_sample_value("m_cost_usd_total") == 7


def test_the_value_class_joins_what_install_has_set_up(environ: StoreAddress) -> None:
    """It records into the installed fleet, whatever the environment says."""
    elsewhere = StoreAddress(environ.url, f"{environ.namespace}-2")
    fleetmeter.install(url=elsewhere.url, namespace=elsewhere.namespace, flush_interval=60.0)
    values.ValueClass = RedisValue()
    counter = Counter("m_joined", "x", registry=None)
    counter.inc(4)
    Histogram("m_joined_size", "x", registry=None, buckets=(1, 2)).observe(1.5)
    assert fleetmeter.flush()
    assert value(elsewhere, "m_joined_total") == 4
    assert families(elsewhere)["m_joined_size"].definition.bounds == ("1.0", "2.0", "+Inf")
    assert samples(environ) == {}


def test_a_setting_that_cannot_be_used_is_told(environ: StoreAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the class is asked for, by the variable's name."""
    monkeypatch.setenv("FLEETMETER_NAMESPACE", "not a name")
    with pytest.raises(fleetmeter.SettingError, match="FLEETMETER_NAMESPACE"):
        RedisValue()


def test_a_process_that_is_marked_as_dead_no_longer_lives(store: StoreAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed without a word, its live gauges go at once; its counts and its other gauges stay."""
    for name, text in {**store.environ, "FLEETMETER_REPLICA": "host"}.items():
        monkeypatch.setenv(name, text)
    with started("value_class.py", store, "worker-7", FLEETMETER_REPLICA="host") as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert value(store, "m_level") == 2
    mark_process_dead("worker-8")
    monkeypatch.setenv("FLEETMETER_REPLICA", "another host")
    mark_process_dead("worker-7")
    assert value(store, "m_level") == 2
    monkeypatch.setenv("FLEETMETER_REPLICA", "host")
    mark_process_dead("worker-7")
    assert value(store, "m_level") is None
    assert value(store, "m_calls_total", k="a") == 11


def test_a_living_process_that_is_marked_by_mistake_lives_on(environ: StoreAddress) -> None:
    """Its next batch or heartbeat says that it does, and nothing of it is lost."""
    replica = Replica(environ)  # its pid is 1, its host `test`
    level: Any = replica.cell(Definition.of("m_level", "gauge", "x", "", (), (), "livesum"))
    level.set(3)
    counter = replica.counter("m_calls")
    counter.inc(1)
    assert replica.flush()
    mark_process_dead(1)
    assert value(environ, "m_level") is None
    counter.inc(1)
    assert replica.flush()
    assert value(environ, "m_level") == 3
    assert value(environ, "m_calls_total") == 2
    replica.close()


def test_marking_raises_nothing_where_the_store_is_away(
    environ: StoreAddress, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is called from servers' hooks, and a dead process drops out by itself anyway."""
    mark_process_dead(os.getpid())  # an empty namespace
    monkeypatch.setenv("FLEETMETER_REDIS_URL", "unix:///nowhere/at/all")
    with caplog.at_level(logging.WARNING, "fleetmeter"):
        mark_process_dead(4711)
    (line,) = caplog.messages
    assert "4711" in line


def test_removals_act_on_the_fleet(environ: StoreAddress) -> None:
    """Without install(), too: `remove`, `remove_by_labels` and `clear` take the series of all replicas away."""
    values.ValueClass = RedisValue()
    counters = [Counter(f"m_{name}", "x", ["k"], registry=None) for name in ("one", "some", "all")]
    stranger = Replica(environ)
    for counter in counters:
        for key in ("a", "b"):
            counter.labels(key).inc()
            stranger.counter(counter._name, labels=["k"], values=[key]).inc(5)
    assert fleetmeter.flush()
    assert stranger.flush()
    one, some, everything = counters
    one.remove("a")
    some.remove_by_labels({"k": "b"})
    everything.clear()
    assert fleetmeter.flush()
    left = {(name, *labels) for name, labels in samples(environ) if name.startswith("m_")}
    assert left == {("m_one_total", ("k", "b")), ("m_some_total", ("k", "a"))}
    stranger.close()


def test_removals_of_other_metrics_stay_what_they_were(environ: StoreAddress) -> None:
    """A metric that has stock values loses its child in this process, and a wrong call raises as ever."""
    stock = Counter("m_stock", "x", ["k"], registry=None)
    stock.labels("a").inc()
    remove = Counter.remove
    RedisValue()
    assert Counter.remove is not remove
    stock.remove("a")
    assert next(iter(stock.collect())).samples == []
    with pytest.raises(ValueError, match="label"):
        stock.remove("a", "b")
    fleetmeter.install()
    fleetmeter.uninstall()
    assert Counter.remove is remove
