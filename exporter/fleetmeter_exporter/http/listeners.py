"""Addresses to listen on: how they are written, and the sockets that they become."""

import errno
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from fleetmeter.errors import SettingError

BACKLOG = 1024
"""Connections that wait in the kernel to be accepted; it takes the smaller of this and `net.core.somaxconn`."""


@dataclass(frozen=True)
class ListenAddress:
    """An address to listen on. An empty `host` means every interface, also of IPv6 if the system has it.

    `port` 0 means a free port.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, name: str, text: str) -> "ListenAddress":
        """`HOST:PORT`, `:PORT` or `[IPV6]:PORT`; raises `SettingError` in the name of its flag or variable."""
        host, colon, port = text.strip().rpartition(":")
        bare = host.removeprefix("[").removesuffix("]")
        bracketed = host == f"[{bare}]"
        if not (colon and port.isascii() and port.isdecimal() and int(port) <= 65535 and bracketed == (":" in bare)):
            raise SettingError(
                name,
                f"{text.strip()!r} is no address; expected HOST:PORT, :PORT or [IPV6]:PORT, and a port up to 65535",
            )
        return cls(bare, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listen(addresses: Sequence[ListenAddress]) -> list[socket.socket]:
    """A listening socket for each address. Raises `OSError`, whose `filename` is the address, with none left open."""
    with ExitStack() as opened:
        sockets = []
        for address in addresses:
            try:
                sockets.append(opened.enter_context(_listen(address)))
            except (OSError, UnicodeError) as error:  # UnicodeError: no name of a host can look like this
                reason = (getattr(error, "strerror", None) or str(error)).partition(" (while")[0]  # the address again
                raise OSError(getattr(error, "errno", None) or errno.EINVAL, reason, str(address)) from error
        opened.pop_all()
    return sockets


def place(listener: socket.socket) -> str:
    """The address that a socket listens on, as a URL has it."""
    host, port = listener.getsockname()[:2]
    return str(ListenAddress(host, port))


def _listen(address: ListenAddress) -> socket.socket:
    if not address.host and socket.has_dualstack_ipv6():
        where = ("", address.port)
        return socket.create_server(where, family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
    found = socket.getaddrinfo(address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family = min(found, key=lambda entry: entry[0] != socket.AF_INET)[0]  # a name that has both is served on IPv4
    return socket.create_server((address.host, address.port), family=family, backlog=BACKLOG)
