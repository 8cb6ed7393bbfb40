"""The server: what it answers, and that no client can hold it up."""

import asyncio
import logging
import socket
import threading
import time
from contextlib import ExitStack

import pytest
import uvloop

from fleetmeter_exporter.http.limits import Limits
from fleetmeter_exporter.http.responses import Message, Receive, Send
from support.web import PATIENCE, connect, echo, get, read_all, read_answer, respond, serving, told

BIG = b"x" * 8_000_000
"""More than loopback keeps for a reader with a small buffer."""
SMALL_BUFFER = 4096


async def big(scope: Message, receive: Receive, send: Send) -> None:
    """An application with a big page and a small one."""
    await respond(send, BIG if scope["path"] == "/big" else b"small")


class Blocked:
    """An application whose answers wait until they are let go."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.go = threading.Event()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["path"] != "/quick":
            self.entered.release()
            await asyncio.to_thread(self.go.wait, PATIENCE)
        await respond(send, b"done")


def pour(client: socket.socket, piece: bytes, pause: float = 0.0) -> None:
    """Send and send, until that raises."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        client.sendall(piece)
        time.sleep(pause)


def ask(address: tuple[str, int], path: str = "/") -> bytes:
    """The body that a well-behaved client gets."""
    with connect(address) as client:
        client.sendall(get(path))
        return read_answer(client)[2]


def test_a_loop_whose_transports_are_none_of_asyncios() -> None:
    """Those of uvloop were not before 0.22, and it may be the loop of a whole process."""
    with serving(echo, new_loop=uvloop.new_event_loop) as server:
        assert ask(server.address, "/here") == b"GET /here"


def test_requests_follow_each_other_on_one_connection() -> None:
    """A connection is kept, requests sent ahead are answered in order, HEAD has no body, and the path is decoded."""
    with serving(echo) as server, connect(server.address) as client:
        for path in ("/one", "/two%20words?x=1"):
            client.sendall(get(path))
            assert read_answer(client)[2] == f"GET {path.partition('?')[0].replace('%20', ' ')}".encode()
        client.sendall(get("/a") + get("/b") + get("http://proxied:1/c?d"))
        assert [read_answer(client)[2] for _ in range(3)] == [b"GET /a", b"GET /b", b"GET /c"]
        client.sendall(get("/h", method="HEAD") + get("/last", "Connection: close"))
        text = read_all(client)
        head, _, rest = text.partition(b"\r\n\r\n")
        assert b"content-length: 7" in head.lower()
        assert rest.startswith(b"HTTP/1.1 200 OK\r\n")
        assert rest.endswith(b"\r\n\r\nGET /last")


def test_an_http_1_0_client_is_answered_and_closed() -> None:
    """Who speaks HTTP/1.0 needs no Host header and gets the end of the connection as the end of the body."""
    with serving(echo) as server, connect(server.address) as client:
        client.sendall(b"GET /old HTTP/1.0\r\n\r\n")
        assert read_all(client).endswith(b"GET /old")


def test_a_half_closed_client_is_answered() -> None:
    """Who says that it will send no more, as `nc` does, still gets its answer."""
    with serving(echo) as server, connect(server.address) as client:
        client.sendall(get("/half"))
        client.shutdown(socket.SHUT_WR)
        assert read_all(client).endswith(b"GET /half")


def test_several_addresses_are_served() -> None:
    """Each address answers, IPv6 too where the machine has it; an empty host takes both."""
    hosts = ("127.0.0.1", "127.0.0.1", "", *(("::1",) if socket.has_dualstack_ipv6() else ()))
    with serving(echo, hosts=hosts) as server:
        for host, (_, port) in zip(hosts, server.addresses, strict=True):
            assert ask((host or "127.0.0.1", port)) == b"GET /"
            if not host and socket.has_dualstack_ipv6():
                assert ask(("::1", port)) == b"GET /"


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: te"], ids=["silent", "half"])
def test_a_request_that_does_not_come_is_not_waited_for(sent: bytes) -> None:
    """A connection without a whole header ends after `header_seconds`, with or without a beginning."""
    with serving(echo, Limits(header_seconds=0.3)) as server, connect(server.address) as client:
        client.sendall(sent)
        assert read_all(client) == b""
        assert ask(server.address) == b"GET /"


def test_a_header_sent_byte_by_byte_ends_as_well() -> None:
    """The time counts for the whole header, not from the last byte."""
    with (
        serving(echo, Limits(header_seconds=0.5)) as server,
        connect(server.address) as client,
        pytest.raises(ConnectionError),
    ):
        pour(client, b"x", 0.05)


def test_an_idle_connection_ends() -> None:
    """A connection that was answered is closed after `idle_seconds`, and not by what bounds a header."""
    with serving(echo, Limits(header_seconds=60, idle_seconds=0.3)) as server, connect(server.address) as client:
        client.sendall(get("/one"))
        assert read_answer(client)[2] == b"GET /one"
        assert read_all(client) == b""
    with serving(echo, Limits(header_seconds=0.3, idle_seconds=60)) as server, connect(server.address) as client:
        client.sendall(get("/one"))
        assert read_answer(client)[2] == b"GET /one"
        time.sleep(0.6)
        client.sendall(get("/two"))
        assert read_answer(client)[2] == b"GET /two"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (get("/", "X: " + "y" * 20_000), 431),
        (b"GET /" + b"z" * 20_000, 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"\r\n", 400),
    ],
    ids=["header", "line", "TLS", "no host", "nothing"],
)
def test_what_cannot_be_understood_is_refused(sent: bytes, status: int) -> None:
    """Too much of a header is 431, anything else that is no request 400; then the connection ends."""
    with serving(echo, Limits(linger_seconds=0.2)) as server, connect(server.address) as client:
        client.sendall(sent)
        answer, headers, _ = read_answer(client)
        assert (answer, headers["connection"]) == (status, "close")
        assert read_all(client) == b""


def test_a_body_is_not_kept() -> None:
    """A small body is thrown away and the connection goes on; of an endless one a bounded part is taken."""
    with serving(echo, Limits(linger_seconds=0.2)) as server:
        with connect(server.address) as client:
            client.sendall(get("/a", "Content-Length: 5", method="POST") + b"hello" + get("/b"))
            assert read_answer(client)[2] == b"POST /a"
            assert read_answer(client)[2] == b"GET /b"
        with connect(server.address) as client:
            client.sendall(get("/a", "Content-Length: 1000000000", method="POST"))
            status, headers, _ = read_answer(client)
            assert (status, headers["connection"]) == (200, "close")
            with pytest.raises(ConnectionError):
                pour(client, bytes(1_000_000))


def test_a_request_body_is_not_read_while_it_is_answered() -> None:
    """What a client sends to an application that takes its time is not gathered: it soon cannot send any more."""
    blocked = Blocked()
    with serving(blocked) as server, connect(server.address) as client:
        client.sendall(get("/", "Content-Length: 1000000000", method="POST"))
        assert blocked.entered.acquire(timeout=PATIENCE)
        client.settimeout(1.0)
        with pytest.raises(TimeoutError):
            pour(client, bytes(1_000_000))
        blocked.go.set()


def test_a_reader_that_takes_nothing_is_dropped_and_holds_nobody() -> None:
    """Others are answered meanwhile; after `stall_seconds` it is gone, and what it got is a part."""
    with serving(big, Limits(stall_seconds=0.5)) as server, connect(server.address, SMALL_BUFFER) as slow:
        slow.sendall(get("/big"))
        assert ask(server.address) == b"small"
        assert ask(server.address, "/big") == BIG
        time.sleep(1.5)
        assert len(read_all(slow)) < len(BIG)


def test_a_reader_that_takes_little_is_dropped() -> None:
    """Who takes a bit now and then, so that it never stalls, is dropped after `response_seconds`."""
    limits = Limits(stall_seconds=PATIENCE, response_seconds=1.0, chunk_bytes=4096)
    with serving(big, limits) as server, connect(server.address, SMALL_BUFFER) as slow:
        slow.sendall(get("/big"))
        got = 0
        for _ in range(50):
            got += len(slow.recv(4096))
            time.sleep(0.04)
        assert got + len(read_all(slow)) < len(BIG)


def test_the_application_waits_for_a_slow_reader() -> None:
    """A streamed response is asked for as fast as it is read, and its application learns that the client is gone."""
    sent = 0
    told = threading.Event()

    async def stream(scope: Message, receive: Receive, send: Send) -> None:
        nonlocal sent
        await receive()
        gone = asyncio.ensure_future(receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not gone.done():
            await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})
            sent += 100_000
            await asyncio.sleep(0)
        assert gone.result()["type"] == "http.disconnect"
        told.set()

    with serving(stream) as server, connect(server.address, SMALL_BUFFER) as slow:
        slow.sendall(get())
        slow.recv(100)
        time.sleep(1.0)
        assert sent < 1_000_000, "the kernel does not hoard for it either"
        slow.close()
        assert told.wait(PATIENCE)


def test_the_longest_waiting_connection_makes_room() -> None:
    """At the limit the oldest idle connection goes, whoever is new is answered, and running ones are left alone."""
    blocked = Blocked()
    with serving(blocked, Limits(connections=4)) as server, ExitStack() as opened:
        running = opened.enter_context(connect(server.address))
        running.sendall(get())
        assert blocked.entered.acquire(timeout=PATIENCE)
        idle = [opened.enter_context(connect(server.address)) for _ in range(3)]
        for client in idle:
            client.sendall(get("/quick"))
            assert read_answer(client)[2] == b"done"
        for client in idle[:2]:
            new = opened.enter_context(connect(server.address))
            new.sendall(get("/quick"))
            assert read_answer(new)[2] == b"done"
            assert read_all(client) == b""
        blocked.go.set()
        assert read_answer(running)[2] == b"done"


def test_stalled_readers_make_room() -> None:
    """At the limit, where nobody is idle, the reader goes that has taken nothing for longest."""
    with serving(big, Limits(connections=3)) as server, ExitStack() as opened:
        slow = []
        for _ in range(3):
            slow.append(opened.enter_context(connect(server.address, SMALL_BUFFER)))
            slow[-1].sendall(get("/big"))
            slow[-1].recv(100)
            time.sleep(0.3)  # its buffers are full now
        assert ask(server.address) == b"small"
        assert len(read_all(slow[0])) < len(BIG)


def test_nobody_is_put_out_for_one_too_many() -> None:
    """Where every connection is being answered, a new one is refused, and the others get their answers."""
    blocked = Blocked()
    with serving(blocked, Limits(connections=2)) as server, ExitStack() as opened:
        running = [opened.enter_context(connect(server.address)) for _ in range(2)]
        for client in running:
            client.sendall(get())
            assert blocked.entered.acquire(timeout=PATIENCE)
        with connect(server.address) as refused:
            assert read_all(refused) == b""
        blocked.go.set()
        assert [read_answer(client)[2] for client in running] == [b"done", b"done"]


def test_an_end_lets_running_requests_finish() -> None:
    """Told to stop: no new connections, idle ones end, the running request is answered and its connection closed."""
    blocked = Blocked()
    with serving(blocked) as server, connect(server.address) as running, connect(server.address) as idle:
        idle.sendall(get("/quick"))
        read_answer(idle)
        running.sendall(get())
        assert blocked.entered.acquire(timeout=PATIENCE)
        server.stop()
        assert read_all(idle) == b""
        with pytest.raises(ConnectionError):
            connect(server.address)
        blocked.go.set()
        status, headers, body = read_answer(running)
        assert (status, headers["connection"], body) == (200, "close", b"done")
        assert read_all(running) == b""


def test_an_end_waits_no_longer_than_the_grace() -> None:
    """A reader that does not come to its end is closed after `grace_seconds`."""
    with serving(big, Limits(grace_seconds=0.3)) as server, connect(server.address, SMALL_BUFFER) as slow:
        slow.sendall(get("/big"))
        slow.recv(100)
        server.stop()
        time.sleep(1.0)
        assert len(read_all(slow)) < len(BIG)


@pytest.mark.parametrize("begun", [False, True])
def test_an_application_that_fails(begun: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Before the response began it is 500 and the connection goes on, after that it is cut off; the log has why."""

    async def failing(scope: Message, receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("broken")

    with serving(failing) as server, connect(server.address) as client:
        client.sendall(get("/a\n".replace("\n", "%0A")))
        if begun:
            assert read_all(client).endswith(b"half")
        else:
            assert read_answer(client)[0] == 500
            client.sendall(get())
            assert read_answer(client)[0] == 500
    records = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert told(records)[0] == ("a request could not be answered", {"path": "/a\n"})
    assert records[0].exc_info


@pytest.mark.parametrize("misuse", ["twice", "body first", "nothing"])
def test_an_application_that_breaks_the_protocol_is_cut_off(misuse: str, caplog: pytest.LogCaptureFixture) -> None:
    """What ASGI does not allow never reaches a client as a response that looks whole."""

    async def wrong(scope: Message, receive: Receive, send: Send) -> None:
        if misuse == "twice":
            await respond(send, b"one")
            await respond(send, b"two")
        elif misuse == "body first":
            await send({"type": "http.response.body", "body": b"x"})

    with serving(wrong) as server, connect(server.address) as client:
        client.sendall(get("/", "Connection: close"))
        text = read_all(client)
        assert text.endswith(b"\r\n\r\none") if misuse == "twice" else text == b"" or b" 500 " in text


def test_connections_leave_files_to_others() -> None:
    """The limit is at most half of the files that a process may open."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
    try:
        assert Limits.of_process().connections == 50
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert Limits.of_process().connections <= Limits.connections
