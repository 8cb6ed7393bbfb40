"""The gateway as an ASGI application: routes, bounds that hold for all of them, and every error in OpenAI's shape."""

import asyncio
import json
import logging
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fleetmeter.llm import record_error
from fleetmeter.llm.catalogue import CLIENT_RETRIES
from fleetmeter_app.errors import ApiError, InvalidRequestError
from fleetmeter_app.serving.ask import Questions
from fleetmeter_app.serving.chunks import JSON
from fleetmeter_app.serving.exchange import ClientLeftError, Exchange, Message, Receive, Send
from fleetmeter_app.serving.invalidation import Invalidation
from fleetmeter_app.serving.openai_routes import OpenAIRoutes
from fleetmeter_app.serving.openapi import document
from fleetmeter_app.serving.pipeline import Pipeline

log = logging.getLogger("fleetmeter.app")

UNMATCHED = "__unmatched__"
_MODEL = "/v1/models/{model}"
_OVERLOADED_SECONDS = 1.0
"""After which a caller may come back who was one too many."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")

_RETRY_COUNT = "x-stainless-retry-count"
"""What OpenAI's SDKs say of how often they have sent a request before."""

Handler = Callable[[Exchange], Awaitable[None]]


@dataclass(frozen=True)
class Route:
    """A template, as records name it, and what answers each method there. `free` ones pass when all are busy."""

    path: str
    methods: Mapping[str, Handler]
    free: bool = False


class Api:
    """The application. `metrics` is the ASGI app behind `/metrics`.

    `start` is awaited before the first request, `close` after the last one.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        metrics: Callable[..., Awaitable[None]],
        start: Callable[[], Awaitable[None]],
        close: Callable[[], Awaitable[None]],
    ) -> None:
        self._pipeline = pipeline
        self._metrics = Route("/metrics", {"GET": self._health}, free=True)
        self._metrics_app = metrics
        self._start, self._close = start, close
        self._running = 0
        self._openai = OpenAIRoutes(pipeline)
        routes = [
            Route("/ask", {"POST": Questions(pipeline).handle}),
            Route("/cache/invalidate", {"POST": Invalidation(pipeline).handle}),
            Route("/v1/models", {"GET": self._openai.models}),
            Route("/health", {"GET": self._health}, free=True),
            Route("/ready", {"GET": self._ready}, free=True),
            Route("/openapi.json", {"GET": self._openapi}),
            *(Route(path, {"POST": handle}) for path, handle in self._openai.posts.items()),
        ]
        self._routes = {route.path: route for route in routes}
        for path in ("/ask", *self._openai.posts):  # a series from the start, so that its first increase is seen
            CLIENT_RETRIES.labels(path)
        self._model = Route(_MODEL, {"GET": self._get_model})

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, or the application's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:  # a websocket, which nothing here speaks
            await send({"type": "websocket.close", "code": 1000})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        scope.setdefault("state", {})["request_id"] = _request_id(scope)
        if path == "/metrics":
            # One address of the fleet is enough for Prometheus: every replica's /metrics shows the totals of all of
            # them, so a discovery that scrapes each of N replicas would sum N times the truth.
            scope["route"] = self._metrics
            await self._metrics_app(scope, receive, _with_id(send, scope))
            return
        route = self._routes.get(path)
        if route is None and path.startswith("/v1/models/"):
            route = self._model
        exchange = Exchange(scope, receive, send, UNMATCHED if route is None else route.path)
        if route is not None:
            scope["route"] = route
        try:
            await self._answer(exchange, route)
        except ApiError as error:
            await self._refuse(exchange, error)
        except asyncio.CancelledError:
            await self._cancelled(exchange)
        except Exception as error:
            # the server logs the error itself, with its traceback
            log.error("request %s to %s: unexpected %s", exchange.request_id, exchange.template, type(error).__name__)  # noqa: TRY400
            failed = ApiError(
                500, "server_error", "The gateway failed; the log of this replica says why.", code="internal_error"
            )
            await self._refuse(exchange, failed, type(error).__name__)
            raise

    async def _answer(self, exchange: Exchange, route: Route | None) -> None:
        method = exchange.scope["method"]
        if route is None:
            raise NoRouteError(404, f"{method} {exchange.scope['path'][:256]}: Not Found.", "unknown_url")
        handle = route.methods.get(method) or (route.methods.get("GET") if method == "HEAD" else None)
        if handle is None:
            exchange.extra["allow"] = ", ".join(route.methods)
            raise NoRouteError(405, f"{method} {exchange.scope['path']}: Method Not Allowed.", "method_not_allowed")
        limits = self._pipeline.loaded.config.limits
        exchange.refuse_large(limits.max_body_bytes)
        if route.free:
            await handle(exchange)
            return
        if self._running >= limits.max_concurrent_requests:
            raise ApiError(
                503,
                "server_error",
                "This replica has as many requests as it takes at once.",
                code="overloaded",
                retry_after=_OVERLOADED_SECONDS,
            )
        if exchange.headers.get(_RETRY_COUNT, "0").strip("0").isdecimal():
            CLIENT_RETRIES.labels(exchange.template).inc()
        self._running += 1
        try:
            await handle(exchange)
        finally:
            self._running -= 1

    async def _refuse(self, exchange: Exchange, error: ApiError, name: str | None = None) -> None:
        exchange.unwatch()
        if isinstance(error, ClientLeftError):
            name = "InvalidRequestError"
        record_error(name or _name(error), exchange.template)
        try:
            if not exchange.started:
                if exchange.body_is_left:  # what still comes of it is not read
                    exchange.extra["connection"] = "close"
                await exchange.answer(error.status, json.dumps(error.body()).encode(), JSON, error.headers())
            elif exchange.streaming and not exchange.left:
                await exchange.send(b"", more=False)
        except ClientLeftError:
            return

    async def _cancelled(self, exchange: Exchange) -> None:
        """The client left, or the server ends and takes no longer over what still runs."""
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        if not exchange.left:
            log.warning("request %s was cut off: this replica ends", exchange.request_id)
            ending = ApiError(
                503,
                "server_error",
                "This replica ends; ask again.",
                code="shutting_down",
                retry_after=_OVERLOADED_SECONDS,
            )
            await self._refuse(exchange, ending)
            return
        await self._refuse(exchange, ClientLeftError("before its answer was complete"))

    async def _health(self, exchange: Exchange) -> None:
        """Whether the process runs."""
        await _send(exchange, {"status": "ok"})

    async def _ready(self, exchange: Exchange) -> None:
        """Whether questions can be answered: also while the store is away, as counting then catches up later."""
        store = await self._pipeline.seams.cache.reachable()
        await _send(exchange, {"status": "ready", "store": "ok" if store else "away"})

    async def _openapi(self, exchange: Exchange) -> None:
        await _send(exchange, document())

    async def _get_model(self, exchange: Exchange) -> None:
        await self._openai.model(exchange, exchange.scope["path"].removeprefix("/v1/models/"))


class NoRouteError(InvalidRequestError):
    """Nothing answers there."""

    def __init__(self, status: int, message: str, code: str) -> None:
        super().__init__(message, code=code, status=status)


def _name(error: ApiError) -> str:
    return "HTTPException" if isinstance(error, NoRouteError) else type(error).__name__


def _request_id(scope: Message) -> str:
    """The caller's id for its request if it is one, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text: str = value.decode("latin-1")
            if _REQUEST_ID.fullmatch(text):
                return text
    return f"req_{uuid.uuid4().hex}"


def _with_id(send: Send, scope: Message) -> Send:
    async def send_with_id(message: Message) -> None:
        if message["type"] == "http.response.start":
            id_header = (b"x-request-id", scope["state"]["request_id"].encode())
            message["headers"] = [*message.get("headers", ()), id_header]
        await send(message)

    return send_with_id


async def _send(exchange: Exchange, body: Any) -> None:
    await exchange.answer(200, json.dumps(body).encode(), JSON, {})
