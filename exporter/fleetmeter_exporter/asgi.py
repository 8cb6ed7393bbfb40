"""The exporter's HTTP interface as a plain ASGI application."""

import asyncio
import gzip
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from prometheus_client import CollectorRegistry

from fleetmeter.continuity import HOLD
from fleetmeter.errors import FleetmeterError
from fleetmeter_exporter.collector import RedisCollector
from fleetmeter_exporter.exposition import fleet_registry, negotiated
from fleetmeter_exporter.start import Start

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Handler = Callable[[Message], Awaitable[tuple[int, str, bytes]]]

_PLAIN = "text/plain; charset=utf-8"
_NEVER = re.compile(rb"\s*q\s*=\s*0(\.0*)?\s*")  # a coding's weight in Accept-Encoding (RFC 9110, 12.4.2)


def make_asgi_app(
    *,
    url: str | None = None,
    namespace: str | None = None,
    telemetry_path: str | None = None,
    hold: float = HOLD,
    start_delay: float = 0.0,
) -> "MetricsApp":
    """An ASGI application that serves the fleet's exposition.

    Without `telemetry_path` it answers on whatever path it is routed to, and on no other: put it on a route, as a
    mount would answer `/metrics` with a redirect. With one, it is the whole exporter: that path, `/-/healthy` and
    `/-/ready`. `hold` is in seconds (see `RedisCollector`); for the first `start_delay` seconds the exposition is 503,
    so that replicas can send again what the store may have lost since another exporter served it (see `Start`).
    Raises `SettingError` for settings that cannot be used; the store may be away.
    """
    registry, collector = fleet_registry(url, namespace, hold)
    return MetricsApp(registry, collector, telemetry_path, start_delay)


class MetricsApp:
    """The ASGI application; an object and no function, because Starlette's routes call a function with a Request."""

    def __init__(
        self,
        registry: CollectorRegistry,
        collector: RedisCollector,
        telemetry_path: str | None = None,
        start_delay: float = 0.0,
    ) -> None:
        self._registry = registry
        self._collector = collector
        self._any_path = telemetry_path is None
        self._start = Start(collector.look, start_delay)
        self._routes: dict[str, Handler] = {
            telemetry_path or "": self._metrics,
            "/-/healthy": self._healthy,
            "/-/ready": self._ready,
        }

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"the exporter speaks HTTP only, not {scope['type']!r}")
        handler = self._metrics if self._any_path else self._routes.get(scope["path"])
        if handler is None:
            known = ", ".join(self._routes)
            await _respond(scope, send, 404, _PLAIN, f"nothing here; try {known}\n".encode())
        elif scope["method"] not in ("GET", "HEAD"):
            await _respond(scope, send, 405, _PLAIN, b"use GET or HEAD\n", [(b"allow", b"GET, HEAD")])
        else:
            await _respond(scope, send, *await handler(scope))

    async def _metrics(self, scope: Message) -> tuple[int, str, bytes]:
        too_early = await asyncio.to_thread(self._too_early)
        if too_early:
            return 503, _PLAIN, f"{too_early}\n".encode()
        names = parse_qs(scope["query_string"].decode("latin-1")).get("name[]", [])
        accept = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
        body, content_type = await asyncio.to_thread(negotiated, self._registry, accept, names)
        return 200, content_type, body

    async def _ready(self, _scope: Message) -> tuple[int, str, bytes]:
        try:
            await asyncio.to_thread(self._collector.check)
        except FleetmeterError as error:
            return 503, _PLAIN, f"not ready: {error}\n".encode()
        too_early = await asyncio.to_thread(self._too_early)
        if too_early:
            return 503, _PLAIN, f"not ready: {too_early}\n".encode()
        return 200, _PLAIN, b"ready\n"

    def _too_early(self) -> str:
        """Why nothing may be served yet; empty once it may."""
        try:
            left = self._start.seconds_left()
        except FleetmeterError:
            return ""  # the scrape shows that the store cannot be read
        if not left:
            return ""
        return f"started just now; replicas have {left:.1f} s more to send again what the store may have lost"

    async def _healthy(self, _scope: Message) -> tuple[int, str, bytes]:
        return 200, _PLAIN, b"healthy\n"


async def _respond(
    scope: Message,
    send: Send,
    status: int,
    content_type: str,
    body: bytes,
    more_headers: list[tuple[bytes, bytes]] | None = None,
) -> None:
    headers = [(b"content-type", content_type.encode()), (b"vary", b"Accept, Accept-Encoding"), *(more_headers or [])]
    if status == 200 and _accepts_gzip(scope):
        body = gzip.compress(body, compresslevel=1)
        headers.append((b"content-encoding", b"gzip"))
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _accepts_gzip(scope: Message) -> bool:
    accepted = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")
    codings = (item.partition(b";") for item in accepted.lower().split(b","))
    return any(coding.strip() == b"gzip" and not _NEVER.fullmatch(weight) for coding, _, weight in codings)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
