"""The exporter's HTTP interface as an ASGI application, alone and as a route of somebody else's."""

import asyncio
import gzip
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from fleetmeter.embedded import EmbeddedStore
from fleetmeter.errors import SettingError
from fleetmeter.schema.definition import Definition
from fleetmeter_exporter import make_asgi_app
from support.exposition import parse, total
from support.scraping import FixedState
from support.store import StoreAddress

REQUESTS = Definition.of("requests", "counter", "Requests.", "", ["code"], [], "")


@pytest.fixture
def state(store: StoreAddress) -> StoreAddress:
    """A namespace with one family."""
    with FixedState(store) as fixed:
        fixed.family(REQUESTS, {("200",): 7, ("500",): 1})
    return store


def app_of(store: StoreAddress, path: str | None = "/metrics", **more: Any) -> Any:
    """The exporter of a namespace."""
    return make_asgi_app(url=store.url, namespace=store.namespace, telemetry_path=path, **more)


def ask(app: Any, path: str = "/metrics", method: str = "GET", **headers: str) -> httpx.Response:
    """One request, through the application itself."""

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://exporter") as client:
            return await client.request(method, path, headers={"accept-encoding": "identity", **headers})

    return asyncio.run(send())


def test_metrics_are_served_in_the_format_that_is_asked_for(state: StoreAddress) -> None:
    """The text format by default, OpenMetrics on demand; a cache between must tell them apart."""
    plain = ask(app_of(state))
    assert plain.status_code == 200
    assert plain.headers["content-type"].startswith("text/plain; version=")
    assert total(parse(plain.text), "requests_total", code="200") == 7
    openmetrics = ask(app_of(state), accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text")
    assert openmetrics.text.endswith("# EOF\n")
    assert plain.headers["vary"] == "Accept, Accept-Encoding"


def test_an_exporter_that_started_just_now_serves_nothing(state: StoreAddress) -> None:
    """Neither an exposition nor readiness, and it says why; a namespace without counts is served at once."""
    app = app_of(state, start_delay=600.0)
    for path in ("/metrics", "/-/ready"):
        answer = ask(app, path)
        assert (answer.status_code, "started just now" in answer.text) == (503, True)
    assert ask(app, "/-/healthy").status_code == 200
    assert ask(app_of(StoreAddress(state.url, "fresh"), start_delay=600.0)).status_code == 200


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [
        ("gzip", True),
        ("deflate, gzip;q=0.5, br", True),
        ("GZIP", True),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0", False),
        ("gzip;q=0.0", False),
        ("x-gzip-like", False),
        ("", False),
    ],
)
def test_gzip_where_it_is_accepted(state: StoreAddress, accepted: str, compressed: bool) -> None:
    """The compressed body is the same text; a weight of 0 means no."""
    response = ask(app_of(state), "/metrics?name[]=requests_total", **{"accept-encoding": accepted})
    assert response.headers.get("content-encoding") == ("gzip" if compressed else None)
    assert response.text == ask(app_of(state), "/metrics?name[]=requests_total").text
    wire = gzip.compress(response.content, 1) if compressed else response.content
    assert int(response.headers["content-length"]) == len(wire)


@pytest.mark.parametrize("path", ["/metrics?name[]=requests_total", "/-/healthy", "/-/ready", "/"])
def test_head_has_the_headers_of_get_and_no_body(state: StoreAddress, path: str) -> None:
    """HEAD answers what GET would, with its length."""
    get, head = ask(app_of(state), path), ask(app_of(state), path, "HEAD")
    assert (head.status_code, head.headers) == (get.status_code, get.headers)
    assert int(get.headers["content-length"]) == len(get.content) > 0


def test_head_sends_no_body(state: StoreAddress) -> None:
    """The application itself leaves the body out, whatever its server would do."""
    sent: list[Any] = []
    whole = {}

    async def send(message: Any) -> None:
        sent.append(message)

    for method in ("GET", "HEAD"):
        scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "path": "/metrics",
            "query_string": b"",
            "headers": [],
        }
        sent.clear()
        asyncio.run(app_of(state)(scope, None, send))
        whole[method] = b"".join(message["body"] for message in sent if message["type"] == "http.response.body")
    assert whole["GET"] != b""
    assert whole["HEAD"] == b""


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(state: StoreAddress, method: str) -> None:
    """405, and what is allowed."""
    response = ask(app_of(state), method=method)
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/index.html", "/metrics/", "/metricsx", "/-/", "/-/ready/", "/other"])
def test_other_paths_are_not_found(state: StoreAddress, path: str) -> None:
    """404 with the paths that exist."""
    response = ask(app_of(state), path)
    assert response.status_code == 404
    assert "/metrics, /-/healthy, /-/ready, /\n" in response.text
    assert ask(app_of(state, "/fleet"), "/metrics").status_code == 404
    assert ask(app_of(state, "/fleet"), "/fleet").status_code == 200


def test_names_restrict_the_answer(state: StoreAddress) -> None:
    """`name[]`, once or more, plain or escaped, leaves these samples; an unknown one leaves nothing."""
    text = ask(app_of(state), "/metrics?name[]=requests_total&name%5B%5D=fleetmeter_up&other=1").text
    assert {name for name, _ in parse(text)} == {"requests_total", "fleetmeter_up"}
    nothing = ask(app_of(state), "/metrics?name[]=nothing")
    assert (nothing.status_code, nothing.text) == (200, "")


def test_health_and_readiness() -> None:
    """Healthy is the process; ready says whether a scrape would succeed, and why not."""
    away = StoreAddress("unix:///nowhere/store.sock", "away")
    assert ask(app_of(away), "/-/healthy").text == "healthy\n"
    ready = ask(app_of(away), "/-/ready")
    assert ready.status_code == 503
    assert ready.text.startswith("not ready: namespace 'away': the store cannot be reached")
    metrics = ask(app_of(away))
    assert metrics.status_code == 503
    assert total(parse(metrics.text), "fleetmeter_up") == 0


@pytest.mark.parametrize(("chosen", "status"), [({}, 200), ({"unavailable_status": 503}, 503)])
def test_the_status_while_nothing_can_be_read(chosen: dict[str, Any], status: int) -> None:
    """503 until something was read once, then the chosen one; the body says in any case that the store is away."""
    with EmbeddedStore() as own:
        store = StoreAddress(own.url, "mine")
        app = app_of(store, **chosen)
        own.kill()
        before = ask(app)
        assert (before.status_code, total(parse(before.text), "fleetmeter_up")) == (503, 0)
        own.start()
        with FixedState(store) as fixed:
            fixed.family(REQUESTS, {("200",): 7})
        read = ask(app)
        assert (read.status_code, total(parse(read.text), "requests_total")) == (200, 7)
        own.kill()
        after = ask(app)
        assert (after.status_code, total(parse(after.text), "fleetmeter_up")) == (status, 0)
        own.start()
        assert ask(app).status_code == 200


def test_one_namespace_that_can_be_read_is_enough(state: StoreAddress, client: Any) -> None:
    """What is wrong with one does not take the others away, whichever status is chosen."""
    broken = StoreAddress(state.url, state.namespace + "-broken")
    client.set(broken.keys.writers, "no hash")
    app = make_asgi_app(url=state.url, namespace=[state.namespace, broken.namespace], unavailable_status=503)
    assert ask(app).status_code == 200
    assert ask(app_of(broken)).status_code == 503
    client.delete(broken.keys.writers)  # other tests list the namespaces of this server


def test_ready_where_the_store_answers(state: StoreAddress) -> None:
    """200 and one word."""
    response = ask(app_of(state), "/-/ready")
    assert (response.status_code, response.text) == (200, "ready\n")


def test_as_a_route_of_another_application(state: StoreAddress) -> None:
    """On a route of Starlette or FastAPI it answers there, without a redirect, and nowhere else."""
    app = Starlette(routes=[Route("/fleet", app_of(state, None))])
    response = ask(app, "/fleet")
    assert response.status_code == 200
    assert total(parse(response.text), "requests_total") == 8
    assert ask(app, "/fleet", "POST").status_code == 405
    assert ask(app, "/-/ready").status_code == 404
    assert ask(app, "/").status_code == 404


def test_wrong_settings_are_refused_when_it_is_made() -> None:
    """Not at the first scrape."""
    with pytest.raises(SettingError, match="expected 200 or 503"):
        make_asgi_app(unavailable_status=500)
    with pytest.raises(SettingError):
        make_asgi_app(url="nowhere")
    with pytest.raises(SettingError):
        make_asgi_app(url="redis://127.0.0.1/0", namespace="a b")


def test_a_server_may_tell_it_of_its_life(state: StoreAddress) -> None:
    """The lifespan protocol is answered; a websocket is an error of whoever routed it here."""
    events = iter(["lifespan.startup", "lifespan.shutdown"])
    sent: list[str] = []

    async def receive() -> Any:
        return {"type": next(events)}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(app_of(state)({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    with pytest.raises(RuntimeError, match="websocket"):
        asyncio.run(app_of(state)({"type": "websocket"}, receive, send))
