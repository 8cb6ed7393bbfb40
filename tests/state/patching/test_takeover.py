"""install() and uninstall() at run time: metrics that exist are taken over, and given back."""

import gc
import math
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import ClassVar

from prometheus_client import (
    Counter,
    Gauge,
    Histogram,
    Info,
    Summary,
    values,
)

import fleetmeter
from fleetmeter.process.installation import current
from support.everything import Everything, fleet_of_one, stock_samples
from support.fleet import families, installation, samples, value
from support.store import StoreAddress


def test_metrics_made_before_install_are_taken_over_with_their_counts(store: StoreAddress) -> None:
    """What this process has counted so far counts in the fleet, and goes on counting on the same objects."""
    expected = stock_samples()
    everything = Everything()
    childless = Counter("e_childless", "Nobody yet.", ["k"], registry=None)
    held = everything.labelled.labels(a="1", b="2")
    everything.record()
    with installation(store):
        assert everything.own() == expected
        assert fleetmeter.flush()
        assert fleet_of_one(store) == expected
        assert families(store)["e_childless"].definition.help == "Nobody yet."
        held.inc()
        everything.counter.inc()
        childless.labels("v")
        assert fleetmeter.flush()
        assert value(store, "e_calls_total", a="1", b="2") == 3.5
        assert value(store, "e_jobs_total") == 2


def test_uninstall_puts_everything_back(store: StoreAddress) -> None:
    """The client is as it was, metrics go on with this process's totals, and nothing more reaches the store."""
    expected = stock_samples()
    owners = (values, Counter, Gauge, Histogram, Summary, Info)
    names = ("ValueClass", "_metric_init", "inc", "observe", "info")
    before = [owner.__dict__.get(name) for owner in owners for name in names]
    created = Counter("e_old", "x", registry=None)
    born = created._created
    with installation(store):
        everything = Everything()
        everything.record()
        assert [owner.__dict__.get(name) for owner in owners for name in names] != before
    assert [owner.__dict__.get(name) for owner in owners for name in names] == before
    assert everything.own() == expected
    assert fleet_of_one(store) != {}
    assert created._created == born
    handed_over = samples(store)
    everything.record()
    assert type(everything.counter._value).__module__ == "prometheus_client.values"
    assert everything.own()[("e_jobs_total", frozenset())] == 2
    assert samples(store) == handed_over


def test_install_again_counts_nothing_twice(store: StoreAddress) -> None:
    """What an ended installation handed over is not handed over again; what was counted in between is."""
    counter = Counter("e_again", "x", registry=None)
    money = Counter("e_again_usd", "x", registry=None)
    seconds = Histogram("e_again_seconds", "x", registry=None, buckets=(1,))
    for number in (1, 2, 3):
        with installation(store):
            counter.inc()
            money.inc(0.1)
            seconds.observe(0.3)
        assert value(store, "e_again_total") == 2 * number - 1
        counter.inc()
        money.inc(0.1)
        seconds.observe(0.3)
    assert value(store, "e_again_usd_total") == 0.5
    assert value(store, "e_again_seconds_sum") == 1.5
    assert value(store, "e_again_seconds_count") == 5
    assert counter._value.get() == 6


def test_a_counter_that_was_reset_takes_nothing_from_the_fleet(store: StoreAddress) -> None:
    """`reset()` is a logical restart of this process: its own total begins at 0, the fleet's goes on upwards.

    Before install, in it (also within a block), and between two of them.
    """
    counter = Counter("e_reset", "x", registry=None)
    money = Counter("e_reset_usd", "x", registry=None)
    counter.inc(100)
    counter.reset()
    counter.inc(1)
    with installation(store):
        for metric in (counter, money):
            metric.inc(2)
            metric.reset()
        with fleetmeter.atomic():
            counter.inc(4)
            counter.reset()
            counter.inc(8)
        assert (counter._value.get(), money._value.get()) == (8, 0)
        assert fleetmeter.flush()
        assert value(store, "e_reset_total") == 15
        counter.reset()
        counter.inc(16)
    assert value(store, "e_reset_total") == 31
    assert counter._value.get() == 16
    counter.reset()
    counter.inc(3)
    with installation(store):
        counter.inc(0.5)
    assert counter._value.get() == 3.5
    assert value(store, "e_reset_total") == 34.5
    assert value(store, "e_reset_usd_total") == 2


def test_totals_that_are_not_finite_do_not_stop_install(store: StoreAddress) -> None:
    """The stock client takes `observe(inf)`: such a sum stays behind, its counts come along; a gauge keeps its NaN."""
    histogram = Histogram("e_inf", "x", registry=None, buckets=(1,))
    histogram.observe(math.inf)
    counter = Counter("e_nan", "x", registry=None)
    counter.inc(math.nan)
    gauge = Gauge("e_nan_gauge", "x", registry=None, multiprocess_mode="mostrecent")
    gauge.set(math.nan)
    with installation(store):
        assert fleetmeter.flush()
        shown = samples(store)
        assert shown[("e_inf_count", frozenset())] == 1
        assert shown[("e_inf_sum", frozenset())] == 0
        assert shown[("e_nan_total", frozenset())] == 0
        assert math.isnan(shown[("e_nan_gauge", frozenset())])


class Evasive:
    """A lazy object, as frameworks have them: asking for its class loads it."""

    loaded = False

    @property  # type: ignore[misc]  # frameworks do it like this
    def __class__(self) -> type:
        Evasive.loaded = True
        raise RuntimeError("working outside of context")


def test_install_looks_at_other_peoples_objects_without_touching_them(store: StoreAddress) -> None:
    """Lazy proxies are not loaded, and proxies of dead objects do not make install() fail."""

    class Target:
        pass

    target = Target()
    dead = weakref.proxy(target)
    del target
    lazy = Evasive()
    gc.collect()
    Evasive.loaded = False
    with installation(store):
        pass
    assert not Evasive.loaded
    assert type(dead) is weakref.ProxyType
    assert type(lazy) is Evasive


def test_threads_that_record_while_fleetmeter_is_installed_get_no_error(store: StoreAddress) -> None:
    """install() and uninstall() at run time do not break an application that is recording."""
    counter = Counter("e_busy", "x", registry=None)
    histogram = Histogram("e_busy_h", "x", registry=None)
    summary = Summary("e_busy_s", "x", registry=None)
    stop = threading.Event()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            while not stop.is_set():
                counter.inc()
                histogram.observe(1)
                summary.observe(1)
        except BaseException as error:  # noqa: BLE001  whatever it is, it must not happen
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            with installation(store):
                pass
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []


class Watched(Histogram):
    """A histogram that notes the ids of the objects that are initialised."""

    initialised: ClassVar[list[int]] = []

    def _metric_init(self) -> None:
        Watched.initialised.append(id(self))
        super()._metric_init()


def test_a_metric_in_use_is_never_half_made(store: StoreAddress) -> None:
    """Its new values are made beside it and change places in one step: no thread sees a histogram without buckets."""
    Watched.initialised.clear()
    histogram = Watched("e_watched", "x", registry=None, buckets=(1,))
    histogram.observe(0.5)
    with installation(store):
        histogram.observe(0.5)
    histogram.observe(0.5)
    assert [made == id(histogram) for made in Watched.initialised] == [True, False, False]
    assert histogram._buckets[0].get() == 3


def test_the_machinerys_counts_of_a_former_installation_are_not_counted_again(store: StoreAddress) -> None:
    """Whether the objects of an ended installation are still in memory makes no difference to the next one."""
    with installation(store):
        former = current()
        counter = Counter("e_former", "x", registry=None)
        for _ in range(5):
            counter.inc()
            assert fleetmeter.flush()
    assert former is not None
    other = StoreAddress(store.url, f"{store.namespace}-2")
    with installation(other):
        Counter("e_latter", "x", registry=None).inc()
    # Its only batch counts once it is acknowledged. What other tests left may make it two, as conflicts are told then.
    assert value(other, "fleetmeter_flushes_total") in (0, 1)


MULTIPROCESS = """
from prometheus_client import Counter
import fleetmeter

counter = Counter("e_mmap", "x", registry=None)
counter.inc(4)
assert type(counter._value).__name__ == "MmapedValue"
fleetmeter.install()
counter.inc()
fleetmeter.uninstall()
"""


def test_a_process_in_multiprocess_mode_is_taken_over(store: StoreAddress, tmp_path: Path) -> None:
    """What stands in this process's files of the client's own multiprocess mode counts in the fleet."""
    environ = {**store.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", MULTIPROCESS], env=environ, check=True, timeout=60)
    assert value(store, "e_mmap_total") == 5
