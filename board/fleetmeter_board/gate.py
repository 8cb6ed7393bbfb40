"""What stands before the board beside the web configuration: pages of other sites may not ask it."""

from collections.abc import Callable
from urllib.parse import urlsplit

from fleetmeter_board.settings import is_loopback
from fleetmeter_exporter.http.responses import Application, Message, Receive, Response, Send, headers_of, respond

_REFUSED = 1008
"""The code with which a WebSocket is closed before it is open: policy violation."""
_POLICY = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; font-src 'self' data:; connect-src 'self' ws: wss:; frame-ancestors 'self'; "
    b"base-uri 'self'; form-action 'none'"
)
"""NiceGUI's pages hold scripts and compile templates, so both are permitted; nothing may come from another host."""
_HEADERS = {
    b"content-security-policy": _POLICY,
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
}


class SameSite:
    """An ASGI application that refuses what a page of another site asks by way of a user's browser.

    A browser says with `Origin` which site a request comes from. With `only_here` the board is for this machine alone,
    without users: then `Host` must be a name of this machine, too, because another site's name can be made to lead here
    (DNS rebinding).
    """

    def __init__(self, application: Application, only_here: Callable[[], bool]) -> None:
        self._application = application
        self._only_here = only_here

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or let a WebSocket be opened."""
        if scope["type"] not in ("http", "websocket"):
            await self._application(scope, receive, send)
            return
        problem = self._problem(headers_of(scope))
        if problem and scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _REFUSED})
        elif problem:
            await respond(scope, send, Response(403, f"{problem}\n".encode()))
        else:
            await self._application(scope, receive, _with_headers(send))

    def _problem(self, headers: dict[bytes, bytes]) -> str:
        host = headers.get(b"host", b"").decode("latin-1")
        origin = headers.get(b"origin", b"").decode("latin-1")
        try:
            named = urlsplit(f"//{host}").hostname or ""
            foreign = bool(origin) and urlsplit(origin).netloc.lower() != host.lower()
        except ValueError:
            return "the header Host or Origin cannot be read"
        if foreign:
            return "a page of another site may not ask this board"
        if self._only_here() and not is_loopback(named):
            return (
                f"this board is for this machine only, and {named!r} is no name of it; ask for 127.0.0.1, set users "
                "with --web.config.file, or start it with --web.allow-anyone"
            )
        return ""


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            there = {name.lower() for name, _ in message.get("headers", ())}
            more = [(name, value) for name, value in _HEADERS.items() if name not in there]
            message = {**message, "headers": [*message.get("headers", ()), *more]}
        await send(message)

    return send_with_headers
