"""`instrument_fastapi` beside OpenTelemetry's instrumentation of the same application, whoever comes first."""

import logging
from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.requests import Request
from starlette.testclient import TestClient

import fleetmeter
from fleetmeter.instrumentation import default_registry, fastapi
from support.store import StoreAddress

Instrument = Callable[[FastAPI, str], None]


def counted(app: FastAPI, prefix: str) -> None:
    """Ours."""
    fleetmeter.instrument_fastapi(app, prefix=prefix)


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """Where the spans of one test go."""
    return InMemorySpanExporter()


@pytest.fixture
def traced(spans: InMemorySpanExporter) -> Iterator[Instrument]:
    """OpenTelemetry's."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    apps = []

    def instrument(app: FastAPI, _prefix: str) -> None:
        apps.append(app)
        FastAPIInstrumentor.instrument_app(app, tracer_provider=provider, exclude_spans=["receive", "send"])

    yield instrument
    for app in apps:
        FastAPIInstrumentor.uninstrument_app(app)
    provider.shutdown()


def application() -> FastAPI:
    """Answers, fails, and answers failures with a status of its own."""
    app = FastAPI()

    @app.get("/items/{item}")
    async def item(item: int) -> int:
        return item

    @app.get("/fail")
    async def fail() -> None:
        raise LookupError("nobody handles this")

    @app.exception_handler(Exception)
    async def answer(_request: Request, _error: Exception) -> PlainTextResponse:
        return PlainTextResponse("gone wrong", 503)

    return app


def sample(name: str, **labels: str) -> float | None:
    """One sample of the default registry."""
    return default_registry().get_sample_value(name, labels)


@pytest.mark.parametrize("ours_first", [True, False])
def test_both_work_in_either_order(
    ours_first: bool, traced: Instrument, spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """Every request has its span, its exception too, and its count with the status and size that its client got."""
    app, prefix = application(), f"otel{ours_first:d}_"
    for instrument in (counted, traced) if ours_first else (traced, counted):
        instrument(app, prefix)
    app.add_middleware(_Nothing)
    with caplog.at_level(logging.WARNING), TestClient(app, raise_server_exceptions=False) as client:
        assert [client.get(path).status_code for path in ("/items/1", "/items/2", "/fail")] == [200, 200, 503]

    found = [(span.name, len(span.events)) for span in spans.get_finished_spans()]
    assert found == [("GET /items/{item}", 0), ("GET /items/{item}", 0), ("GET /fail", 1)]
    assert "unexpected middleware stack" not in caplog.text
    assert sample(f"{prefix}http_requests_total", method="GET", endpoint="/items/{item}", status="200") == 2
    assert sample(f"{prefix}http_requests_total", method="GET", endpoint="/fail", status="503") == 1
    assert sample(f"{prefix}http_response_size_bytes_sum", method="GET", endpoint="/fail") == len("gone wrong")


def test_counting_goes_on_when_the_other_leaves(traced: Instrument) -> None:
    """OpenTelemetry's `uninstrument_app` builds the stack anew; it is counted as before, each request once."""
    app = application()
    counted(app, "left_")
    traced(app, "")
    counted(app, "left_")
    client = TestClient(app, raise_server_exceptions=False)
    client.get("/items/1")
    FastAPIInstrumentor.uninstrument_app(app)
    client.get("/items/1")
    assert sample("left_http_requests_total", method="GET", endpoint="/items/{item}", status="200") == 2
    with pytest.raises(RuntimeError, match="call instrument_fastapi\\(\\) once"):
        counted(app, "other_")


def test_an_application_is_still_what_it_was() -> None:
    """Its class keeps its name, and is one of the application's own."""
    app = application()
    counted(app, "same_")
    assert isinstance(app, FastAPI)
    assert (type(app).__name__, type(app).__module__) == ("FastAPI", "fastapi.applications")


def test_a_process_that_is_not_installed_says_so_once(store: StoreAddress, caplog: pytest.LogCaptureFixture) -> None:
    """One line when the first application begins to serve, with a lifespan or without; none where install() came."""
    fastapi._say_once.cache_clear()
    installed, one, two = application(), application(), application()
    for app in (installed, one, two):
        counted(app, "said_")
    with caplog.at_level(logging.WARNING, "fleetmeter"):
        fleetmeter.install(url=store.url, namespace=store.namespace)
        try:
            with TestClient(installed) as client:
                client.get("/items/1")
        finally:
            fleetmeter.uninstall()
        assert [line for line in caplog.messages if "call fleetmeter.install()" in line] == []
        TestClient(one).get("/items/1")
        with TestClient(two):
            pass
    assert sum("call fleetmeter.install()" in line for line in caplog.messages) == 1


class _Nothing:
    """A middleware of the application's own."""

    def __init__(self, app: Callable[..., object]) -> None:
        self.app = app

    async def __call__(self, *call: object) -> None:
        await self.app(*call)  # type: ignore[misc]
