"""uvicorn's HTTP/1.1 with bounds: of heads, unread bodies, answers that nobody takes, and connections."""

import json
from array import array
from asyncio import TimerHandle, Transport
from fcntl import ioctl
from termios import TIOCOUTQ
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fleetmeter_app.config.limits import LimitsConfig
from fleetmeter_app.errors import ApiError, InvalidRequestError

_REASONS = {
    400: "Bad Request",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


_GRACE_SECONDS = 2.0
"""After which a body that the application does not end in time is ended here: it may have begun to read later."""
_MOST_WAITING = 16
"""Requests that a client may send before the answers to those before them: SDKs send one."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection; `limits` are those of the class that `bounded` makes.

    What is refused here never reaches the application, and ends the connection. Bodies are the application's to refuse;
    those of routes that read none are ended here. A connection whose client takes nothing of an answer is cut.
    """

    limits: LimitsConfig

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._timer: TimerHandle | None = None
        self._send_timer: TimerHandle | None = None
        self._in_head = True
        self._in_body = False
        self._head_bytes = 0
        self._body_bytes = 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A client is there."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.max_connections:
            message = f"This replica has as many connections as it takes, {self.limits.max_connections}."
            self._refuse(ApiError(503, "server_error", message, code="overloaded", retry_after=1.0))
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._stop_timer()
        self._stop_send_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes are there; those of a head are counted until it is complete, those of a body until it is."""
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
        else:
            self._body_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_body:
            self._watch_body()
        elif not self._in_head and self.timeout_keep_alive_task is None and self.cycle.response_complete:
            self._expect_request()
        elif self._in_head and self._head_bytes > self.limits.max_header_bytes:
            self._refuse(self._too_large())

    def on_message_begin(self) -> None:
        """A request begins, on a connection that may have had others."""
        if len(self.pipeline) >= _MOST_WAITING:
            self.transport.abort()
        super().on_message_begin()
        if not self._in_head:
            self._head_bytes = 0
            self._expect_head()

    def on_headers_complete(self) -> None:
        """The head is complete: the application gets the request, unless it is too large."""
        self._stop_timer()
        self._in_head = False
        if self.transport.is_closing():
            return
        self._in_body, self._body_bytes = True, 0
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size <= self.limits.max_header_bytes:
            super().on_headers_complete()
            return
        app, self.app = self.app, _answering(self._too_large())
        try:
            super().on_headers_complete()
        finally:
            self.app = app

    def on_message_complete(self) -> None:
        """The body is complete."""
        self._in_body = False
        self._stop_timer()
        if not self.transport.is_closing():
            super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        if not self.transport.is_closing():
            super().on_body(body)

    def pause_writing(self) -> None:
        """The client does not take what it is sent."""
        super().pause_writing()
        if self._send_timer is None:
            self._expect_less(self._waiting_bytes())

    def resume_writing(self) -> None:
        """The client has taken most of it."""
        self._stop_send_timer()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._refuse(InvalidRequestError(msg, code="malformed_http"))

    def _expect_request(self) -> None:
        """What came was no request, as the end of a body that nobody read: the time for the next one begins again."""
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _expect_head(self) -> None:
        self._in_head = True
        self._stop_timer()
        self._timer = self.loop.call_later(self.limits.header_seconds, self._late)

    def _watch_body(self) -> None:
        """A body is on its way: it has its time, and once its request is answered nothing above its bound is taken."""
        if self._timer is None:
            self._timer = self.loop.call_later(self.limits.body_seconds + _GRACE_SECONDS, self._body_late)
        if self._body_bytes > self.limits.max_body_bytes and self.cycle.response_complete:
            self.transport.close()

    def _expect_less(self, waiting_bytes: int) -> None:
        """Cut the connection unless fewer bytes wait for the client after its time: a large answer may take longer."""

        def look() -> None:
            left = self._waiting_bytes()
            if left < waiting_bytes:
                self._expect_less(left)
            else:
                self.transport.abort()

        self._send_timer = self.loop.call_later(self.limits.send_seconds, look)

    def _waiting_bytes(self) -> int:
        """What the client has not taken: here, and in the system's buffer, which tells us of room only by the MB."""
        there = array("i", [0])
        try:
            ioctl(self.transport.get_extra_info("socket").fileno(), TIOCOUTQ, there)
        except OSError:
            there[0] = 0  # a system that does not tell
        return self.transport.get_write_buffer_size() + there[0]

    def _body_late(self) -> None:
        self._timer = None
        if self.flow.read_paused:  # it is we who do not read
            self._watch_body()
        else:
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_send_timer(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None

    def _late(self) -> None:
        seconds = self.limits.header_seconds
        if not self.transport.is_closing():
            message = f"The head of the request was not complete after {seconds:g} seconds."
            self._refuse(InvalidRequestError(message, code="head_too_slow", status=408))

    def _too_large(self) -> InvalidRequestError:
        message = f"The head of the request has more than {self.limits.max_header_bytes} bytes."
        return InvalidRequestError(message, code="head_too_large", status=431)

    def _refuse(self, error: ApiError) -> None:
        self._stop_timer()
        body = json.dumps(error.body()).encode()
        headers = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "connection": "close",
            **error.headers(),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.transport.write(f"HTTP/1.1 {error.status} {_REASONS[error.status]}\r\n{head}\r\n".encode() + body)
        self.transport.close()


def bounded(limits: LimitsConfig) -> type[BoundedProtocol]:
    """The protocol with these limits, as uvicorn takes it: a class."""
    return type("BoundedProtocol", (BoundedProtocol,), {"limits": limits})


def _answering(error: ApiError) -> Any:
    """An application that refuses whatever it is asked."""

    async def refuse(_scope: Any, _receive: Any, send: Any) -> None:
        body = json.dumps(error.body()).encode()
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": error.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return refuse
