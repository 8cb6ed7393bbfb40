"""The exporter's server with an application of the test's own, and clients that behave badly on purpose."""

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fleetmeter_exporter.http.limits import Limits
from fleetmeter_exporter.http.listeners import ListenAddress, listen
from fleetmeter_exporter.http.responses import Application, Message, Receive, Send
from fleetmeter_exporter.http.server import Server
from fleetmeter_exporter.http.tls import TLS

PATIENCE = 20.0
"""Seconds after which a client gives up: far more than anything here takes."""
Address = tuple[str, int]


class Running:
    """A server that runs in a thread of its own."""

    def __init__(self, server: Server, addresses: list[Address], loop: asyncio.AbstractEventLoop) -> None:
        self.addresses = addresses
        self._server = server
        self._loop = loop

    @property
    def address(self) -> Address:
        """Where it listens, by its first socket."""
        return self.addresses[0]

    def stop(self) -> None:
        """Tell it to end; does not wait."""
        self._loop.call_soon_threadsafe(self._server.stop)


@contextmanager
def serving(
    application: Application,
    limits: Limits | None = None,
    tls: Callable[[], TLS | None] = lambda: None,
    hosts: tuple[str, ...] = ("127.0.0.1",),
    new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> Iterator[Running]:
    """A running server, on asyncio's own loop or on such a one; at the end it is told to stop, and has to."""
    listeners = listen([ListenAddress(host, 0) for host in hosts])
    addresses = [listener.getsockname()[:2] for listener in listeners]
    started: list[Running] = []
    ready = threading.Event()

    async def serve() -> None:
        server = Server(application, limits or Limits(), tls)
        started.append(Running(server, addresses, asyncio.get_running_loop()))
        ready.set()
        await server.serve(listeners)

    def run() -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield started[0]
    finally:
        if thread.is_alive():
            started[0].stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


async def respond(send: Send, body: bytes, status: int = 200) -> None:
    """A whole response."""
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def echo(scope: Message, receive: Receive, send: Send) -> None:
    """An application that answers with the method and the path."""
    await respond(send, f"{scope['method']} {scope['path']}".encode())


def told(records: list[logging.LogRecord]) -> list[tuple[str, dict[str, object]]]:
    """What was logged, and of what."""
    return [(record.getMessage(), getattr(record, "fields", {})) for record in records]


def connect(address: Address, receive_buffer: int | None = None) -> socket.socket:
    """A client's socket; with a small buffer it soon takes nothing more, if nobody reads."""
    client = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.settimeout(PATIENCE)
    try:
        client.connect(address)
    except OSError:
        client.close()
        raise
    return client


def get(path: str = "/", *headers: str, method: str = "GET") -> bytes:
    """A request."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: test", *headers, "", ""]).encode()


def read_all(client: socket.socket) -> bytes:
    """Everything up to the end of the connection, a reset included. Raises `TimeoutError` where it does not end."""
    found = bytearray()
    while True:
        try:
            piece = client.recv(65536)
        except ConnectionError:
            return bytes(found)
        if not piece:
            return bytes(found)
        found += piece


def read_answer(client: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one response with a content-length. Raises `ConnectionError` where it is cut off."""
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        head += _piece(client, 1)
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = bytearray()
    while (missing := int(headers["content-length"]) - len(body)) > 0:
        body += _piece(client, missing)
    return int(status.split()[1]), headers, bytes(body)


def _piece(client: socket.socket, most: int) -> bytes:
    piece = client.recv(most)
    if not piece:
        raise ConnectionError
    return piece
