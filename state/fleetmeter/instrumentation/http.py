"""A pure ASGI middleware that counts HTTP requests, to the last byte."""

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from time import monotonic

from prometheus_client import Gauge

from fleetmeter.attribution.context import Attributes, current_attributes, in_force
from fleetmeter.instrumentation.endpoints import Endpoints
from fleetmeter.instrumentation.http_exchange import Exchange, Message, Receive, Scope, Send
from fleetmeter.instrumentation.http_metrics import HTTPMetrics
from fleetmeter.keywords import names_its_arguments
from fleetmeter.process.transaction import atomic

ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

DEFAULT_EXCLUDED = ("/health", "/ready", "/metrics")
"""Asked by machines every few seconds: counted, they would drown the traffic of people."""

_COUNTED_BY = "fleetmeter.http"
"""Scope key: the families that count this request already, in an outer middleware."""

_LOG_INTERVAL = 60.0
"""Seconds between two log lines about trouble in the metrics."""

_logger = logging.getLogger("fleetmeter")


class HTTPMiddleware:
    """Counts every HTTP request of an ASGI application; websockets pass through untouched.

    Each request is recorded once, atomically, when the last byte of its response is sent: work that goes on
    after that (background tasks) counts neither as duration nor as in progress. Sizes are the bytes of the
    bodies that were really read by the application and really sent, streamed and chunked ones included,
    without headers; the response to HEAD has none.

    The status is the code that was sent. A request that ends without one is a 500, or a 499 when its client
    left first; a response that begins after its client has left is a 499 too, because nobody received it.
    Only the server knows that a client has left: when the application does not listen (it reads no body, it
    does not stream) and the server's `send` does not say so, the status is the one the application gave.

    Whatever goes wrong in the metrics is logged, once a minute at most, and never reaches the application.

    Args:
        app: the application to count.
        metrics: the families to record in; without it, `HTTPMetrics()`.
        excluded: route templates that are not counted. A request whose path is one of them passes through
            untouched; one that turns out to have such a template shows in `http_requests_in_progress` only.
        labels: values of the labels of the user's own, by name, for a request's scope. It is asked when a request
            begins, for what is recorded while it is answered, and again at its end, for the request itself: what
            the application has put into `scope["state"]` is there by then. `metrics` have to be labelled.
        on_start: called once, when the application begins to serve: when its lifespan has started, or at the first
            request.
        on_shutdown: awaited before the server learns that the lifespan has ended, so that the last counts
            leave a process which the server is about to kill.
        requests_gauge: goes up by one with each request; a nested middleware leaves it to the outermost.
        errors_gauge: goes up by one with each request whose status is 500 or more.
    """

    @names_its_arguments
    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: HTTPMetrics | None = None,
        excluded: Collection[str] = DEFAULT_EXCLUDED,
        labels: Callable[[Scope], Mapping[str, object]] | None = None,
        on_start: Callable[[], object] | None = None,
        on_shutdown: Callable[[], Awaitable[object]] | None = None,
        requests_gauge: Gauge | None = None,
        errors_gauge: Gauge | None = None,
    ) -> None:
        self.app = app
        self._metrics = HTTPMetrics() if metrics is None else metrics
        self._in_progress = self._metrics.families.in_progress
        self._excluded = frozenset(excluded)
        self._labels = labels
        self._on_start = on_start
        self._on_shutdown = on_shutdown
        self._requests_gauge = requests_gauge
        self._errors_gauge = errors_gauge
        self._endpoints = Endpoints()
        self._next_log = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; every exception of its own goes on to the server."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, self._told(send))
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self._on_start is not None:
            self._started()
        outer = scope.get(_COUNTED_BY, ())
        if self._metrics.families in outer or _route_path(scope) in self._excluded:
            await self.app(scope, receive, send)
            return
        scope[_COUNTED_BY] = (*outer, self._metrics.families)
        exchange = Exchange(scope, receive, send, self._record, outermost=not outer)
        self._begin()
        exchange.attributes = self._attributes(scope)
        with in_force(exchange.attributes):
            try:
                await self.app(scope, exchange.receive, exchange.send)
            finally:
                exchange.finish()

    def _attributes(self, scope: Scope) -> Attributes:
        """The values in force for a request, with those that `labels` tells of it."""
        found = current_attributes()
        if self._labels is None:
            return found
        try:
            return Attributes({**found, **self._labels(scope)})
        except Exception as error:  # noqa: BLE001 - the user's function must not cost a request
            self._trouble("the labels of an HTTP request are not known", error)
            return found

    def _begin(self) -> None:
        try:
            self._in_progress.inc()
        except Exception as error:  # noqa: BLE001 - a broken metric must not cost a request
            self._trouble("the start of an HTTP request was not counted", error)

    def _record(self, exchange: Exchange, seconds: float) -> None:
        """Count one finished request: everything in one atomic block."""
        try:
            scope = exchange.scope
            status = exchange.status
            endpoint = self._endpoints.template(scope)
            found = self._attributes(scope)
            if found == exchange.attributes:
                found = exchange.attributes  # so that a value which is not admitted is counted once
            with in_force(found), atomic():
                self._in_progress.dec()
                if endpoint in self._excluded:
                    return
                self._metrics.record(scope["method"], endpoint, status, seconds, exchange.received, exchange.sent)
                if exchange.outermost and self._requests_gauge is not None:
                    self._requests_gauge.inc()
                if exchange.outermost and self._errors_gauge is not None and status >= 500:
                    self._errors_gauge.inc()
        except Exception as error:  # noqa: BLE001 - a broken metric must not cost a request
            self._trouble("an HTTP request was not counted", error)

    def _told(self, send: Send) -> Send:
        """The application's way to say how its lifespan goes."""

        async def hear_and_send(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._started()
            elif message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                await self._flush()
            await send(message)

        return hear_and_send

    def _started(self) -> None:
        on_start, self._on_start = self._on_start, None
        if on_start is None:
            return
        try:
            on_start()
        except Exception as error:  # noqa: BLE001 - what is wrong with metrics must not keep the application from serving
            self._trouble("the start of the application went unnoticed", error)

    async def _flush(self) -> None:
        if self._on_shutdown is None:
            return
        try:
            await self._on_shutdown()
        except Exception as error:  # noqa: BLE001 - a store that is away must not keep the server from stopping
            self._trouble("the last counts were not flushed when the application stopped", error)

    def _trouble(self, what: str, error: Exception) -> None:
        now = monotonic()
        if now >= self._next_log:
            self._next_log = now + _LOG_INTERVAL
            _logger.error("%s; the application goes on", what, exc_info=error)


def _route_path(scope: Scope) -> str:
    """The path below `root_path`, as routers see it (servers put the root path before it)."""
    path: str = scope["path"]
    root_path: str = scope.get("root_path", "")
    if root_path and path.startswith(root_path + "/"):
        return path[len(root_path) :]
    return path
