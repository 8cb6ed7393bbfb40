"""What stands before the exporter's application: a rate limit, extra response headers, users and their passwords."""

import time
from collections.abc import Callable

from fleetmeter_exporter.http.basic_auth import BasicAuth, TooMany, credentials
from fleetmeter_exporter.http.responses import Application, Headers, Message, Receive, Response, Send, respond
from fleetmeter_exporter.http.web_config import RateLimit, WebConfig

_REFUSED = 1008
"""The code with which a WebSocket is closed before it is open: policy violation."""


class Gate:
    """An ASGI application that lets through to another one what the web configuration allows, on every path."""

    def __init__(
        self,
        application: Application,
        config: Callable[[], WebConfig],
        clock: Callable[[], float] = time.monotonic,
        auth: BasicAuth | None = None,
        realm: str = "fleetmeter-exporter",
    ) -> None:
        self._application = application
        self._config = config
        self._auth = auth or BasicAuth()
        self._bucket = _Bucket(clock)
        self._challenge = (b"www-authenticate", f'Basic realm="{realm}", charset="UTF-8"'.encode())

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or let a WebSocket be opened."""
        if scope["type"] == "websocket":
            await self._open(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        config = self._config()
        extra = [(name.lower().encode(), value.encode()) for name, value in config.headers.items()]

        async def send_with_headers(message: Message) -> None:
            if extra and message["type"] == "http.response.start":
                set_here = {name for name, _ in extra}
                others = [header for header in message.get("headers", ()) if header[0].lower() not in set_here]
                message = {**message, "headers": others + extra}
            await send(message)

        if config.rate_limit and not self._bucket.take(config.rate_limit):
            await respond(scope, send_with_headers, Response(429, b"too many requests\n"))
            return
        if config.users:
            try:
                allowed = await self._allows(config, scope["headers"])
            except TooMany:
                busy = Response(503, b"too many passwords to check\n", headers=[(b"retry-after", b"5")])
                await respond(scope, send_with_headers, busy)
                return
            if not allowed:
                await respond(
                    scope, send_with_headers, Response(401, b"user and password needed\n", headers=[self._challenge])
                )
                return
        await self._application(scope, receive, send_with_headers)

    async def _open(self, scope: Message, receive: Receive, send: Send) -> None:
        config = self._config()
        try:
            allowed = not config.users or await self._allows(config, scope["headers"])
        except TooMany:
            allowed = False
        if allowed and not (config.rate_limit and not self._bucket.take(config.rate_limit)):
            await self._application(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": _REFUSED})

    async def _allows(self, config: WebConfig, headers: Headers) -> bool:
        given = [value for name, value in headers if name == b"authorization"]
        login = credentials(given[0]) if len(given) == 1 else None
        return login is not None and await self._auth.allows(config.users, *login)


class _Bucket:
    """Tokens that come back at a steady rate; a full bucket is a burst."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._limit: RateLimit | None = None
        self._tokens = 0.0
        self._filled_at = clock()

    def take(self, limit: RateLimit) -> bool:
        """Whether there was one; with another limit than before, the bucket is full again."""
        now = self._clock()
        if limit != self._limit:
            self._limit, self._tokens = limit, float(limit.burst)
        else:
            self._tokens = min(limit.burst, self._tokens + (now - self._filled_at) / limit.interval)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
