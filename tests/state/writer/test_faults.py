"""Faults between a writer and its store: every count exact afterwards, and the application none the wiser."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

import fleetmeter
from fleetmeter.embedded import EmbeddedStore
from fleetmeter.process.installation import current
from fleetmeter.process.runtime import Runtime
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.rows import Row
from fleetmeter.writer.replay import ReplayLog
from support.fleet import Replica, samples, value
from support.proxy import Fault, FaultProxy
from support.store import StoreAddress

COST = Definition.of("f_cost_usd", "histogram", "x", "usd", (), ("1.0", "+Inf"), "")


@pytest.fixture
def proxy(store: StoreAddress) -> Iterator[FaultProxy]:
    """A proxy before the run's store."""
    with FaultProxy(store.url) as proxy:
        yield proxy


class Books:
    """A writer behind the proxy, and what it should come to."""

    def __init__(self, store: StoreAddress, proxy: FaultProxy) -> None:
        self.store = store
        self.replica = Replica(store, proxy.url("socket_timeout=0.2&socket_connect_timeout=0.2"))
        self.counter = self.replica.counter("f_requests")
        self.money = self.replica.counter("f_spent_usd", "usd")
        self.total: Any = self.replica.cell(COST, (), "sum")
        self.bucket: Any = self.replica.cell(COST, (), "1.0")
        self.events = 0

    def record(self) -> None:
        """One event in every family."""
        self.counter.inc(1)
        self.money.inc(0.000000001)
        self.total.inc(0.1)
        self.bucket.inc(1)
        self.events += 1

    def row(self) -> Row:
        """The writer's row."""
        client = self.store.client()
        text = client.hget(self.store.keys.writers, self.replica.writer.id).decode()
        client.close()
        return Row.parse("w", text)

    def check(self) -> None:
        """Every number in the store is exact."""
        shown = samples(self.store)
        assert shown[("f_requests_total", frozenset())] == self.events
        assert shown[("f_spent_usd_total", frozenset())] == self.events / 10**9
        assert shown[("f_cost_usd_sum", frozenset())] == self.events / 10
        assert shown[("f_cost_usd_bucket", frozenset({("le", "1.0")}))] == self.events
        assert shown[("f_cost_usd_count", frozenset())] == self.events


@pytest.fixture
def books(store: StoreAddress, proxy: FaultProxy) -> Iterator[Books]:
    """A writer whose first batch is in: the store knows it and its scripts."""
    books = Books(store, proxy)
    books.record()
    assert books.replica.flush()
    yield books
    books.replica.close()


@pytest.mark.parametrize("fault", list(Fault))
def test_one_fault_leaves_every_number_exact(fault: Fault, books: Books, proxy: FaultProxy) -> None:
    """A lost, late or cut-off call is sent again with the same number, and counts once."""
    proxy.arm(fault, seconds=0.4)
    books.record()
    assert books.replica.flush(10)
    assert proxy.fired == [fault]
    assert books.replica.writer.seq == 2
    assert (books.row().applied, books.row().given_up) == (2, 0)
    books.check()
    books.record()
    assert books.replica.flush()
    books.check()
    expected = "unreachable" if fault in (Fault.CUT_BEFORE, Fault.CUT_AFTER) else "timeout"
    assert (books.replica.errors(expected) or 0) >= 1  # a busy machine may add time-outs of its own
    assert books.replica.errors("foreign") == books.replica.errors("behind") == 0


@pytest.mark.parametrize("fault", list(Fault))
def test_a_fault_at_the_first_hello_does_no_harm(fault: Fault, store: StoreAddress, proxy: FaultProxy) -> None:
    """The first call of a writer's life may be lost like any other."""
    warm = Replica(store)
    warm.counter("warm").inc(1)
    assert warm.flush()
    warm.close()
    books = Books(store, proxy)
    proxy.arm(fault, seconds=0.4)
    books.record()
    assert books.replica.flush(10)
    assert proxy.fired == [fault]
    books.check()
    assert books.row().applied == 1
    books.replica.close()


def test_faults_in_a_row_leave_every_number_exact(books: Books, proxy: FaultProxy) -> None:
    """What is recorded between the tries waits, and is in no copy of the batch that is in flight."""
    for number in range(4):
        for fault in (Fault.LOSE_REPLY, Fault.CUT_AFTER, Fault.CUT_BEFORE):
            before = len(proxy.fired)
            proxy.arm(fault)
            books.record()
            # who says that it is done has met the fault on the way
            assert not books.replica.flush(0.02 * number) or len(proxy.fired) > before
            books.record()
    assert books.replica.flush(10)
    assert books.replica.flush(10)
    books.check()
    assert books.row().applied == books.replica.writer.seq


def test_counts_catch_up_after_an_outage(books: Books, proxy: FaultProxy) -> None:
    """While connections are refused everything is kept, one number per series; afterwards it is handed over."""
    proxy.refuse()
    for _ in range(100):
        books.record()
    assert not books.replica.flush(0.2)
    for _ in range(100):
        books.record()
    proxy.accept()
    assert books.replica.flush(10)
    assert books.replica.flush(10)
    books.check()
    assert books.row().applied == 3  # the batch that was in flight, and one for all the rest


def test_counts_survive_a_store_that_is_full_for_a_while() -> None:
    """A refusal writes nothing; the same batch goes in once there is room."""
    with EmbeddedStore(options={"maxmemory-policy": "noeviction"}) as server:
        address = StoreAddress(server.url, "full")
        client = address.client()
        replica = Replica(address)
        counter = replica.counter("f_full")
        counter.inc(1)
        assert replica.flush()
        client.config_set("maxmemory", "1")
        counter.inc(2)
        assert not replica.flush(0.2)
        assert value(address, "f_full_total") == 1
        client.config_set("maxmemory", "0")
        counter.inc(4)
        assert replica.flush(10)
        assert replica.flush(10)
        assert value(address, "f_full_total") == 7
        assert (replica.errors("refused") or 0) > 0
        replica.close()
        client.close()


def test_a_store_that_forgot_everything_gets_what_is_new() -> None:
    """A namespace that is gone begins anew with what was not acknowledged, every series at 0 included."""
    with EmbeddedStore() as server:
        address = StoreAddress(server.url, "gone")
        replica = Replica(address)
        counter, idle = replica.counter("f_gone"), replica.counter("f_idle")
        counter.inc(5)
        idle.inc(1)
        assert replica.flush()
        client = address.client()
        client.delete(*client.keys("{fm:gone:0}*"))
        client.close()
        counter.inc(2)
        assert replica.flush()
        assert replica.flush()
        assert (value(address, "f_gone_total"), value(address, "f_idle_total")) == (2, 0)
        assert (replica.errors("epoch"), replica.errors("behind")) == (1, 0)
        replica.close()


@pytest.mark.parametrize("packs", [True, False], ids=["packed", "fields"])
@pytest.mark.parametrize(("kept", "total", "lost"), [(8 * 2**20, 5, 0), (0, 2, 3)])
def test_a_rolled_back_store_gets_again_what_it_lost(
    kept: int, total: int, lost: int, store: StoreAddress, *, packs: bool
) -> None:
    """A row behind what was acknowledged: what is kept is sent again, and only what is not is lost, and counted."""
    replica = Replica(store, packs=packs)
    replica.writer.log = ReplayLog(keep_bytes=kept)
    counter = replica.counter("f_back")
    client = store.client()
    counter.inc(1)
    assert replica.flush()
    before = {key: client.dump(key) for key in client.keys(store.keys.writers.removesuffix("writers") + "*")}
    for _ in range(3):
        counter.inc(1)
        assert replica.flush()
    for key, content in before.items():
        client.restore(key, 0, content, replace=True)
    counter.inc(1)
    assert replica.flush()
    assert value(store, "f_back_total") == total
    assert replica.telemetry.registry.get_sample_value("fleetmeter_lost_batches_total") == lost
    assert client.hget(store.keys.writers, replica.writer.id).startswith(b"6 %d " % lost)  # the definitions followed
    client.close()
    replica.close()


def test_a_family_whose_definition_is_gone_is_defined_again(store: StoreAddress) -> None:
    """Forgotten by an operator, or evicted: the next count in it brings it back, in whatever process."""
    replica = Replica(store)
    counter = replica.counter("f_forgotten")
    counter.inc(1)
    assert replica.flush()
    client = store.client()
    client.delete(store.keys.families)
    client.close()
    counter.inc(2)
    assert replica.flush()
    assert value(store, "f_forgotten_total") == 3
    replica.close()


def test_a_foreign_use_of_an_id_costs_nothing(store: StoreAddress) -> None:
    """Two processes that woke up from one image: the second takes another id, and both their counts are in."""
    first, second = Replica(store), Replica(store)
    second.writer.id = first.writer.id
    one, two = first.counter("f_twins"), second.counter("f_twins")
    for _ in range(3):
        one.inc(1)
        assert first.flush()
        two.inc(10)
        assert second.flush()
    assert value(store, "f_twins_total") == 33
    assert second.errors("foreign") == 1
    assert first.writer.id != second.writer.id
    first.close()
    second.close()


@pytest.mark.parametrize("packs", [True, False], ids=["packed", "fields"])
def test_a_value_that_the_store_refuses_is_counted_and_blocks_nobody(store: StoreAddress, *, packs: bool) -> None:
    """A count that no slot can hold, or a foreign key under one family: the others go on, the refusal is told."""
    replica = Replica(store, packs=packs)
    good = replica.counter("f_good")
    bad = replica.cell(Definition.of("f_bad", "histogram", "", "", (), ("1.0", "+Inf"), ""), (), "1.0")
    client = store.client()
    if not packs:
        client.set(store.keys.family(bad.definition.field), "text")
    bad.inc(2**63)
    good.inc(1)
    assert replica.flush()
    assert replica.flush()
    rejected = replica.telemetry.registry.get_sample_value("fleetmeter_rejected_values_total", {"reason": "store"})
    assert rejected == 1
    client.delete(store.keys.family(bad.definition.field))
    assert value(store, "f_good_total") == 1
    client.close()
    replica.close()


@pytest.mark.parametrize("foreign", [0, 1, 2], ids=["numbers", "series", "names"])
def test_a_foreign_key_in_a_packed_layout_makes_room(store: StoreAddress, foreign: int) -> None:
    """Somebody's key in the place of one of the three: the layout begins anew, counts, and costs the others nothing."""
    replica = Replica(store)
    taken, good = replica.counter("f_taken"), replica.counter("f_good")
    with store.client() as client:
        client.zadd(store.keys.packed(taken.definition.field)[foreign], {"text": 1})
    for _ in range(2):
        taken.inc(1)
        good.inc(1)
        assert replica.flush()
    assert (value(store, "f_taken_total"), value(store, "f_good_total")) == (2, 2)
    replica.close()


class SocketGuard:
    """Notes what the thread that made it does with sockets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.touched: list[str] = []
        self._thread = threading.get_ident()
        self._on = True
        for name in ("connect", "connect_ex", "send", "sendall", "recv", "recv_into"):
            monkeypatch.setattr(socket, "socket", self._guarded(socket.socket, name))

    def off(self) -> None:
        """Watch no more."""
        self._on = False

    def _guarded(self, base: type, name: str) -> type:
        guard = self

        def method(self: Any, *args: Any) -> Any:
            if guard._on and threading.get_ident() == guard._thread:
                guard.touched.append(name)
            return getattr(base, name)(self, *args)

        return type("socket", (base,), {name: method})


@pytest.mark.parametrize("trouble", ["nobody", "refused", "password", "silent"])
def test_the_application_never_waits_and_never_fails(
    trouble: str, store: StoreAddress, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records of every kind, new children and blocks: no exception and no I/O in the calling thread, whatever fails."""
    url = proxy.url()
    if trouble == "nobody":
        url = "unix:///nowhere/store.sock"
    elif trouble == "refused":
        proxy.refuse()
    elif trouble == "password":
        url = url.replace("redis://", "redis://somebody:hunter2@")
    else:
        proxy.arm(Fault.LOSE_REQUEST, marker=b"\r\n")
    guard = SocketGuard(monkeypatch)
    fleetmeter.install(url=url, namespace=store.namespace, flush_interval=0.01)
    runtime = current()
    assert runtime is not None
    try:
        registry = CollectorRegistry()
        counter = Counter("n_c", "x", ["k"], registry=registry)
        gauge = Gauge("n_g", "x", registry=registry, multiprocess_mode="sum")
        histogram = Histogram("n_h", "x", registry=registry)
        errors = runtime._telemetry.registry.get_sample_value
        deadline = time.monotonic() + 10
        failed = 0.0
        while failed < 1 and time.monotonic() < deadline:
            for number in range(20):
                with fleetmeter.atomic():
                    counter.labels(str(number)).inc()
                    histogram.observe(number)
                gauge.inc()
            reasons = ("unreachable", "timeout", "auth")
            failed = sum(errors("fleetmeter_flush_errors_total", {"reason": reason}) or 0 for reason in reasons)
            time.sleep(0.01)
        assert guard.touched == []
        assert failed >= 1
        assert registry.get_sample_value("n_g") == histogram._sum.get() / 9.5
    finally:
        guard.off()
        monkeypatch.setattr(Runtime.shutdown, "__defaults__", (0.05,))
        fleetmeter.uninstall()


def test_a_wrong_password_that_is_put_right_costs_nothing(store: StoreAddress) -> None:
    """Counts wait for the operator."""
    admin = store.client()
    admin.execute_command("ACL", "SETUSER", "late", "on", ">other", "~*", "+@all")
    replica = Replica(store, store.url.replace("unix://", "unix://late:pw@"))
    counter = replica.counter("f_late")
    counter.inc(3)
    assert not replica.flush(0.2)
    assert (replica.errors("auth") or 0) >= 1
    admin.execute_command("ACL", "SETUSER", "late", ">pw")
    counter.inc(4)
    assert replica.flush(10)
    assert value(store, "f_late_total") == 7
    replica.close()
    admin.execute_command("ACL", "DELUSER", "late")
    admin.close()
