"""Ports of this machine: free ones, and whether one that was asked for is free."""

import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from fleetmeter_app.demo.errors import DemoError

HOST = "127.0.0.1"


def require_free(asked: Mapping[int, str]) -> None:
    """Nothing, if every port can be listened on; `DemoError` names the first that cannot, and who asked for it."""
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
    # Held until all are chosen: a port that was let go at once could be handed out a second time.
    port: int = held.enter_context(socket.create_server((HOST, 0))).getsockname()[1]
    return port
