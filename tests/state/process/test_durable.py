"""durable(): in the store when the block ends, or the caller is told, and then it is sent later, once."""

import asyncio
import pickle
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import Counter, Histogram

import fleetmeter
from fleetmeter.process.installation import current
from fleetmeter.schema.definition import Definition
from fleetmeter.writer.flusher import Flusher
from support.fleet import samples, value
from support.node import Node, until
from support.proxy import FaultProxy
from support.store import StoreAddress


@pytest.fixture
def proxy(store: StoreAddress) -> Iterator[FaultProxy]:
    """This process as a replica behind a proxy; only what asks for a flush sends."""
    with FaultProxy(store.url) as proxy:
        url = proxy.url("socket_timeout=0.1&socket_connect_timeout=0.1")
        fleetmeter.install(url=url, namespace=store.namespace, flush_interval=60.0, replica="here")
        yield proxy
        fleetmeter.uninstall()


def _running() -> Flusher:
    runtime = current()
    assert runtime is not None
    return runtime._flusher


def test_the_records_are_in_the_store_when_the_block_ends(installed: StoreAddress) -> None:
    """Everything recorded inside is there, together, and nothing of it before the end."""
    counter = Counter("d_paid", "x", registry=None)
    histogram = Histogram("d_size", "x", registry=None, buckets=(1,))
    with fleetmeter.durable():
        counter.inc()
        with fleetmeter.atomic():
            histogram.observe(0.5)
        assert not fleetmeter.flush()  # it says that the block's records wait
        assert value(installed, "d_paid_total") in (None, 0)
    found = samples(installed)
    names = ("d_paid_total", "d_size_count", "d_size_sum")
    assert [found[name, frozenset()] for name in names] == [1, 1, 0.5]


def test_an_asynchronous_block_lets_the_loop_go_on(proxy: FaultProxy, store: StoreAddress) -> None:
    """The wait for the store is no wait of the event loop; afterwards the records are in."""
    counter = Counter("d_async", "x", registry=None)

    async def main() -> None:
        async def heal() -> None:
            proxy.lose()

        proxy.lose(requests=1.0)
        async with fleetmeter.durable(timeout=20):
            counter.inc()
            healing = asyncio.create_task(heal())  # runs when the block lets go of the loop
        await healing
        assert value(store, "d_async_total") == 1

    asyncio.run(main())


def test_without_a_confirmation_the_caller_is_told_and_the_records_arrive_once(
    proxy: FaultProxy, store: StoreAddress
) -> None:
    """Whatever got lost, the request or only its reply: NotDurable, and later exactly one count."""
    counter = Counter("d_once", "x", registry=None)
    counter.inc()
    assert fleetmeter.flush()
    for losses in ({"requests": 1.0}, {"replies": 1.0}):
        proxy.lose(**losses)
        with pytest.raises(fleetmeter.NotDurable, match="do not record them again") as caught, fleetmeter.durable(0.3):
            counter.inc()
        assert (caught.value.timeout, caught.value.replicas, caught.value.reason) == (0.3, 0, "timeout")
        assert isinstance(caught.value, fleetmeter.FleetmeterError)
        proxy.lose()
    with fleetmeter.durable(20):
        counter.inc()
    assert value(store, "d_once_total") == 4


def test_a_block_that_raises_raises_that_and_its_records_are_sent(proxy: FaultProxy, store: StoreAddress) -> None:
    """What happened has happened; that the store did not confirm it stands in a note."""
    counter = Counter("d_raises", "x", registry=None)

    def fail() -> None:
        with fleetmeter.durable(0.3):
            counter.inc()
            raise KeyError("mine")

    with pytest.raises(KeyError) as caught:
        fail()
    assert not hasattr(caught.value, "__notes__")
    assert value(store, "d_raises_total") == 1
    proxy.refuse()
    with pytest.raises(KeyError) as caught:
        fail()
    assert "did not confirm" in caught.value.__notes__[0]
    proxy.accept()
    assert fleetmeter.flush(20)
    assert fleetmeter.flush(20)
    assert value(store, "d_raises_total") == 2


def test_the_error_can_be_pickled() -> None:
    """A pool of worker processes hands it to whoever asked for the work."""
    error = fleetmeter.NotDurable(0.5, 1, "timeout", "the store did not answer in time.")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), vars(copy)) == (str(error), vars(error))
    assert "the store and 1 store replica did not confirm the records within 0.5 s" in str(error)


@pytest.mark.parametrize("outer", [fleetmeter.atomic, fleetmeter.durable])
def test_inside_another_block_it_is_an_error_at_once(installed: StoreAddress, outer: type) -> None:
    """Its records could not be sent before the outer block's end; the outer block is none the worse."""
    counter = Counter("d_inner", "x", registry=None)
    with outer():
        counter.inc()
        with pytest.raises(fleetmeter.BlockError, match="outer block the durable one"), fleetmeter.durable():
            raise AssertionError  # never comes here
        counter.inc()
    assert fleetmeter.flush()
    assert value(installed, "d_inner_total") == 2
    with fleetmeter.durable():
        counter.inc()
    assert value(installed, "d_inner_total") == 3


def test_another_threads_block_is_no_outer_block(installed: StoreAddress) -> None:
    """Blocks belong to the thread or task that opened them."""
    counter = Counter("d_beside", "x", registry=None)

    def record() -> None:
        with fleetmeter.durable():
            counter.inc()

    with fleetmeter.atomic():
        thread = threading.Thread(target=record)
        thread.start()
        thread.join()
        assert value(installed, "d_beside_total") == 1


def test_without_install_it_does_nothing() -> None:
    """Code that uses it runs where fleetmeter is not installed, inside blocks too."""
    counter = Counter("d_plain", "x", registry=None)
    with fleetmeter.atomic(), fleetmeter.durable(), fleetmeter.durable():
        counter.inc()
        assert counter._value.get() == 1


def test_a_block_can_be_used_again(installed: StoreAddress) -> None:
    """One object, one block at a time."""
    counter = Counter("d_again", "x", registry=None)
    block = fleetmeter.durable()
    for number in (1, 2):
        with block:
            counter.inc()
        assert value(installed, "d_again_total") == number
    with block, pytest.raises(fleetmeter.BlockError), block:
        raise AssertionError  # never comes here


def test_a_block_open_at_uninstall_is_durable_and_leaves_no_thread(store: StoreAddress) -> None:
    """What was recorded while fleetmeter was installed is confirmed though it is gone."""
    fleetmeter.install(url=store.url, namespace=store.namespace, flush_interval=60.0)
    counter = Counter("d_gone", "x", registry=None)
    flusher = _running()
    with fleetmeter.durable():
        counter.inc()
        fleetmeter.uninstall()
    assert value(store, "d_gone_total") == 1
    assert not flusher.running()


@pytest.mark.parametrize(
    ("timeout", "replicas"),
    [(-1.0, 0), (float("nan"), 0), (1e9, 0), ("5", 0), (None, 0), (1.0, -1), (1.0, "1"), (1.0, 1.5)],
)
def test_arguments_that_cannot_be_used_are_refused(timeout: Any, replicas: Any) -> None:
    """At the call, by name, before anything is recorded."""
    with pytest.raises(fleetmeter.SettingError, match="^replicas: " if replicas else "^timeout: "):
        fleetmeter.durable(timeout, replicas)


def test_with_replicas_it_waits_until_they_have_it(store: StoreAddress) -> None:
    """A replica that lags makes it NotDurable, though the store has the count; one that follows confirms."""
    with Node() as master, Node({"replicaof": f"127.0.0.1 {master.port}"}) as replica:
        until("a replica that follows", lambda: _offset(master) > 0)
        address = StoreAddress(f"redis://127.0.0.1:{master.port}/0", store.namespace)
        fleetmeter.install(url=address.url, namespace=address.namespace, flush_interval=60.0)
        try:
            counter = Counter("d_replicated", "x", registry=None)
            with fleetmeter.durable(20, replicas=1):
                counter.inc()
            definition = Definition.of("d_replicated", "counter", "x", "", (), (), "", packed=True)
            assert replica.run("GET", address.keys.packed(definition.field)[0])
            replica.freeze()
            with pytest.raises(fleetmeter.NotDurable, match="1 store replica") as caught, fleetmeter.durable(1.2, 1):
                counter.inc()
            assert caught.value.reason in ("replicas", None)
            with fleetmeter.durable(20):  # who does not wait for replicas is served
                counter.inc()
            assert value(address, "d_replicated_total") == 3
            replica.thaw()
            with fleetmeter.durable(20, replicas=1):
                pass
            assert value(address, "d_replicated_total") == 3
        finally:
            replica.thaw()
            fleetmeter.uninstall()


def _offset(master: Node) -> int:
    with master.client() as client:
        found = client.info("replication")
        return int(found.get("slave0", {}).get("offset", 0)) if found["connected_slaves"] else 0
