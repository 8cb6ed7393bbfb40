"""Ports of this machine: finds free ones, and checks that a given one is free."""

import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from fleetmeter_app.demo.errors import DemoError

HOST = "127.0.0.1"


def require_free(asked: Mapping[int, str]) -> None:
    """Check that every port is free. Raises `DemoError`, which names the first that is not, and its variable."""
    for port, variable in asked.items():
        try:
            socket.create_server((HOST, port)).close()
        except OSError as error:
            raise DemoError(
                f"{variable}: cannot listen on {HOST}:{port}: {os.strerror(error.errno or 0)}; "
                "end the program that listens there, name another port, or unset the variable for a free one"
            ) from error


def with_free_ports(ports: Sequence[int | None]) -> list[int]:
    """The ports, each None replaced by a free one; no two are the same."""
    with ExitStack() as held:
        return [port or _bind_any(held) for port in ports]


def _bind_any(held: ExitStack) -> int:
    # Kept open until all are chosen, because a port that is closed at once could be given out a second time.
    port: int = held.enter_context(socket.create_server((HOST, 0))).getsockname()[1]
    return port
