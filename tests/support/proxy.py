"""A proxy between a client and a store that loses, delays and cuts at the moment a test asks for."""

import random
import select
import socket
import threading
import time
from enum import Enum, auto
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_CHUNK = 1 << 20
_TICK = 0.02
"""Seconds after which a waiting thread looks whether it has to end."""


class Fault(Enum):
    """What happens to one request and its reply."""

    LOSE_REQUEST = auto()
    """The request never reaches the store; the connection stays open and silent."""

    LOSE_REPLY = auto()
    """The store executes the request, its reply is swallowed; the connection stays open and silent."""

    DELAY_REPLY = auto()
    """The store executes the request, its reply comes later."""

    DELAY_REQUEST = auto()
    """The request reaches the store later, perhaps after the client has given it up and sent a copy."""

    CUT_BEFORE = auto()
    """The connection ends before the store sees the request."""

    CUT_AFTER = auto()
    """The connection ends after the store has executed the request, before its reply."""


class FaultProxy:
    """Listens on a loopback port and passes everything on to a store, `unix://` or `redis://`.

    `arm` prepares one fault for the next request that holds a marker, so that a connection's greetings pass;
    `lose` lets any request or reply get lost, with a probability.
    """

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target: str | tuple[str, int] = parts.path
        if parts.scheme != "unix":
            self._target = (parts.hostname or "127.0.0.1", parts.port or 6379)
        self._port = 0
        self._listener: socket.socket | None = None
        self._threads: list[threading.Thread] = []
        self._armed: tuple[Fault, bytes, float] | None = None
        self._losses = {Fault.LOSE_REQUEST: 0.0, Fault.LOSE_REPLY: 0.0}
        self._random = random.Random(0)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._cut = threading.Event()
        self.fired: list[Fault] = []
        """The faults that have happened."""
        self.connections = 0
        """Connections accepted so far."""

    def __enter__(self) -> Self:
        self.accept()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self.refuse()

    def url(self, options: str = "socket_timeout=0.2") -> str:
        """The address for a client, with redis-py's URL parameters."""
        return f"redis://127.0.0.1:{self._port}/0?{options}"

    def arm(self, fault: Fault, marker: bytes = b"EVALSHA", seconds: float = 0.0) -> None:
        """Let a fault happen to the next request that holds the marker; `seconds` is the length of a delay."""
        with self._lock:
            self._armed = (fault, marker, seconds)

    def lose(self, requests: float = 0.0, replies: float = 0.0) -> None:
        """From now on lose each request, and the reply to each that was passed on, with a probability.

        With 1 the network is a black hole in that direction: connections can still be opened. One that lost something
        stays silent for good. Without arguments nothing is lost any more.
        """
        with self._lock:
            self._losses = {Fault.LOSE_REQUEST: requests, Fault.LOSE_REPLY: replies}

    def refuse(self) -> None:
        """End every connection and refuse new ones."""
        listener, self._listener = self._listener, None
        self._cut.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        if listener is not None:
            listener.close()

    def accept(self) -> None:
        """Take connections, at the same port as before."""
        self._cut.clear()
        listener = socket.create_server(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        self._listener = listener
        self._start(self._listen, listener)

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _listen(self, listener: socket.socket) -> None:
        while not self._cut.is_set():
            if select.select([listener], [], [], _TICK)[0]:
                client, _ = listener.accept()
                self.connections += 1
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        family = socket.AF_UNIX if isinstance(self._target, str) else socket.AF_INET
        with client, socket.socket(family, socket.SOCK_STREAM) as store:
            try:
                store.connect(self._target)
                while not self._cut.is_set():
                    ready = select.select([client, store], [], [], _TICK)[0]
                    if client in ready and not self._request(client, store):
                        return
                    if store in ready and not _pass(store, client):
                        return
            except OSError:  # one of the two went away, which ends the connection
                return

    def _request(self, client: socket.socket, store: socket.socket) -> bool:
        """Pass on one request; whether the connection goes on."""
        data = client.recv(_CHUNK)
        with self._lock:
            if self._armed is None or self._armed[1] not in data:
                fault, seconds = self._chance() if data else None, 0.0
            else:
                (fault, _, seconds), self._armed = self._armed, None
        if fault is Fault.DELAY_REQUEST:
            self.fired.append(fault)
            time.sleep(seconds)
            store.sendall(data)
            return True
        if fault not in (Fault.LOSE_REQUEST, Fault.CUT_BEFORE):
            store.sendall(data)
        if fault is None:
            return bool(data)
        if fault in (Fault.LOSE_REPLY, Fault.DELAY_REPLY, Fault.CUT_AFTER):
            reply = store.recv(_CHUNK)
            if fault is Fault.DELAY_REPLY:
                self.fired.append(fault)
                time.sleep(seconds)
                client.sendall(reply)
                return True
        self.fired.append(fault)
        if fault in (Fault.LOSE_REQUEST, Fault.LOSE_REPLY):
            while not self._cut.is_set():  # silent, until the client gives this connection up
                if select.select([client], [], [], _TICK)[0] and not client.recv(_CHUNK):
                    break
        return False

    def _chance(self) -> Fault | None:
        """What happens to a request for which nothing was armed."""
        return next((fault for fault, often in self._losses.items() if self._random.random() < often), None)


def _pass(source: socket.socket, sink: socket.socket) -> bool:
    data = source.recv(_CHUNK)
    sink.sendall(data)
    return bool(data)
