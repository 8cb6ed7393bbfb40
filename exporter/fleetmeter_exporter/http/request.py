"""One request, as ASGI has it: its scope, and the two channels by which the application answers it."""

import asyncio
from typing import Protocol
from urllib.parse import unquote, urlsplit

import h11

from fleetmeter_exporter.http.responses import Headers, Message

Peer = tuple[str, int] | None


class ResponseSink(Protocol):
    """What carries a response to its client."""

    async def begin(self, status: int, headers: Headers) -> None:
        """Send status and headers, at the latest with the first of the body."""

    async def send(self, body: bytes, *, last: bool) -> None:
        """Send some of the body; returns once that is on its way, or once the client is gone."""


def scope_of(request: h11.Request, scheme: str, client: Peer, server: Peer) -> Message:
    """The ASGI scope of a request. A target in absolute form, as proxies send it, counts by its path."""
    target = request.target.decode("ascii")
    if not target.startswith("/"):
        parts = urlsplit(target)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": request.http_version.decode("ascii"),
        "method": request.method.decode("ascii"),
        "scheme": scheme,
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": list(request.headers),
        "client": client,
        "server": server,
    }


class RequestCycle:
    """`receive` and `send` for one request. Its body is empty, whatever was sent: nothing here takes one."""

    def __init__(self, writer: ResponseSink, method: str) -> None:
        self._writer = writer
        self._without_body = method == "HEAD"
        self._asked = False
        self._over = asyncio.Event()
        self.begun = False
        self.complete = False

    def end(self) -> None:
        """Tell the application that the client is gone, or has all that it wanted."""
        self._over.set()

    async def receive(self) -> Message:
        """The whole request first; then, once it is over, that the client is gone."""
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Send a part of the response. Raises `RuntimeError` for one that is not due."""
        kind = message["type"]
        if kind == "http.response.start" and not self.begun:
            self.begun = True
            await self._writer.begin(message["status"], list(message.get("headers", ())))
        elif kind == "http.response.body" and self.begun and not self.complete:
            self.complete = not message.get("more_body", False)
            body = b"" if self._without_body else message.get("body", b"")
            await self._writer.send(body, last=self.complete)
            if self.complete:
                self.end()
        else:
            raise RuntimeError(f"{kind!r} is not due in this response")
