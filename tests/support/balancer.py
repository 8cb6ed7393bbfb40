"""One address in front of several servers: each new connection goes to the next one."""

import socket
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import cycle
from typing import Self
from urllib.parse import urlsplit

_CHUNK = 1 << 16


class Balancer:
    """Listens on a free port of this machine. `given` counts the connections by server."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self.given: Counter[str] = Counter()
        self._next = cycle(addresses)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def address(self) -> str:
        """Its root."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            address = next(self._next)
            self.given[address] += 1
            parts = urlsplit(address)
            server = socket.create_connection((parts.hostname, parts.port))
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=_pass_on, args=(one, other), daemon=True).start()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Hand bytes on until one side ends; then the other one ends, too."""
    with suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
    for one in (source, target):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
