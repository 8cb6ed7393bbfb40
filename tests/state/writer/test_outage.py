"""A store that is away for a while: the application goes on as before, memory stays flat, and nothing is lost."""

import gc
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import Counter as CounterMetric
from prometheus_client import Gauge, Histogram, Summary

import fleetmeter
from fleetmeter.process.installation import current
from fleetmeter.process.runtime import Runtime
from support.fleet import samples
from support.node import Node
from support.processes import eventually, run
from support.proxy import FaultProxy
from support.store import StoreAddress

THREADS, ROUNDS = 4, 200
ROUTES = ("/a", "/b", "/c")
SHORT = "socket_timeout=0.2&socket_connect_timeout=0.2"


@pytest.fixture
def node() -> Iterator[Node]:
    """A server that keeps what it has when it ends."""
    with Node({"appendonly": "yes", "appendfsync": "always"}) as node:
        yield node


def _url(node: Node) -> str:
    return f"redis://127.0.0.1:{node.port}/0"


class Application:
    """Threads that record metrics of every kind, and what it should come to."""

    def __init__(self) -> None:
        self.calls = CounterMetric("o_calls", "x", ["route"], registry=None)
        self.spent = CounterMetric("o_spent_usd", "x", registry=None)
        self.latency = Histogram("o_latency_seconds", "x", ["route"], registry=None, buckets=(0.1, 1))
        self.work = Summary("o_work", "x", registry=None)
        self.busy = Gauge("o_busy", "x", registry=None, multiprocess_mode="sum")
        self.recorded = 0
        self._lock = threading.Lock()

    def record(self) -> None:
        """One round of records, by each of several threads at once; raises what they raise."""
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for turn in range(ROUNDS):
                    self._once(ROUTES[(number + turn) % len(ROUTES)])
            except BaseException as failure:  # noqa: BLE001  told where the thread is waited for
                failures.append(failure)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        self.recorded += THREADS * ROUNDS

    def _once(self, route: str) -> None:
        with fleetmeter.atomic():
            self.calls.labels(route).inc()
            self.latency.labels(route).observe(0.5)
        self.spent.inc(0.000000001)
        self.work.observe(2)
        self.busy.inc()

    def check(self, address: StoreAddress) -> None:
        """Every number of the fleet is exact."""
        totals: Counter[str] = Counter()
        for (name, labels), number in samples(address).items():
            if ("le", "0.1") not in labels and ("le", "+Inf") not in labels:
                totals[name] += number  # type: ignore[assignment]  # a float counts as well
        n = self.recorded
        assert totals["o_calls_total"] == totals["o_latency_seconds_count"] == totals["o_latency_seconds_bucket"] == n
        assert totals["o_latency_seconds_sum"] == n / 2
        assert totals["o_spent_usd_total"] == n / 10**9
        assert (totals["o_work_count"], totals["o_work_sum"]) == (n, 2 * n)
        assert totals["o_busy"] == n


def _held(runtime: Runtime) -> tuple[int, int, int, int]:
    """What the machinery holds: cells, dirty marks, blocks, and bytes for sending again."""
    accumulator = runtime.accumulator
    dirty = len(accumulator.changes.dirty) + len(accumulator.changes.quiet) + len(accumulator.changes.born)
    return len(accumulator._roster.cells), dirty, len(accumulator.open_blocks), runtime._exchange._writer.retained


def _runtime() -> Runtime:
    runtime = current()
    assert runtime is not None
    return runtime


def _errors() -> float:
    """Calls that failed, for whatever reason."""
    (family,) = [each for each in _runtime()._telemetry.registry.collect() if each.name == "fleetmeter_flush_errors"]
    return sum(sample.value for sample in family.samples if sample.name.endswith("_total"))


def _outage(node: Node, proxy: FaultProxy, kind: str) -> tuple[Callable[[], object], Callable[[], object]]:
    """How the store goes away, and how it comes back."""
    return {
        "stopped": (node.kill, lambda: node.start().ready()),
        "frozen": (node.freeze, node.thaw),
        "refused": (proxy.refuse, proxy.accept),
        "black hole": (lambda: proxy.lose(requests=1.0, replies=1.0), proxy.lose),
        "no replies": (lambda: proxy.lose(replies=1.0), proxy.lose),
    }[kind]


@pytest.mark.parametrize("kind", ["stopped", "frozen", "refused", "black hole", "no replies"])
def test_an_outage_costs_nothing(kind: str, node: Node) -> None:
    """Threads record without error, memory stays what it was, and afterwards every number is exact."""
    with FaultProxy(_url(node)) as proxy:
        address = StoreAddress(_url(node), "outage")
        gc.collect()  # or metrics of earlier tests would be taken over, and go while cells are counted
        fleetmeter.install(url=proxy.url(SHORT), namespace=address.namespace, flush_interval=0.01)
        try:
            application = Application()
            application.record()
            assert fleetmeter.flush(20)
            away, back = _outage(node, proxy, kind)
            away()
            application.record()
            assert eventually(lambda: _errors() >= 1)
            application.record()
            before = _held(_runtime())
            for _ in range(5):
                failed = _errors()
                application.record()
                assert eventually(lambda: _errors() > failed)  # noqa: B023  called before the next turn
                assert not fleetmeter.flush(0.0)
            after = _held(_runtime())
            assert (after[0], after[2:]) == (before[0], before[2:])
            assert after[1] <= after[0]  # no cell is noted twice
            back()
            assert fleetmeter.flush(30)
            assert fleetmeter.flush(30)
            application.check(address)
            application.record()
            assert fleetmeter.flush(30)
            application.check(address)
        finally:
            fleetmeter.uninstall()


def test_no_record_waits_for_a_call_that_hangs(node: Node) -> None:
    """Tens of thousands of records are made while one call to a silent store is under way."""
    with FaultProxy(_url(node)) as proxy:
        address = StoreAddress(_url(node), "hangs")
        fleetmeter.install(url=proxy.url("socket_timeout=30"), namespace=address.namespace, flush_interval=0.01)
        try:
            application = Application()
            application.record()
            assert fleetmeter.flush(20)
            proxy.lose(replies=1.0)
            application.record()
            exchange = _runtime()._exchange
            assert eventually(lambda: exchange.calling)
            for _ in range(10):
                application.record()
            assert exchange.calling
            assert _errors() == 0  # it is the same call still
            proxy.lose()
            proxy.refuse()  # ends the connection, and with it the call
            proxy.accept()
            assert fleetmeter.flush(30)
            assert fleetmeter.flush(30)
            application.check(address)
        finally:
            fleetmeter.uninstall()


@pytest.mark.parametrize(("how", "status", "said"), [("plain", 0, ""), ("error", 1, ""), ("durable", 0, "not durable")])
def test_a_process_ends_although_the_store_is_a_black_hole(
    how: str, status: int, said: str, store: StoreAddress
) -> None:
    """Within the stated time, with its own status, and the log says that something is left behind."""
    with FaultProxy(store.url) as proxy:
        proxy.lose(requests=1.0)
        url = proxy.url("socket_timeout=60&socket_connect_timeout=60")  # waits longer than anybody would
        ended = run("stranded.py", store, how, FLEETMETER_REDIS_URL=url)
    assert ended.returncode == status
    assert ended.stdout.startswith(said)
    assert "did not take everything" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_durable_block_that_failed_in_an_outage_counts_once_afterwards(node: Node) -> None:
    """Who is told NotDurable and does not record again has it right, whether the store is stopped or silent."""
    with FaultProxy(_url(node)) as proxy:
        address = StoreAddress(_url(node), "durable")
        fleetmeter.install(url=proxy.url(SHORT), namespace=address.namespace, flush_interval=0.01)
        try:
            counter: Any = CounterMetric("o_paid", "x", registry=None)
            reasons = []
            for kind in ("stopped", "black hole", "no replies", "refused"):
                away, back = _outage(node, proxy, kind)
                away()
                with pytest.raises(fleetmeter.NotDurable) as caught, fleetmeter.durable(timeout=0.7):
                    counter.inc()
                reasons.append(caught.value.reason)
                back()
                with fleetmeter.durable(timeout=30):
                    counter.inc()
            assert set(reasons) <= {"timeout", "unreachable"}
            assert samples(address)["o_paid_total", frozenset()] == 8
        finally:
            fleetmeter.uninstall()
