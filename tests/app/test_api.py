"""The gateway's HTTP interface on a running replica: every refusal in OpenAI's shape, an id on every response."""

import asyncio
import json
import logging
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from fleetmeter.embedded import EmbeddedStore
from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.seams import NoCache, Seams
from fleetmeter_app.serving.api import Api
from fleetmeter_app.serving.loaded import Loaded, default_deployment
from fleetmeter_app.serving.pipeline import Pipeline
from fleetmeter_app.serving.upstreams import Upstreams
from support.exposition import total
from support.gateway import Program, eventually, running_replica
from support.upstream import RunningUpstream

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def replica(server: EmbeddedStore, running: RunningUpstream) -> Iterator[Program]:
    """One replica with the packaged configuration."""
    with running_replica(server, running.base_url) as program:
        yield program


def refusal(response: httpx.Response, status: int) -> dict[str, Any]:
    """The error of a refused request, after checking its shape."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"].startswith("req_")
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    error: dict[str, Any] = body["error"]
    assert isinstance(error["message"], str)
    return error


@pytest.mark.parametrize(
    ("content", "status", "code", "param"),
    [
        (b"", 400, "malformed_json", None),
        (b'{"query": ', 400, "malformed_json", None),
        (b"query", 400, "malformed_json", None),
        (b'{"query": "\xff"}', 400, "malformed_json", None),
        (b"\x80", 400, "malformed_json", None),
        (b"[" * 30_000, 400, "malformed_json", None),
        (b"9" * 5000, 400, "malformed_json", None),
        (b'{"query": "\\ud83d"}', 400, "no_text", None),
        (b'{"query": "TSLA price", "\\ud83d": 1}', 400, "no_text", None),
        (b"[]", 400, "invalid_body", None),
        (b"null", 400, "invalid_body", None),
        (b'"TSLA price"', 400, "invalid_body", None),
        (b"{}", 400, "invalid_body", "query"),
        (b'{"query": null}', 400, "invalid_body", "query"),
        (b'{"query": 5}', 400, "invalid_body", "query"),
        (b'{"query": ["TSLA"]}', 400, "invalid_body", "query"),
        (b'{"query": NaN}', 400, "invalid_body", "query"),
        (b'{"query": "TSLA price", "intent": 5}', 400, "invalid_body", "intent"),
        (b'{"query": "TSLA price", "model": "gpt-6-sol"}', 400, "invalid_body", "model"),
        (b'{"query": ""}', 400, "empty_query", "query"),
        (b'{"query": " \\n "}', 400, "empty_query", "query"),
        (b'{"query": "TSLA price", "intent": "weather"}', 400, "unknown_intent", "intent"),
        (json.dumps({"query": "x" * 8001}).encode(), 413, "query_too_long", "query"),
        (json.dumps({"query": "x" * 200_000}).encode(), 413, "body_too_large", None),
    ],
)
def test_a_wrong_body_is_refused(replica: Program, content: bytes, status: int, code: str, param: str | None) -> None:
    """Each mistake has its status and code, and names the field where there is one."""
    error = refusal(httpx.post(replica.address() + "/ask", content=content, headers=JSON), status)
    assert (error["code"], error["param"], error["type"]) == (code, param, "invalid_request_error")


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json"]
)
def test_another_content_type_is_refused(replica: Program, content_type: str | None) -> None:
    """A form or a text is not guessed at: 415, which says what was sent and what to send."""
    headers = {} if content_type is None else {"content-type": content_type}
    error = refusal(httpx.post(replica.address() + "/ask", content=b'{"query": "x"}', headers=headers), 415)
    assert error["code"] == "content_type"
    assert "application/json" in error["message"]
    assert (content_type or "missing") in error["message"]


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8"]
)
def test_json_with_parameters_is_taken(replica: Program, content_type: str) -> None:
    """A charset and other cases do not matter."""
    response = httpx.post(
        replica.address() + "/ask", content='{"query": "Kurs 5 €"}'.encode(), headers={"content-type": content_type}
    )
    assert response.status_code == 200
    assert response.json()["intent"] == "general"


def test_the_longest_query_is_taken_however_it_is_escaped(replica: Program) -> None:
    """8,000 characters fit, in UTF-8 and as escapes of up to 12 bytes each, in chunks too."""
    for query in ("x" * 8000, "株" * 8000, "🚀" * 8000):
        for content in (json.dumps({"query": query}), json.dumps({"query": query}, ensure_ascii=False)):
            response = httpx.post(replica.address() + "/ask", content=iter([content.encode()]), headers=JSON)
            assert response.status_code == 200, response.text


def test_an_answer_has_all_its_parts(replica: Program) -> None:
    """The reply states answer, intent, tier, model, usage, cost, fallbacks, tools and the id of the header."""
    response = httpx.post(replica.address() + "/ask", json={"query": "NVDA price [[usage:prompt=9,completion=2]]"})
    reply = response.json()
    assert reply.pop("answer")
    assert reply.pop("request_id") == response.headers["x-request-id"]
    assert reply == {
        "intent": "price_only",
        "tier": "cheap",
        "model": "gpt-6-luna",
        "cached": False,
        "usage": {
            "prompt_tokens": 9,
            "completion_tokens": 2,
            "total_tokens": 11,
            "cached_tokens": 0,
            "cache_write_tokens": 0,
            "reasoning_tokens": 0,
        },
        "cost_usd": 1.9e-06,
        "cost_nanodollars": 1900,
        "fallbacks": [],
        "tools": [],
    }
    for _ in range(50):  # a busy store may be passed over for a while
        again = httpx.post(replica.address() + "/ask", json={"query": "NVDA price [[usage:prompt=9,completion=2]]"})
        if again.json()["cached"]:
            break
        time.sleep(0.1)
    assert again.json()["cached"] is True
    assert again.json()["usage"] is again.json()["cost_usd"] is again.json()["cost_nanodollars"] is None
    assert again.headers["x-request-id"] != response.headers["x-request-id"]
    assert [one.headers["x-fleetmeter-cache"] for one in (response, again)] == ["miss", "hit"]
    off = httpx.post(replica.address() + "/ask", json={"query": "NVDA"}, headers={"cache-control": "no-store"})
    assert off.headers["x-fleetmeter-cache"] == "off"


def test_an_unanswered_question_tells_nothing_of_the_upstream(replica: Program) -> None:
    """A refused key and an exhausted chain are answered in the shape; the upstream's own words stay inside."""
    for fault, status, code in (
        ("401", 502, "upstream_credentials"),
        ("404", 502, "upstream_error"),
        ("429,retry_after=0.01", 429, "rate_limit_exceeded"),
    ):
        query = f"should I buy TSLA [[fault:{fault}]]"
        error = refusal(httpx.post(replica.address() + "/ask", json={"query": query}), status)
        assert error["code"] == code
        assert not any(words in error["message"] for words in ("API key provided", "does not exist", "Rate limit"))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nope", 404), ("POST", "/", 404), ("GET", "/ask", 405), ("PUT", "/ask", 405), ("POST", "/ask/", 404)],
)
def test_another_route_or_method_is_refused(replica: Program, method: str, path: str, status: int) -> None:
    """No redirect, no HTML: the error names what was asked for; 405 says what is allowed."""
    response = httpx.request(method, replica.address() + path)
    error = refusal(response, status)
    assert error["message"].startswith(f"{method} {path}: ")
    assert (response.headers.get("allow") == "POST") == (status == 405)


def test_health_ready_and_metrics_answer_with_an_id(replica: Program) -> None:
    """All three are routes of their own, without a redirect, and are not counted as requests."""
    health, ready, metrics = (replica.get(path) for path in ("/health", "/ready", "/metrics"))
    assert health.json() == {"status": "ok"}
    assert ready.json()["status"] == "ready"
    assert eventually(lambda: bool(replica.get("/ready").json()["store"] == "ok"))
    assert metrics.status_code == 200
    assert metrics.headers["content-type"].startswith("text/plain; version=")
    for response in (health, ready, metrics, replica.get("/openapi.json")):
        assert response.headers["x-request-id"].startswith("req_")
    for path in ("/health", "/ready", "/metrics"):
        assert total(replica.samples(), "http_requests_total", endpoint=path) == 0
    assert httpx.post(replica.address() + "/metrics").status_code == 405


def test_the_openapi_document_shows_the_body(replica: Program) -> None:
    """`/openapi.json` describes the request and the reply of `/ask`; every reference in it leads somewhere."""
    document = replica.get("/openapi.json").json()
    assert document["openapi"].startswith("3.")
    ask = document["paths"]["/ask"]["post"]
    body = ask["requestBody"]["content"]["application/json"]["schema"]
    assert ask["requestBody"]["required"] is True
    assert body["required"] == ["query"]
    assert set(body["properties"]) == {"query", "intent"}
    reply = ask["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    assert reply == "#/components/schemas/AskReply"
    text = json.dumps(document)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "')[1:]}:
        place = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_the_sdk_reads_the_errors(replica: Program) -> None:
    """OpenAI's own client finds code and parameter where it expects them."""
    with openai.OpenAI(api_key="k", base_url=replica.address(), max_retries=0) as client:
        with pytest.raises(openai.BadRequestError) as raised:
            client.post("/ask", cast_to=object, body={"query": "TSLA price", "intent": "weather"})
        assert (raised.value.code, raised.value.param) == ("unknown_intent", "intent")
        assert raised.value.request_id is not None


def test_a_client_that_leaves_early_is_no_failure(replica: Program) -> None:
    """Half a body and then silence: the replica goes on, counts a 499, and logs no error."""
    host, _, port = replica.address().removeprefix("http://").partition(":")
    before = replica.output()
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"POST /ask HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n")
        connection.sendall(b'content-length: 100\r\n\r\n{"query"')
    assert eventually(lambda: total(replica.samples(), "http_requests_total", status="499") == 1)
    assert total(replica.samples(), "http_requests_total", endpoint="/ask", status="499") == 1
    assert total(replica.samples(), "http_requests_total", endpoint="/ask", status="500") == 0
    assert replica.output() == before


def test_an_unexpected_exception_leaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """500 in the shape, with an id that the log names too; no text of the exception in the answer."""

    class Failing(NoCache):
        async def reachable(self) -> bool:
            raise LookupError("the secret of the house")

    loaded = Loaded.make(GatewayConfig.load(), default_deployment("http://127.0.0.1:1", "k"))
    pipeline = Pipeline(loaded, Upstreams(loaded.config.upstream).client, Seams(cache=Failing()))

    async def nothing(*_: object) -> None:
        """Nothing is served, started or closed."""

    api = Api(pipeline, metrics=nothing, start=nothing, close=nothing)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(api, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.get("/ready")

    with caplog.at_level(logging.ERROR, "fleetmeter.app"):
        response = asyncio.run(ask())
    error = refusal(response, 500)
    assert (error["type"], error["code"]) == ("server_error", "internal_error")
    assert "secret" not in response.text
    assert response.headers["x-request-id"] in caplog.text
    assert "LookupError" in caplog.text
