"""The door to the store: its errors have our names."""

import math
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from fleetmeter.connection.client import connect
from fleetmeter.errors import StoreError, StoreRefused, StoreUnreachable
from fleetmeter.reader.reading import Reader
from fleetmeter.values.delta import Delta
from fleetmeter.writer.messages import Apply, Hello
from fleetmeter.writer.store import Store
from support.fleet import Replica, value
from support.proxy import Fault, FaultProxy
from support.store import StoreAddress

HELLO = Hello("w", "E")


def refusal(store: Store) -> StoreError:
    """The error that a hello meets."""
    with pytest.raises(StoreError) as caught:
        store.hello(HELLO, {"replica": "x"})
    store.close()
    assert caught.value.__cause__ is not None
    return caught.value


def test_a_conversation(store: StoreAddress) -> None:
    """Hello, a batch, a heartbeat: each answer tells status, row, epoch and the store's time."""
    door = Store(store.url, store.keys)
    hello = door.hello(HELLO, {"replica": "x"})
    assert (hello.status, hello.row, hello.epoch) == ("hello", 0, "E")
    key = store.keys.family("c:1")
    applied = door.apply(Apply("E", "w", 0, 1, 0, Delta(adds={"c:1": {"[]": math.nan}})))
    assert (applied.status, applied.row, applied.refused_count) == ("applied", 1, 1)
    assert applied.refused[0].startswith(key)
    assert applied.store_now_us >= hello.store_now_us > 0
    assert door.apply(Apply("E", "w", 1, 1, 0)).status == "applied"
    door.close()


def test_nobody_listens(store: StoreAddress) -> None:
    """A refused connection is `unreachable`."""
    error = refusal(Store("unix:///nowhere/store.sock", store.keys))
    assert isinstance(error, StoreUnreachable)
    assert error.reason == "unreachable"


def test_a_host_that_cannot_be_looked_up(store: StoreAddress) -> None:
    """A host that is no DNS name is `unreachable` too, for writers and readers alike."""
    error = refusal(Store("redis://redis..svc:6379", store.keys))
    assert (type(error), error.reason) == (StoreUnreachable, "unreachable")
    with pytest.raises(StoreUnreachable):
        Reader("redis://redis..svc:6379", store.namespace).read()


def test_no_answer_in_time(store: StoreAddress) -> None:
    """A lost reply is a `timeout`: whether it took effect is not known."""
    with FaultProxy(store.url) as proxy:
        proxy.arm(Fault.LOSE_REPLY)
        error = refusal(Store(proxy.url(), store.keys))
    assert isinstance(error, StoreUnreachable)
    assert error.reason == "timeout"


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.CUT_AFTER])
def test_a_connection_that_ends(store: StoreAddress, fault: Fault) -> None:
    """A cut connection is `unreachable`, and redis-py does not repeat the call behind our back."""
    with FaultProxy(store.url) as proxy:
        proxy.arm(fault)
        assert refusal(Store(proxy.url(), store.keys)).reason == "unreachable"
        assert (proxy.fired, proxy.connections) == ([fault], 1)


@pytest.fixture
def reader_only(store: StoreAddress) -> Iterator[str]:
    """A URL whose user may not write."""
    admin = store.client()
    admin.execute_command("ACL", "SETUSER", "looker", "on", ">pw", "~*", "+@read", "+@connection")
    yield store.url.replace("unix://", "unix://looker:pw@")
    admin.execute_command("ACL", "DELUSER", "looker")
    admin.close()


def test_a_user_who_may_not_write(store: StoreAddress, reader_only: str) -> None:
    """Missing permission is a refusal for the reason `auth`."""
    error = refusal(Store(reader_only, store.keys))
    assert (type(error), error.reason) == (StoreRefused, "auth")


def test_a_wrong_password(store: StoreAddress) -> None:
    """A wrong password is a refusal for the reason `auth`, and is not shown."""
    error = refusal(Store(store.url.replace("unix://", "unix://somebody:hunter2@"), store.keys))
    assert (type(error), error.reason) == (StoreRefused, "auth")
    assert "hunter2" not in str(error)


def test_a_refused_call(store: StoreAddress) -> None:
    """A key of another type is a refusal: nothing was written."""
    client = store.client()
    client.set(store.keys.writers, "text")
    error = refusal(Store(store.url, store.keys))
    assert (type(error), error.reason) == (StoreRefused, "refused")
    client.close()


def test_something_else_answers(store: StoreAddress) -> None:
    """A server that speaks another protocol is an error of the store, for writers and readers alike."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def speak_http() -> None:
            for _ in range(2):
                client, _ = listener.accept()
                with client:
                    client.recv(4096)
                    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=speak_http, daemon=True)
        thread.start()
        url = f"redis://127.0.0.1:{listener.getsockname()[1]}/0?socket_timeout=2"
        assert refusal(Store(url, store.keys)).reason == "unreachable"
        with pytest.raises(StoreUnreachable):
            Reader(url, store.namespace).read()
        thread.join()


def test_scripts_that_the_store_forgot_are_sent_again(store: StoreAddress) -> None:
    """A restarted store has no scripts; the next call brings them."""
    replica = Replica(store)
    counter = replica.counter("c")
    for _ in range(2):
        counter.inc(1)
        assert replica.flush()
        replica.store._client.script_flush()
    replica.close()
    assert value(store, "c_total") == 2


def test_the_client_never_retries_by_itself(store: StoreAddress) -> None:
    """redis-py's own retries count twice; ours are the only ones."""
    connection: Any = connect(store.url).connection_pool.make_connection()
    assert connection.retry.get_retries() == 0


def test_timeouts_are_short_unless_the_url_says_otherwise() -> None:
    """A black hole costs a second, not the client's default."""
    assert connect("redis://h").connection_pool.connection_kwargs["socket_timeout"] == 1.0
    assert connect("redis://h?socket_timeout=7").connection_pool.connection_kwargs["socket_timeout"] == 7.0
