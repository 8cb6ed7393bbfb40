"""The HTTP middleware: what it counts, when, and that it never stands in the way."""

import asyncio
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge

from fleetmeter.instrumentation import HTTPMetrics, HTTPMiddleware, default_registry
from fleetmeter.instrumentation.http import ASGIApp
from fleetmeter.instrumentation.http_exchange import Message, Receive, Scope, Send
from fleetmeter.instrumentation.http_metrics import MAX_CACHED_CHILDREN

START: Message = {"type": "http.response.start", "status": 200, "headers": []}
LABELS = {"method": "GET", "endpoint": "/things/{thing}"}


class Route:
    """What a router leaves in the scope."""

    path = "/things/{thing}"


class Server:
    """The server's side of one request: hands out messages, keeps what the application sends."""

    def __init__(self, *incoming: Message, gone: bool = False) -> None:
        self.incoming = list(incoming or ({"type": "http.request", "body": b"", "more_body": False},))
        self.sent: list[Message] = []
        self.gone = gone

    async def receive(self) -> Message:
        """The next message, then for ever the one that the client has left."""
        return self.incoming.pop(0) if self.incoming else {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Keep the message; refuse it when the client has left, as ASGI 2.4 servers do."""
        if self.gone:
            raise BrokenPipeError("the client has left")
        self.sent.append(message)


def fresh() -> HTTPMetrics:
    """Families in a registry of their own, so that a test sees its own figures only."""
    return HTTPMetrics(registry=CollectorRegistry())


def value(metrics: HTTPMetrics, name: str, **labels: str) -> float | None:
    """One sample's value, None when there is no such series."""
    for family in (metrics.families.requests, metrics.families.duration, metrics.families.request_size,
                   metrics.families.response_size, metrics.families.in_progress):  # fmt: skip
        for collected in family.collect():
            for sample in collected.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
    return None


def request(middleware: ASGIApp, server: Server, method: str = "GET", path: str = "/things/7") -> Server:
    """Run one request to its end."""
    scope: Scope = {"type": "http", "method": method, "path": path, "root_path": "", "route": Route()}
    asyncio.run(_run(middleware, scope, server))
    return server


async def _run(middleware: ASGIApp, scope: Scope, server: Server) -> None:
    await middleware(scope, server.receive, server.send)


def responding(*messages: Message) -> ASGIApp:
    """An application that reads the whole body and sends these messages."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        for message in messages:
            await send(message)

    return app


def body(*chunks: bytes | bytearray | memoryview) -> list[Message]:
    """A response with these chunks; the last one ends it."""
    last = len(chunks) - 1
    return [START] + [
        {"type": "http.response.body", "body": chunk, "more_body": position < last}
        for position, chunk in enumerate(chunks)
    ]


def statuses(metrics: HTTPMetrics) -> dict[str, float]:
    """How many requests ended with which status."""
    return {
        sample.labels["status"]: sample.value
        for family in metrics.families.requests.collect()
        for sample in family.samples
        if sample.name == "http_requests_total"
    }


def test_everything_of_one_request_is_recorded_once() -> None:
    """One request is one count, one duration, one size in and one size out, and nothing stays in progress."""
    metrics = fresh()
    request(HTTPMiddleware(responding(*body(b"hello")), metrics=metrics), Server())
    assert value(metrics, "http_requests_total", **LABELS, status="200") == 1
    for family in ("request_duration_seconds", "request_size_bytes", "response_size_bytes"):
        assert value(metrics, f"http_{family}_count", **LABELS) == 1
    assert value(metrics, "http_request_size_bytes_sum", **LABELS) == 0
    assert value(metrics, "http_response_size_bytes_sum", **LABELS) == 5
    assert value(metrics, "http_requests_in_progress") == 0


def test_bodies_are_counted_to_the_byte() -> None:
    """Every chunk that came in and went out is counted, whatever bytes-like object carries it."""
    metrics = fresh()
    incoming: list[Message] = [
        {"type": "http.request", "body": b"x" * 1000, "more_body": True},
        {"type": "http.request", "body": b"y" * 24, "more_body": True},
        {"type": "http.request"},
    ]
    wide = memoryview(bytes(80)).cast("q")  # 10 items, 80 bytes
    app = responding(*body(b"a" * 7, bytearray(b"bb"), wide, b""))
    request(HTTPMiddleware(app, metrics=metrics), Server(*incoming), method="POST")
    labels = {**LABELS, "method": "POST"}
    assert value(metrics, "http_request_size_bytes_sum", **labels) == 1024
    assert value(metrics, "http_response_size_bytes_sum", **labels) == 89
    assert value(metrics, "http_request_size_bytes_bucket", **labels, le="1024.0") == 1
    assert value(metrics, "http_request_size_bytes_bucket", **labels, le="256.0") == 0


ONE_BLOCK = """
import asyncio
from prometheus_client import CollectorRegistry
import fleetmeter
from fleetmeter.instrumentation import HTTPMetrics, HTTPMiddleware

fleetmeter.install(url="unix:///nowhere/at/all.sock", flush_interval=600)
registry = CollectorRegistry()
names = ("http_requests_total", "http_request_duration_seconds_count", "http_response_size_bytes_sum")

def show(when):
    found = {s.name: s.value for family in registry.collect() for s in family.samples}
    print(when, *(found.get(name, 0.0) for name in names), found["http_requests_in_progress"])

class Showing(HTTPMetrics):
    def record(self, *values):
        super().record(*values)
        show("inside")

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"body"})
    show("after")

async def server(message=None):
    pass

scope = {"type": "http", "method": "GET", "path": "/"}
asyncio.run(HTTPMiddleware(app, metrics=Showing(registry=registry))(scope, server, server))
fleetmeter.shutdown(0)
"""


def test_one_request_is_one_atomic_block() -> None:
    """Nothing of a request shows before all of it does: the records are added together."""
    program = [sys.executable, "-c", ONE_BLOCK]
    done = subprocess.run(program, check=False, timeout=60, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["inside 0.0 0.0 0.0 1.0", "after 1.0 1.0 4.0 0.0"], done.stderr


def test_messages_pass_unchanged() -> None:
    """The server gets the very messages that the application sent."""
    messages = body(b"a", b"b")
    server = request(HTTPMiddleware(responding(*messages), metrics=fresh()), Server())
    assert [id(message) for message in server.sent] == [id(message) for message in messages]


def test_a_response_to_head_has_no_body() -> None:
    """What servers drop from a response to HEAD is not counted as sent."""
    metrics = fresh()
    request(HTTPMiddleware(responding(*body(b"hello")), metrics=metrics), Server(), method="HEAD")
    assert value(metrics, "http_response_size_bytes_sum", **{**LABELS, "method": "HEAD"}) == 0


def test_a_file_that_the_server_sends_itself_is_counted(tmp_path: Path) -> None:
    """With the pathsend extension the size of the file counts, and the message ends the request."""
    metrics = fresh()
    (tmp_path / "file").write_bytes(b"z" * 321)
    message: Message = {"type": "http.response.pathsend", "path": str(tmp_path / "file")}
    request(HTTPMiddleware(responding(START, message), metrics=metrics), Server())
    assert value(metrics, "http_response_size_bytes_sum", **LABELS) == 321


@pytest.mark.parametrize(("method", "label"), [("PATCH", "PATCH"), ("BREW", "_OTHER"), ("get", "_OTHER")])
def test_unknown_methods_share_one_label(method: str, label: str) -> None:
    """A word that a client made up never becomes a label."""
    metrics = fresh()
    request(HTTPMiddleware(responding(*body(b"")), metrics=metrics), Server(), method=method)
    assert value(metrics, "http_requests_total", **{**LABELS, "method": label}, status="200") == 1


def test_an_exception_before_the_response_is_a_500_and_goes_on() -> None:
    """An escaping exception counts as 500 and reaches the server as it is."""
    metrics = fresh()
    failure = KeyError("boom")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise failure

    with pytest.raises(KeyError) as caught:
        request(HTTPMiddleware(app, metrics=metrics), Server())
    assert caught.value is failure
    assert statuses(metrics) == {"500": 1}
    assert value(metrics, "http_requests_in_progress") == 0


def test_an_exception_after_the_start_keeps_the_status_that_was_sent() -> None:
    """The client saw a 200 and half a body: that is what is counted."""
    metrics = fresh()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        request(HTTPMiddleware(app, metrics=metrics), Server())
    assert statuses(metrics) == {"200": 1}
    assert value(metrics, "http_response_size_bytes_sum", **LABELS) == 4


def test_no_response_at_all_is_a_500() -> None:
    """A server answers 500 for an application that returns without a response."""
    metrics = fresh()
    request(HTTPMiddleware(responding(), metrics=metrics), Server())
    assert statuses(metrics) == {"500": 1}


def test_a_client_that_left_before_the_response_is_a_499() -> None:
    """Nobody received the response that the application made after the client had left."""
    metrics = fresh()
    half: Message = {"type": "http.request", "body": b"half", "more_body": True}
    request(HTTPMiddleware(responding(*body(b"late")), metrics=metrics), Server(half))
    assert statuses(metrics) == {"499": 1}
    assert value(metrics, "http_request_size_bytes_sum", **LABELS) == 4
    assert value(metrics, "http_response_size_bytes_sum", **LABELS) == 0


def test_a_server_that_refuses_to_send_means_a_client_that_left() -> None:
    """An OSError from the server's send before the response began is a 499, and is raised on."""
    metrics = fresh()
    with pytest.raises(BrokenPipeError):
        request(HTTPMiddleware(responding(*body(b"late")), metrics=metrics), Server(gone=True))
    assert statuses(metrics) == {"499": 1}


def test_a_client_that_leaves_in_mid_stream_keeps_the_status() -> None:
    """What was sent until the client left is counted, with the status that it saw."""
    metrics = fresh()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(START)
        await send({"type": "http.response.body", "body": b"seen", "more_body": True})
        await receive()  # http.disconnect
        await send({"type": "http.response.body", "body": b"unseen", "more_body": True})

    request(HTTPMiddleware(app, metrics=metrics), Server())
    assert statuses(metrics) == {"200": 1}
    assert value(metrics, "http_response_size_bytes_sum", **LABELS) == 4


def test_work_after_the_last_byte_is_not_counted() -> None:
    """The request is recorded, and no longer in progress, while background work still runs or fails."""
    metrics = fresh()
    seen: list[float | None] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(value(metrics, "http_requests_in_progress"))
        for message in body(b"done"):
            await send(message)
        seen.append(value(metrics, "http_requests_in_progress"))
        seen.append(value(metrics, "http_request_duration_seconds_sum", **LABELS))
        await asyncio.sleep(0.05)
        raise RuntimeError("the background task failed")

    with pytest.raises(RuntimeError):
        request(HTTPMiddleware(app, metrics=metrics), Server())
    assert seen[:2] == [1, 0]
    assert seen[2] == value(metrics, "http_request_duration_seconds_sum", **LABELS)
    assert statuses(metrics) == {"200": 1}


def test_the_duration_reaches_to_the_last_byte() -> None:
    """A slow stream lasts until its last chunk is sent."""
    metrics = fresh()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in body(b"first", b"last"):
            await send(message)
            await asyncio.sleep(0.02)

    request(HTTPMiddleware(app, metrics=metrics), Server())
    lasted = value(metrics, "http_request_duration_seconds_sum", **LABELS)
    assert lasted is not None
    assert lasted >= 0.04


def test_concurrent_requests_are_all_in_progress_and_all_counted() -> None:
    """100 requests at once: the gauge shows them all, each keeps its own sizes, none is lost."""
    metrics = fresh()
    peak: list[float | None] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(0.02)
        peak.append(value(metrics, "http_requests_in_progress"))
        for message in body(b"r" * 3):
            await send(message)

    middleware = HTTPMiddleware(app, metrics=metrics)

    async def all_at_once() -> None:
        scopes: list[Scope] = [{"type": "http", "method": "GET", "path": "/x", "route": Route()} for _ in range(100)]
        servers = [Server({"type": "http.request", "body": b"q" * number}) for number in range(100)]
        await asyncio.gather(*(_run(middleware, *pair) for pair in zip(scopes, servers, strict=True)))

    asyncio.run(all_at_once())
    assert peak[0] == 100
    assert statuses(metrics) == {"200": 100}
    assert value(metrics, "http_request_size_bytes_sum", **LABELS) == sum(range(100))
    assert value(metrics, "http_response_size_bytes_sum", **LABELS) == 300
    assert value(metrics, "http_requests_in_progress") == 0


def test_excluded_paths_and_templates_are_not_counted() -> None:
    """An excluded path passes through untouched; an excluded template leaves no record either."""
    metrics = fresh()
    seen: list[Receive] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(receive)
        await responding(*body(b"ok"))(scope, receive, send)

    middleware = HTTPMiddleware(app, metrics=metrics, excluded=("/health", Route.path))
    server = request(middleware, Server(), path="/health")
    assert seen == [server.receive]
    request(middleware, Server())
    assert statuses(metrics) == {}
    assert value(metrics, "http_requests_in_progress") == 0


def test_the_root_path_does_not_hide_an_excluded_path() -> None:
    """Behind a proxy's prefix, /health is /health still."""
    metrics = fresh()
    middleware = HTTPMiddleware(responding(*body(b"ok")), metrics=metrics)
    scope: Scope = {"type": "http", "method": "GET", "path": "/proxy/health", "root_path": "/proxy"}
    asyncio.run(_run(middleware, scope, Server()))
    assert statuses(metrics) == {}
    asyncio.run(_run(middleware, {**scope, "root_path": ""}, Server()))
    assert statuses(metrics) == {"200": 1}


def test_replica_gauges_count_requests_and_server_errors() -> None:
    """Every counted request raises the one gauge, every 5xx the other."""
    requests, errors = Gauge("r", "r", registry=None), Gauge("e", "e", registry=None)
    for status in (200, 404, 500, 503):
        app = responding({**START, "status": status}, *body(b"")[1:])
        request(HTTPMiddleware(app, metrics=fresh(), requests_gauge=requests, errors_gauge=errors), Server())
    assert [next(iter(gauge.collect())).samples[0].value for gauge in (requests, errors)] == [4, 2]


def test_a_nested_middleware_does_not_count_twice() -> None:
    """Where a counted application is mounted in a counted one, the request is one request."""
    metrics, other = fresh(), fresh()
    replica = Gauge("r", "r", registry=None)
    innermost = HTTPMiddleware(responding(*body(b"ok")), metrics=metrics, requests_gauge=replica)
    inner = HTTPMiddleware(innermost, metrics=other, requests_gauge=replica)
    request(HTTPMiddleware(inner, metrics=metrics, requests_gauge=replica), Server())
    assert statuses(metrics) == {"200": 1}
    assert statuses(other) == {"200": 1}
    assert next(iter(replica.collect())).samples[0].value == 1


def test_websockets_pass_through_untouched() -> None:
    """A websocket gets the server's own receive and send."""
    seen: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend((receive, send))

    metrics, server = fresh(), Server()
    asyncio.run(_run(HTTPMiddleware(app, metrics=metrics), {"type": "websocket", "path": "/ws"}, server))
    assert seen == [server.receive, server.send]
    assert value(metrics, "http_requests_in_progress") == 0


@pytest.mark.parametrize("end", ["lifespan.shutdown.complete", "lifespan.shutdown.failed"])
def test_the_flush_comes_before_the_end_of_the_lifespan(end: str) -> None:
    """The server hears that the application has ended only after the last flush."""
    server = Server()
    sent_at_flush: list[list[str]] = []

    async def flush() -> None:
        sent_at_flush.append([message["type"] for message in server.sent])

    app = responding({"type": "lifespan.startup.complete"}, {"type": end})
    middleware = HTTPMiddleware(app, metrics=fresh(), on_shutdown=flush)
    asyncio.run(_run(middleware, {"type": "lifespan"}, server))
    assert sent_at_flush == [["lifespan.startup.complete"]]
    assert [message["type"] for message in server.sent] == ["lifespan.startup.complete", end]


def test_a_failing_flush_does_not_keep_the_server_from_stopping(caplog: pytest.LogCaptureFixture) -> None:
    """A store that is away at the end is logged, and the lifespan ends as usual."""

    async def flush() -> None:
        raise ConnectionError("no store")

    server = Server()
    middleware = HTTPMiddleware(responding({"type": "lifespan.shutdown.complete"}), metrics=fresh(), on_shutdown=flush)
    asyncio.run(_run(middleware, {"type": "lifespan"}, server))
    assert [message["type"] for message in server.sent] == ["lifespan.shutdown.complete"]
    assert "not flushed" in caplog.text


def test_trouble_in_the_metrics_never_reaches_the_application(caplog: pytest.LogCaptureFixture) -> None:
    """A metric that raises costs a log line, one a minute at most, and never a request."""

    class Broken(HTTPMetrics):
        def record(self, method: str, endpoint: str, status: int, seconds: float, received: int, sent: int) -> None:
            raise ArithmeticError("broken metric")

    middleware = HTTPMiddleware(responding(*body(b"ok")), metrics=Broken(registry=CollectorRegistry()))
    with caplog.at_level(logging.ERROR, "fleetmeter"):
        servers = [request(middleware, Server()) for _ in range(3)]
    assert [len(server.sent) for server in servers] == [2, 2, 2]
    assert len(caplog.records) == 1
    assert caplog.records[0].exc_info is not None


def test_two_sets_with_one_prefix_share_their_families() -> None:
    """Two applications in one process count into the same families; another prefix has its own."""
    registry = CollectorRegistry()
    one, two, three = HTTPMetrics("", registry), HTTPMetrics("", registry), HTTPMetrics("gw_", registry)
    assert one.families is two.families
    assert one.families is not three.families
    three.record("GET", "/x", 200, 0.1, 0, 0)
    assert registry.get_sample_value("gw_http_requests_total", {"method": "GET", "endpoint": "/x", "status": "200"})
    assert HTTPMetrics("own_").families is HTTPMetrics("own_", default_registry()).families


def test_a_name_that_is_taken_is_refused_and_nothing_is_left_behind() -> None:
    """Where another library owns a name, the error names it, and none of our families stays registered."""
    registry = CollectorRegistry()
    Counter("http_response_size_bytes", "somebody else's", registry=registry)
    with pytest.raises(ValueError, match=r"http_response_size_bytes .* another prefix"):
        HTTPMetrics(registry=registry)
    assert [family.name for family in registry.collect()] == ["http_response_size_bytes"]


def test_the_children_kept_at_hand_are_bounded() -> None:
    """However many statuses an application invents, the children at hand are limited, and all count."""
    metrics = fresh()
    for status in range(MAX_CACHED_CHILDREN + 10):
        metrics.record("GET", "/x", status, 0.0, 0, 0)
    assert len(metrics._children) == MAX_CACHED_CHILDREN
    assert sum(statuses(metrics).values()) == MAX_CACHED_CHILDREN + 10
