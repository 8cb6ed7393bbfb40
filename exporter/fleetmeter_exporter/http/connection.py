"""One client's connection: HTTP/1.1 by h11, one request after another, within the limits."""

import asyncio
import logging
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

import h11

from fleetmeter_exporter.http.channel import Channel
from fleetmeter_exporter.http.limits import Limits
from fleetmeter_exporter.http.request import Peer, RequestCycle, scope_of
from fleetmeter_exporter.http.responses import Application, Headers, Message
from fleetmeter_exporter.http.tls import TLS
from fleetmeter_exporter.logs import fields

_PIECE = 2048
"""Bytes that are parsed at a time: by so much a header may be longer than its limit."""

log = logging.getLogger("fleetmeter.exporter")


class Connection(Channel):
    """Parses a client's requests and lets the application answer them.

    `tls` is what its handshake went by, `current_tls` says what one would go by now: a connection that was made under
    other rules is closed when it asks again. `ended` is called once, when it is gone; `refused` with the reason why
    TLS did not let it in.
    """

    def __init__(
        self,
        application: Application,
        limits: Limits,
        tls: TLS | None,
        current_tls: Callable[[], TLS | None],
        ended: Callable[["Connection"], None],
        refused: Callable[[Peer, str], None],
    ) -> None:
        super().__init__(limits)
        self._application = application
        self._tls = tls
        self._current_tls = current_tls
        self._ended = ended
        self._refused = refused
        self._http = h11.Connection(h11.SERVER, limits.header_bytes)
        self._client: Peer = None
        self._server: Peer = None
        self._exchange: RequestCycle | None = None
        self._task: asyncio.Task[None] | None = None
        self._head: h11.Response | None = None
        self._body_bytes = 0
        self._stopping = False
        self.waits_since: float | None = self._loop.time()
        """When it began to wait for a request (or to shake hands); None while one is being answered."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The handshake is over: wait for a request."""
        super().connection_made(transport)
        self._client = _address(transport.get_extra_info("peername"))
        self._server = _address(transport.get_extra_info("sockname"))
        if self._tls is not None and (reason := self._tls.refusal(transport.get_extra_info("ssl_object"))):
            self._refused(self._client, reason)
            self.abort()
        elif self._stopping:
            self.close()
        else:
            self._arm(self._limits.header_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone; what answers it goes on into the void."""
        super().connection_lost(exc)
        if self._exchange is not None:
            self._exchange.end()
        self._ended(self)

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        for start in range(0, len(data), _PIECE):  # h11 bounds only headers that it has seen unfinished
            if self._closing:
                return
            if self.waits_since is not None and not self._http.trailing_data[0]:
                self._arm(self._limits.header_seconds)
            self._http.receive_data(data[start : start + _PIECE])
            self._advance()

    def eof_received(self) -> bool:
        """The client will send no more; one that closed only its half still gets its answer."""
        if not self._closing:
            self._http.receive_data(b"")
            self._advance()
        return self._tls is None and self.waits_since is None

    def stop(self) -> None:
        """Take no further request; end at once if there is none."""
        self._stopping = True
        if self.waits_since is not None and self._transport is not None:
            self.close()

    async def begin(self, status: int, headers: Headers) -> None:
        """Keep status and headers for the first part of the body."""
        if self._stopping or self._http.their_state is not h11.DONE:
            headers = [*headers, (b"connection", b"close")]
        headers.append((b"date", formatdate(usegmt=True).encode()))
        self._head = h11.Response(status_code=status, headers=headers, reason=HTTPStatus(status).phrase)
        self._deadline = self._loop.time() + self._limits.response_seconds

    async def send(self, body: bytes, *, last: bool) -> None:
        """Send a part of the body, piece by piece as the client takes it."""
        events: list[h11.Event] = [h11.Data(data=body)] if body else []
        if self._head is not None:
            events.insert(0, self._head)
            self._head = None
        if last:
            events.append(h11.EndOfMessage())
        for event in events:
            if self._gone:
                return
            await self._write(self._http.send(event) or b"")

    def _advance(self) -> None:
        """Go through what has arrived, up to the next thing that has to be waited for."""
        while not self._closing:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                if self.waits_since is not None:
                    self._refuse(error.error_status_hint)
                return  # of a request that is being answered, the rest was wrong: it is the last one
            if isinstance(event, h11.Request):
                self._answer(event)
            elif isinstance(event, h11.Data):
                self._body_bytes += len(event.data)
                if self._body_bytes > self._limits.body_bytes:
                    self._read_on(on=False)
                    return
            elif event is h11.PAUSED:
                if len(self._http.trailing_data[0]) > self._limits.header_bytes:
                    self._read_on(on=False)
                return
            elif event is h11.NEED_DATA:
                return
            elif isinstance(event, h11.ConnectionClosed):
                if self.waits_since is not None:
                    self.close()
                return

    def _answer(self, request: h11.Request) -> None:
        if self._current_tls() is not self._tls:  # clients ask again on a new connection, as with any idle one
            self.close()
            return
        self._disarm()
        self.waits_since = None
        self._body_bytes = 0
        scope = scope_of(request, "https" if self._tls else "http", self._client, self._server)
        self._exchange = RequestCycle(self, scope["method"])
        self._task = self._loop.create_task(self._run(scope, self._exchange))

    async def _run(self, scope: Message, exchange: RequestCycle) -> None:
        try:
            await self._application(scope, exchange.receive, exchange.send)
        except Exception:  # whatever the application met: it costs this request, and no other
            log.exception("a request could not be answered", extra=fields(path=scope["path"]))
            if not exchange.begun:
                await self._say(500)
        finally:
            self._exchange = None
            self._settle()

    def _settle(self) -> None:
        """A response is over: go on with the next request if there may be one."""
        if self._gone:
            return
        if self._http.our_state is h11.SEND_BODY or self._http.our_state is h11.SEND_RESPONSE:
            self.abort()  # the application has left it unfinished
        elif self._stopping or self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            self.waits_since = self._loop.time()
            self.close(linger=self._http.their_state is h11.SEND_BODY)
        elif not self._closing:
            self.waits_since = self._loop.time()
            self._http.start_next_cycle()
            self._read_on(on=True)
            begun = bool(self._http.trailing_data[0])
            self._arm(self._limits.header_seconds if begun else self._limits.idle_seconds)
            self._advance()

    def _refuse(self, status: int) -> None:
        """Say why a request cannot be understood, and end."""

        async def answer() -> None:
            await self._say(status)
            if not self._gone:
                self.close(linger=True)

        self._disarm()
        self.waits_since = None
        self._task = self._loop.create_task(answer())

    async def _say(self, status: int) -> None:
        body = f"{HTTPStatus(status).phrase}\n".encode()
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
        await self.begin(status, headers)
        await self.send(body, last=True)


def _address(name: Any) -> Peer:
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None
