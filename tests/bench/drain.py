"""The least that a scrape can take: the store's reply read from the socket and thrown away."""

import socket
from collections.abc import Callable
from time import perf_counter
from typing import Any

from fleetmeter.connection.client import connect

_MARK = b"everything-was-sent"
_BUFFER = 1 << 20


def commands_of(url: str, scrape: Callable[[], object]) -> list[list[bytes]]:
    """The commands by which one scrape reads the store, as the store itself sees them; nobody else may use it."""
    with connect(url) as client, client.monitor() as monitor:
        scrape()
        client.echo("end")
        commands = []
        while (command := monitor.next_command()["command"]) != "ECHO end":
            commands.append(command.encode().split(b" "))
    return commands


class Drain:
    """Sends the same commands at once, whenever it is told to, and reads every byte of the replies."""

    def __init__(self, port: int, commands: list[list[bytes]]) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._request = b"".join(_packed(command) for command in [*commands, [b"ECHO", _MARK]])
        self._buffer = bytearray(_BUFFER)
        self.replies = len(commands) + 1

    def seconds(self) -> float:
        """How long it takes, without looking at what is read."""
        end = _MARK + b"\r\n"
        tail, view = b"", memoryview(self._buffer)
        started = perf_counter()
        self._socket.sendall(self._request)
        while not tail.endswith(end):
            size = self._socket.recv_into(view)
            tail = (tail + bytes(view[max(0, size - len(end)) : size]))[-len(end) :]
        return perf_counter() - started

    def reply(self) -> bytes:
        """The bytes themselves."""
        self._socket.sendall(self._request)
        read = bytearray()
        while not read.endswith(_MARK + b"\r\n"):
            read += self._socket.recv(_BUFFER)
        return bytes(read)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


def parse_seconds(reply: bytes, replies: int) -> float:
    """How long hiredis takes to make Python objects of a reply that is there already."""
    import hiredis

    reader: Any = hiredis.Reader()
    started = perf_counter()
    reader.feed(reply)
    for _ in range(replies):
        reader.gets()
    seconds = perf_counter() - started
    if reader.has_data():
        raise RuntimeError("the reply has more parts than there were commands")
    return seconds


def _packed(command: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(command) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in command)
