"""Which endpoint label a request gets: the route template, whatever nests inside what."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Host, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from fleetmeter.instrumentation import HTTPMetrics, HTTPMiddleware


async def answer(request: Request) -> PlainTextResponse:
    """An endpoint."""
    return PlainTextResponse("ok")


async def other(request: Request) -> PlainTextResponse:
    """Another endpoint."""
    return PlainTextResponse("other")


async def opaque(scope: Scope, receive: Receive, send: Send) -> None:
    """An application without routes."""
    await PlainTextResponse("opaque")(scope, receive, send)


def fastapi_app(static: Path) -> FastAPI:
    """An application with every kind of nesting that FastAPI has."""
    inner = APIRouter(prefix="/inner")
    inner.add_api_route("/{item}", lambda item: item)
    plain = APIRouter()
    plain.add_route("/plain/{item}", answer)
    plain.mount("/files/{version}", StaticFiles(directory=static))
    outer = APIRouter(prefix="/outer/{owner}")
    outer.include_router(inner)

    sub = FastAPI()
    sub.add_api_route("/things/{thing}", lambda thing: thing)
    sub.include_router(inner, prefix="/again")
    deep = FastAPI()
    deep.add_api_route("/{leaf}", lambda leaf: leaf)
    sub.mount("/deep", deep)

    app = FastAPI()
    app.add_api_route("/", lambda: 1)
    app.add_api_route("/users/{user}", lambda user: user)
    app.add_api_route("/typed/{number:int}", lambda number: number)
    app.add_api_route("/tree/{rest:path}", lambda rest: rest)
    app.add_api_route("/write", lambda: 1, methods=["POST"])
    app.add_route("/twice", other)
    app.add_route("/twin", other)
    app.include_router(inner)
    plain.mount("/portal", sub)
    app.include_router(plain, prefix="/included")
    app.include_router(outer)
    app.mount("/sub", sub)
    app.mount("/tenants/{tenant}", sub)
    app.mount("/static", StaticFiles(directory=static))
    app.mount("/opaque", opaque)
    return app


def starlette_app(static: Path) -> Starlette:
    """An application with every kind of nesting that Starlette has."""
    below: list[BaseRoute] = [
        Route("/x/{name}", answer),
        Mount("/deeper/{level}", routes=[Route("/", answer)]),
    ]
    api = FastAPI()
    api.add_api_route("/calls/{call}", lambda call: call)
    return Starlette(
        routes=[
            Route("/plain", answer),
            Mount("/a", routes=below),
            Mount("/b/{name}", routes=[Route("/c/{name}", other)]),
            Mount("/w/{anything:path}/end", routes=[Route("/x", other)]),
            Mount("/api", app=api),
            Mount("/static", app=StaticFiles(directory=static)),
            Host("{sub}.example.org", app=Starlette(routes=[Route("/hosted", answer)])),
            Mount("", routes=[Route("/last", answer)]),
        ]
    )


def endpoints(app: ASGIApp, *requests: tuple[str, str], root_path: str = "") -> list[tuple[str, str]]:
    """The endpoint and status labels of the requests, in the order in which they were made."""
    metrics = HTTPMetrics(registry=CollectorRegistry())
    counted = HTTPMiddleware(app, metrics=metrics)

    def samples() -> Iterator[tuple[tuple[str, str], float]]:
        for family in metrics.families.requests.collect():
            for sample in family.samples:
                if sample.name == "http_requests_total":
                    yield (sample.labels["endpoint"], sample.labels["status"]), sample.value

    async def ask() -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        transport = httpx.ASGITransport(counted, root_path=root_path)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            for method, url in requests:
                before = dict(samples())
                await client.request(method, url)
                found += [key for key, value in samples() if value > before.get(key, 0.0)]
        return found

    return asyncio.run(ask())


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """A folder with one file to serve."""
    (tmp_path / "page.txt").write_text("page")
    return tmp_path


@pytest.mark.parametrize(
    ("method", "path", "endpoint", "status"),
    [
        ("GET", "/", "/", "200"),
        ("GET", "/users/42", "/users/{user}", "200"),
        ("GET", "/typed/42", "/typed/{number:int}", "200"),
        ("GET", "/tree/a/b/c", "/tree/{rest:path}", "200"),
        ("GET", "/write", "/write", "405"),
        ("HEAD", "/write", "/write", "405"),
        ("GET", "/typed/words", "__unmatched__", "404"),
        ("GET", "/nothing/here", "__unmatched__", "404"),
        ("GET", "/users/42/", "__unmatched__", "307"),
        ("GET", "/docs", "/docs", "200"),
        ("GET", "/openapi.json", "/openapi.json", "200"),
        ("GET", "/twice", "/twice", "200"),
        ("GET", "/twin", "/twin", "200"),
        ("GET", "/inner/7", "/inner/{item}", "200"),
        ("POST", "/inner/7", "/inner/{item}", "405"),
        ("GET", "/included/plain/7", "/included/plain/{item}", "200"),
        ("GET", "/included/portal/things/7", "/included/portal/things/{thing}", "200"),
        ("GET", "/included/files/1.2/page.txt", "/included/files/{version}", "200"),
        ("GET", "/outer/me/inner/7", "/outer/{owner}/inner/{item}", "200"),
        ("GET", "/sub/things/7", "/sub/things/{thing}", "200"),
        ("GET", "/sub/again/inner/7", "/sub/again/inner/{item}", "200"),
        ("GET", "/sub/deep/leaf", "/sub/deep/{leaf}", "200"),
        ("GET", "/sub/nothing", "/sub", "404"),
        ("GET", "/tenants/42/things/7", "/tenants/{tenant}/things/{thing}", "200"),
        ("GET", "/tenants/42/deep/leaf", "/tenants/{tenant}/deep/{leaf}", "200"),
        ("GET", "/static/page.txt", "/static", "200"),
        ("GET", "/static/missing.txt", "/static", "404"),
        ("GET", "/opaque/any/thing", "/opaque", "200"),
    ],
)
def test_fastapi_template(static: Path, method: str, path: str, endpoint: str, status: str) -> None:
    """A FastAPI route is labelled with its full template, never with the path that the client sent."""
    assert endpoints(fastapi_app(static), (method, path)) == [(endpoint, status)]


@pytest.mark.parametrize(
    ("url", "endpoint", "status"),
    [
        ("/plain", "/plain", "200"),
        ("/a/x/7", "/a/x/{name}", "200"),
        ("/a/deeper/3/", "/a/deeper/{level}/", "200"),
        ("/b/7/c/8", "/b/{name}/c/{name}", "200"),
        ("/w/1/2/3/end/x", "/w/{anything:path}/end/x", "200"),
        ("/api/calls/7", "/api/calls/{call}", "200"),
        ("/api/docs", "/api/docs", "200"),
        ("/static/page.txt", "/static", "200"),
        ("http://eu.example.org/hosted", "/hosted", "200"),
        ("/last", "/last", "200"),
        ("/nothing", "/", "404"),
    ],
)
def test_starlette_template(static: Path, url: str, endpoint: str, status: str) -> None:
    """A Starlette route is labelled with its full template; a mount's parameter never shows its value."""
    assert endpoints(starlette_app(static), ("GET", url)) == [(endpoint, status)]


def test_one_application_in_two_places_with_parameters(static: Path) -> None:
    """An endpoint whose place cannot be told apart is not guessed."""
    app = FastAPI()
    app.mount("/one/{x}", opaque)
    app.mount("/two/{x}", opaque)
    assert endpoints(app, ("GET", "/one/5/"), ("GET", "/two/5/")) == [
        ("/one/{x}", "200"),
        ("/two/{x}", "200"),
    ]
    app.add_route("/f/{x}", answer)
    app.add_route("/g/{x}", answer)
    assert endpoints(app, ("GET", "/f/5")) == [("__unmatched__", "200")]


def test_root_path_of_the_server_is_no_part_of_the_template(static: Path) -> None:
    """Behind a proxy that strips a prefix, the label is the same as without it."""
    found = endpoints(
        fastapi_app(static), ("GET", "/proxy/sub/things/7"), ("GET", "/proxy/users/1"), root_path="/proxy"
    )
    assert found == [("/sub/things/{thing}", "200"), ("/users/{user}", "200")]


def test_routes_added_later_are_found(static: Path) -> None:
    """A route that is added after the first request gets its own label."""
    app = FastAPI()
    app.add_route("/early", answer)
    assert endpoints(app, ("GET", "/early")) == [("/early", "200")]
    metrics = HTTPMetrics(registry=CollectorRegistry())
    counted = HTTPMiddleware(app, metrics=metrics)

    async def ask(path: str) -> None:
        transport = httpx.ASGITransport(counted)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            await client.get(path)

    asyncio.run(ask("/early"))
    app.add_route("/late", other)
    asyncio.run(ask("/late"))
    assert [labels[1] for labels in metrics._children] == ["/early", "/late"]


def test_mounted_middleware_gives_the_full_template() -> None:
    """A counted application that is mounted in an uncounted one is labelled as the client sees it."""
    metrics = HTTPMetrics(registry=CollectorRegistry())
    sub = FastAPI()
    sub.add_api_route("/things/{thing}", lambda thing: thing)
    app = FastAPI()
    app.mount("/v1", HTTPMiddleware(sub, metrics=metrics))

    async def ask() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            await client.get("/v1/things/7")

    asyncio.run(ask())
    assert [labels[1] for labels in metrics._children] == ["/v1/things/{thing}"]


def test_a_prefix_that_no_mount_declares_is_never_a_label() -> None:
    """Where something else than a declared mount cut the path, what the client sent is left out."""
    sub = FastAPI()
    sub.add_api_route("/things/{thing}", lambda thing: thing)
    sub.add_route("/plain", answer)

    async def by_hand(scope: Scope, receive: Receive, send: Send) -> None:
        customer = "/" + scope["path"].split("/")[1]
        scope.update(app_root_path="", root_path=customer)
        if scope["path"].endswith("opaque"):
            scope["endpoint"] = opaque
            await opaque(scope, receive, send)
        else:
            await sub(scope, receive, send)

    asked = ["/customer-42/things/7", "/customer-42/plain", "/customer-42/opaque"]
    found = endpoints(by_hand, *(("GET", path) for path in asked))
    assert found == [("/things/{thing}", "200"), ("/plain", "200"), ("__unmatched__", "200")]
