"""An HTTP/1.1 server that no client can hold up: it bounds connections, bytes and seconds of each.

Why not one of the known servers? They were tried. Each leaves a way in which a few bad clients can hold it up:

* uvicorn never closes a connection with a half-sent header, a silent one, or one whose reader takes nothing. Above its
  limit of connections it refuses everybody.
* hypercorn closes the first two. It has a single time for them and for a connection that is idle between two requests.
  It has no limit of connections, and waits without end for a reader that takes nothing. A scrape that is slower than
  its `read_timeout` is told that the client is gone.
* granian (2.8.9) closes a half-sent header and an idle connection, within one time for both, 60 s at most. No setting
  bounds a client that connects and sends nothing, or a reader that takes nothing: both were still open after 40 s.
  Its limit (`backpressure`) counts silent clients, too: with a limit of 2, three kept a scrape waiting until they left.

None of them reads certificates again by itself; granian does at SIGHUP, with new workers.

The way out, if you want another server: `fleetmeter_exporter.make_asgi_app()` is the exposition as an ASGI application.
Serve it by any of them, behind a proxy that bounds clients. The parsing is h11's here, as in uvicorn and hypercorn.
"""

import asyncio
import errno
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Sequence

from fleetmeter_exporter.http.connection import Connection
from fleetmeter_exporter.http.limits import Limits
from fleetmeter_exporter.http.request import Peer
from fleetmeter_exporter.http.responses import Application
from fleetmeter_exporter.http.tls import TLS
from fleetmeter_exporter.logs import fields

COMPLAINT_SECONDS = 60.0
"""Between two lines of the log that any client can cause."""
RETRY_SECONDS = 0.1
"""Before the next connection is accepted, if the system had no room for one."""

log = logging.getLogger("fleetmeter.exporter")


class Server:
    """Serves an ASGI application; `tls` says by what rules a handshake that begins now is made, None for plain HTTP."""

    def __init__(self, application: Application, limits: Limits, tls: Callable[[], TLS | None] = lambda: None) -> None:
        self._application = application
        self._limits = limits
        self._tls = tls
        self._open: dict[Connection, asyncio.Task[None] | None] = {}
        self._empty = asyncio.Event()
        self._stop = asyncio.Event()
        self._force = asyncio.Event()
        self._complained_at = -COMPLAINT_SECONDS
        self._complaints = 0

    def run(self, listeners: Sequence[socket.socket]) -> signal.Signals:
        """Serve until SIGTERM or SIGINT, then finish what runs; a second one ends that as well. Returns the first."""
        return asyncio.run(self._until_signalled(listeners))

    async def _until_signalled(self, listeners: Sequence[socket.socket]) -> signal.Signals:
        loop = asyncio.get_running_loop()
        received: list[signal.Signals] = []

        def end(number: signal.Signals) -> None:
            (self._force if received else self._stop).set()
            received.append(number)

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end, number)
        await self.serve(listeners)
        return received[0]

    def stop(self) -> None:
        """Let `serve` come to its end."""
        self._stop.set()

    async def serve(self, listeners: Sequence[socket.socket]) -> None:
        """Serve until `stop`; then accept nothing, let running requests end within the grace, and close the rest."""
        for listener in listeners:
            listener.setblocking(False)
        accepting = [asyncio.create_task(self._accept(listener)) for listener in listeners]
        await self._stop.wait()
        for task in accepting:
            task.cancel()
        await asyncio.gather(*accepting, return_exceptions=True)
        for listener in listeners:
            listener.close()
        for connection in list(self._open):
            connection.stop()
        waiting = [asyncio.create_task(event.wait()) for event in (self._empty, self._force)]
        if self._open:
            await asyncio.wait(waiting, timeout=self._limits.grace_seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waiting:
            wait.cancel()
        if self._open:
            log.warning("connections were cut off before their end", extra=fields(number=len(self._open)))
        for connection in list(self._open):
            self._drop(connection)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(listener)
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self._complain("no connection can be accepted", problem=error.strerror)
                    self._make_room()
                    await asyncio.sleep(RETRY_SECONDS)
            else:
                self._admit(client)
                await asyncio.sleep(0)  # accepting never waits while clients queue: let the others have their turn

    def _admit(self, client: socket.socket) -> None:
        if len(self._open) >= self._limits.connections and not self._make_room():
            client.close()
            return
        if sys.platform == "linux":  # else the kernel takes up to 4 MiB for a reader that takes nothing
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, self._limits.chunk_bytes)
        tls = self._tls()
        connection = Connection(self._application, self._limits, tls, self._tls, self._ended, self._refused)
        self._open[connection] = asyncio.create_task(self._begin(connection, client, tls))
        self._empty.clear()

    async def _begin(self, connection: Connection, client: socket.socket, tls: TLS | None) -> None:
        """Shake hands, if there is TLS, and hand the client to its connection."""
        loop = asyncio.get_running_loop()
        peer: Peer = None
        try:
            peer = client.getpeername()[:2]
            if tls is None:
                await loop.connect_accepted_socket(lambda: connection, client)
            else:
                await loop.connect_accepted_socket(
                    lambda: connection,
                    client,
                    ssl=tls.context,
                    ssl_handshake_timeout=self._limits.header_seconds,
                    ssl_shutdown_timeout=self._limits.linger_seconds,
                )
        except (OSError, asyncio.CancelledError) as error:
            client.close()
            self._ended(connection)
            if isinstance(error, ssl.SSLError):
                self._refused(peer, error.reason or str(error))
        else:
            if connection in self._open:
                self._open[connection] = None

    def _make_room(self) -> bool:
        """Close the connection that waits longest, else that of the reader who has stalled longest, if there is one."""
        waits = [
            (connection.waits_since, connection) for connection in self._open if connection.waits_since is not None
        ]
        stalls = [
            (connection.stalls_since, connection) for connection in self._open if connection.stalls_since is not None
        ]
        for candidates in (waits, stalls):
            if candidates:
                self._drop(min(candidates, key=lambda candidate: candidate[0])[1])
                return True
        return False

    def _drop(self, connection: Connection) -> None:
        handshake = self._open[connection]
        if handshake is not None:
            handshake.cancel()
        connection.abort()
        self._ended(connection)

    def _ended(self, connection: Connection) -> None:
        self._open.pop(connection, None)
        if not self._open:
            self._empty.set()

    def _refused(self, client: Peer, reason: str) -> None:
        self._complain("TLS did not let in a client", client=client[0] if client else None, problem=reason)

    def _complain(self, trouble: str, **about: object) -> None:
        """Log trouble that any client can cause: one line per minute, with the number of those left out."""
        now = asyncio.get_running_loop().time()
        if now - self._complained_at < COMPLAINT_SECONDS:
            self._complaints += 1
            return
        log.warning(trouble, extra=fields(**about, left_out=self._complaints))
        self._complained_at, self._complaints = now, 0
