"""One HTTP request and its response, counted while their messages pass: bytes, status, and who left first."""

from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from time import perf_counter
from typing import Any

from fleetmeter.attribution.context import Attributes

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

CLIENT_CLOSED_REQUEST = 499
"""The status of a request whose client left before any response: the code that nginx logs for it."""


class Exchange:
    """What passes between the server and the application for one request.

    `ended` is called once, with this object and the seconds that it took, when the response is sent. `attributes` are
    the values in force for the request.
    """

    __slots__ = (
        "_done",
        "_ended",
        "_receive",
        "_send",
        "_started",
        "_status",
        "attributes",
        "client_left",
        "outermost",
        "received",
        "scope",
        "sent",
    )

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        ended: Callable[["Exchange", float], None],
        *,
        outermost: bool,
    ) -> None:
        self._ended = ended
        self._receive = receive
        self._send = send
        self._done = False
        self.scope = scope
        self.attributes = Attributes()
        self.outermost = outermost
        self._status: int | None = None
        self.client_left = False
        self.received = 0
        self.sent = 0
        self._started = perf_counter()

    @property
    def status(self) -> int:
        """The status that was sent; without one 499 if the client has left, else 500."""
        if self._status is not None:
            return self._status
        return CLIENT_CLOSED_REQUEST if self.client_left else 500

    async def receive(self) -> Message:
        """What the server has for the application."""
        message = await self._receive()
        if message["type"] == "http.request":
            self.received += _size(message.get("body"))
        elif message["type"] == "http.disconnect":
            self.client_left = True
        return message

    async def send(self, message: Message) -> None:
        """Hand the application's message on to the server."""
        try:
            await self._send(message)
        except OSError:  # ASGI 2.4: what a server raises when the client has left
            self.client_left = True
            raise
        kind = message["type"]
        if kind == "http.response.body":
            if not self.client_left and self.scope["method"] != "HEAD":
                self.sent += _size(message.get("body"))
            if not message.get("more_body"):
                self.finish()
        elif kind == "http.response.start":
            if not self.client_left:
                self._status = message["status"]
        elif kind == "http.response.pathsend":  # an ASGI extension: the server sends the file itself
            if not self.client_left and self.scope["method"] != "HEAD":
                self.sent += _file_size(message.get("path"))
            self.finish()

    def finish(self) -> None:
        """Tell that the request has ended, unless that was told already."""
        if not self._done:
            self._done = True
            self._ended(self, perf_counter() - self._started)


def _size(body: object) -> int:
    if isinstance(body, bytes | bytearray):
        return len(body)
    return body.nbytes if isinstance(body, memoryview) else 0


def _file_size(path: str | None) -> int:
    try:
        return Path(path or "").stat().st_size
    except OSError:  # gone since: the server had it open
        return 0
