"""atomic(): together or not at all, without a lock over anybody's code."""

import asyncio
import threading
from collections.abc import Generator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, Summary

import fleetmeter
from fleetmeter.process.installation import current
from fleetmeter.process.transaction import add_together
from support.fleet import samples, value
from support.processes import fleet, run
from support.store import StoreAddress


class Metrics:
    """One metric of each kind."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.counter = Counter("a_counter", "x", registry=registry)
        self.gauge = Gauge("a_gauge", "x", registry=registry, multiprocess_mode="sum")
        self.histogram = Histogram("a_histogram", "x", registry=registry, buckets=(1,))
        self.summary = Summary("a_summary", "x", registry=registry)
        self.info = Info("a", "x", registry=registry)

    def record(self) -> None:
        """One record of each."""
        self.counter.inc()
        self.gauge.inc()
        self.histogram.observe(0.5)
        self.summary.observe(0.5)
        self.info.info({"k": "v"})

    def pending(self) -> int:
        """How many records the process's own totals show, from 0 to 5."""
        own = self.registry.get_sample_value
        found = (own("a_counter_total"), own("a_gauge"), own("a_histogram_count"), own("a_summary_count"))
        return sum(int(number or 0) for number in found)


@pytest.fixture
def metrics(installed: StoreAddress) -> Metrics:
    """Metrics of an installed process."""
    return Metrics()


def test_nothing_is_added_before_the_end_and_everything_at_it(metrics: Metrics, installed: StoreAddress) -> None:
    """Records of every kind wait for the end of the block."""
    with fleetmeter.atomic():
        metrics.record()
        assert metrics.pending() == 0
        assert not fleetmeter.flush(), "what stands in the block is not handed over, and flush says so"
        assert value(installed, "a_counter_total") in (None, 0)
    assert metrics.pending() == 4
    assert fleetmeter.flush()
    found = samples(installed)
    names = ("a_counter_total", "a_gauge", "a_histogram_count", "a_histogram_sum", "a_summary_count", "a_summary_sum")
    assert [found[(name, frozenset())] for name in names] == [1, 1, 1, 0.5, 1, 0.5]
    assert found[("a_info", frozenset({("k", "v")}))] == 1


def test_a_block_inside_another_joins_it(metrics: Metrics) -> None:
    """The inner block's end adds nothing yet; what is recorded after it still belongs to the outer one."""
    with fleetmeter.atomic():
        metrics.counter.inc()
        with fleetmeter.atomic():
            metrics.counter.inc()
        metrics.counter.inc()
        assert metrics.pending() == 0
    assert metrics.pending() == 3


def test_a_block_that_fails_adds_its_records(metrics: Metrics) -> None:
    """What happened has happened, and the exception reaches the caller."""

    def fail() -> None:
        with fleetmeter.atomic():
            metrics.counter.inc()
            with fleetmeter.atomic():
                metrics.counter.inc()
                raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert metrics.pending() == 2
    metrics.counter.inc()
    assert metrics.pending() == 3


def test_another_threads_records_are_its_own(metrics: Metrics) -> None:
    """A block collects what its own context records; a thread beside it counts at once."""
    with fleetmeter.atomic():
        metrics.counter.inc()
        thread = threading.Thread(target=metrics.counter.inc)
        thread.start()
        thread.join()
        assert metrics.pending() == 1
    assert metrics.pending() == 2


def test_no_lock_is_held_over_the_block(metrics: Metrics) -> None:
    """Another thread records, opens blocks and flushes while a block is open."""
    done = threading.Event()

    def other() -> None:
        with fleetmeter.atomic():
            metrics.record()
        assert fleetmeter.flush()
        done.set()

    with fleetmeter.atomic():
        thread = threading.Thread(target=other, daemon=True)
        thread.start()
        assert done.wait(10)


def test_a_block_spans_awaits_and_gathers_its_tasks(metrics: Metrics) -> None:
    """Tasks started inside, and threads that carry the context, belong to the block; tasks beside it do not."""

    async def main() -> None:
        async def beside() -> None:
            await asyncio.sleep(0)
            metrics.counter.inc()

        other = asyncio.create_task(beside())
        with fleetmeter.atomic():
            metrics.counter.inc()
            await asyncio.gather(*(asyncio.create_task(beside()) for _ in range(3)))
            await asyncio.to_thread(metrics.counter.inc)
            await other
            assert metrics.pending() == 1
        assert metrics.pending() == 6

    asyncio.run(main())


def test_a_task_that_outlives_its_block_counts_at_once(metrics: Metrics) -> None:
    """Its later records are not lost with the block, and blocks of its own still hold together."""

    async def main() -> None:
        step = asyncio.Event()
        seen = []

        async def late() -> None:
            with fleetmeter.atomic():
                metrics.counter.inc()
                await step.wait()
                metrics.counter.inc()
                seen.append(metrics.pending())
            seen.append(metrics.pending())
            metrics.counter.inc()
            seen.append(metrics.pending())

        with fleetmeter.atomic():
            metrics.counter.inc()
            task = asyncio.create_task(late())
            await asyncio.sleep(0)
        assert metrics.pending() == 1
        step.set()
        await task
        assert seen == [1, 3, 4]

    asyncio.run(main())


def test_a_task_of_an_inner_block_belongs_to_the_outer_one_while_that_is_open(metrics: Metrics) -> None:
    """The inner block's end does not let a task's records out of the outer block."""

    async def main() -> None:
        async def late() -> None:
            await asyncio.sleep(0)
            metrics.counter.inc()

        with fleetmeter.atomic():
            with fleetmeter.atomic():
                task = asyncio.create_task(late())
            await task
            assert metrics.pending() == 0
        assert metrics.pending() == 1

    asyncio.run(main())


def test_a_closed_block_keeps_no_records(metrics: Metrics) -> None:
    """A task that lives long does not hold the memory of the block it was started in."""
    runtime = current()
    assert runtime is not None
    block = runtime.accumulator.begin()
    metrics.counter.inc()
    runtime.accumulator.commit(block)
    assert (block.records, runtime.accumulator.open_blocks) == ([], set())


def test_an_error_in_a_record_is_raised_where_it_is_made(metrics: Metrics) -> None:
    """Misuse inside a block fails at its line, and costs no other record."""
    wrong: Any = "x"
    with fleetmeter.atomic():
        metrics.counter.inc()
        for record in (metrics.counter.inc, metrics.gauge.inc, metrics.gauge.set, metrics.histogram.observe):
            with pytest.raises((TypeError, ValueError)):
                record(wrong)
        with pytest.raises(ValueError, match="non-negative"):
            metrics.counter.inc(-1)
        metrics.counter.inc()
    assert metrics.pending() == 2


def test_without_install_it_does_nothing() -> None:
    """Code that uses it runs where fleetmeter is not installed."""
    counter = Counter("plain_counter", "x", registry=None)
    with fleetmeter.atomic():
        counter.inc()
        assert counter._value.get() == 1


def test_a_block_open_at_uninstall_keeps_its_records(store: StoreAddress) -> None:
    """A block that began while fleetmeter was installed ends well after it is gone."""
    fleetmeter.install(url=store.url, namespace=store.namespace, flush_interval=60)
    counter = Counter("left_counter", "x", registry=None)
    with fleetmeter.atomic():
        fleetmeter.uninstall()
        counter.inc()
    assert counter._value.get() == 1


def test_a_suspended_generator_hides_nothing(
    metrics: Metrics, installed: StoreAddress, caplog: pytest.LogCaptureFixture
) -> None:
    """Its block takes its caller's records too; `flush()` says that they are not handed over; its end adds them."""

    def suspended() -> Generator[None, None, None]:
        with fleetmeter.atomic():
            metrics.counter.inc()
            yield

    generator = suspended()
    next(generator)
    metrics.counter.inc(10)
    assert not fleetmeter.flush()
    assert "generator" in caplog.text
    assert value(installed, "a_counter_total") in (None, 0)
    with fleetmeter.atomic():
        metrics.counter.inc(100)
        generator.close()
        metrics.counter.inc(1000)
        assert metrics.registry.get_sample_value("a_counter_total") == 11, "the inner block is still whole"
    assert fleetmeter.flush()
    assert value(installed, "a_counter_total") == 1111


def test_a_block_that_grows_for_long_is_told_of(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    """Once, when it holds ten thousand records."""
    with fleetmeter.atomic():
        for _ in range(10_001):
            metrics.counter.inc()
    assert caplog.text.count("holds 10000 records") == 1


def test_the_end_of_a_process_closes_what_a_generator_left_open(store: StoreAddress) -> None:
    """What its block holds is handed over: there is no later moment."""
    ended = run("finalising.py", store, "block")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert fleet(store)["counted_total", frozenset({("by", "main")})] == 8


def both(metrics: Metrics) -> None:
    """A count and an observation in one step."""
    add_together([(metrics.counter, 1)], [(metrics.histogram, 0.5)])


def test_additions_together_are_in_one_batch(metrics: Metrics) -> None:
    """Whoever drains while others add finds as many counts as observations, each time, and all in the end."""
    runtime = current()
    assert runtime is not None
    metrics.counter.inc(0)
    metrics.histogram.observe(0.5)
    accumulator, adding, found = runtime.accumulator, threading.Event(), []
    with accumulator.lock:  # nothing is sent meanwhile
        start = metrics.pending()

    def add() -> None:
        for _ in range(3_000):
            both(metrics)
        adding.set()

    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
    while not adding.is_set():
        with accumulator.lock:  # what a drain takes
            found.append(metrics.registry.get_sample_value("a_counter_total") == metrics.histogram._sum.get() / 0.5 - 1)
    for thread in threads:
        thread.join()
    assert all(found)
    assert metrics.pending() - start == 12_000


def test_additions_together_wait_for_the_end_of_an_open_block(metrics: Metrics) -> None:
    """They are records of the block around them like any other."""
    with fleetmeter.atomic():
        both(metrics)
        assert metrics.pending() == 0
    assert metrics.pending() == 2


def test_additions_together_wake_the_machinery_without_the_lock(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first records of a process may be such: whoever is woken may wait for a thread that needs the lock."""
    runtime = current()
    assert runtime is not None
    accumulator, free = runtime.accumulator, []

    def take() -> None:
        free.append(accumulator.lock.acquire(timeout=2))
        if free[-1]:
            accumulator.lock.release()

    def wake() -> None:
        thread = threading.Thread(target=take)
        thread.start()
        thread.join()

    monkeypatch.setattr(accumulator, "wake", wake)
    accumulator.rest()
    both(metrics)
    both(metrics)
    assert free == [True]
    assert metrics.pending() == 4


def test_additions_together_without_install(store: StoreAddress) -> None:
    """They go to the stock client."""
    metrics = Metrics()
    both(metrics)
    assert metrics.pending() == 2
