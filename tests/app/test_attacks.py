"""A hostile client against two replicas: whatever it sends is refused and bounded, and nothing fails at it."""

import asyncio
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

import httpx
import pytest

from fleetmeter.cli.command import main
from fleetmeter.embedded import EmbeddedStore
from support.exposition import total
from support.gateway import NEVER_OPEN, ONE_TIER, Program, Programs, eventually
from support.raw_upstream import COMPLETION, RawUpstream, raw_upstream
from support.store import StoreAddress, new_address

CONFIG = f"""{ONE_TIER}{NEVER_OPEN}
[limits]
max_body_bytes = 5000
max_header_bytes = 4096
header_seconds = 0.5
body_seconds = 0.5
send_seconds = 0.5
max_connections = 60
[upstream]
max_retries = 0
"""
POSTS = ("/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/ask", "/cache/invalidate")
GETS = ("/v1/models", "/v1/models/auto", "/health", "/ready", "/openapi.json")
LABELS = '"} 1\nevil_total{x="1",le="+Inf"} 666\n# HELP evil_total \\"\x00'


@dataclass(frozen=True)
class Target:
    """What is attacked: replicas, the keys of two teams, and the model behind."""

    replicas: tuple[Program, Program]
    store: StoreAddress
    upstream: RawUpstream
    key_a: str
    key_b: str

    @property
    def one(self) -> Program:
        """The first replica."""
        return self.replicas[0]

    def ask(self, key: str, text: str, path: str = "/v1/chat/completions", **more: Any) -> httpx.Response:
        """A well-formed question of a team."""
        body = {"model": "cheap", "messages": [{"role": "user", "content": text}], **more}
        headers = {"authorization": f"Bearer {key}"}
        return httpx.post(self.one.address() + path, json=body, headers=headers, timeout=30)


def keys(store: StoreAddress, *words: str) -> str:
    """What `fleetmeter keys` says."""
    with redirect_stdout(StringIO()) as said:
        assert main(["keys", *words, "--url", store.url, "--namespace", store.namespace]) == 0
    return said.getvalue().strip()


@pytest.fixture(scope="module")
def target(server: EmbeddedStore) -> Iterator[Target]:
    """Two replicas that ask for keys; after all attacks they have failed at nothing."""
    store = new_address(server)
    key_a, key_b = keys(store, "create", "--team", "a"), keys(store, "create", "--team", "b")
    with raw_upstream() as upstream, Programs() as programs:
        upstream.says(json.dumps(COMPLETION).encode())
        pair = [programs.gateway(store, upstream.base_url, CONFIG, FLEETMETER_FLUSH_INTERVAL="0.02") for _ in range(2)]
        found = Target((pair[0], pair[1]), store, upstream, key_a, key_b)
        for replica in pair:
            assert replica.get("/health").status_code == 200
        assert found.ask(key_a, "warm up").status_code == 200
        yield found
        samples = found.one.samples()
        assert total(samples, "http_requests_total", status="500") == 0
        for replica in pair:
            assert replica.process.poll() is None
            for secret in (key_a, key_b, "hello", "Traceback"):
                assert secret not in replica.output()


def opened(replica: Program, receive_buffer: int = 0) -> socket.socket:
    """A connection to it; with a small buffer it soon takes nothing more."""
    host, _, port = replica.address().removeprefix("http://").partition(":")
    connection = socket.socket()
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(30)
    connection.connect((host, int(port)))
    return connection


def exchanged(replica: Program, *pieces: bytes) -> bytes:
    """All that comes until the other side closes, which it has to."""
    with opened(replica) as connection:
        for piece in pieces:
            try:
                connection.sendall(piece)
            except OSError:  # it was refused before all was sent
                break
        return read(connection)


def read(connection: socket.socket) -> bytes:
    """All that comes until the other side ends or cuts the connection."""
    found = bytearray()
    try:
        while part := connection.recv(65536):
            found += part
    except ConnectionError:
        return bytes(found)
    return bytes(found)


def statuses(raw: bytes) -> list[int]:
    """The status of each answer on a connection."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", raw)]


def code_of(raw: bytes) -> str:
    """The code of an error in OpenAI's shape."""
    head, _, body = raw.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head.lower():
        body = body.split(b"\r\n")[1]
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return str(error["code"])


def head(method: str, path: str, *headers: str) -> bytes:
    """The head of a request."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "host: x", *headers, "", ""]).encode("latin-1")


JSON = "content-type: application/json"


# too much, too slow


@pytest.mark.parametrize(("method", "path"), [*(("POST", path) for path in POSTS), *(("GET", path) for path in GETS)])
def test_oversize_is_refused_before_the_key(target: Target, method: str, path: str) -> None:
    """On every route, with no key: a body by its stated length, a head by its bytes."""
    refused = exchanged(target.one, head(method, path, JSON, "content-length: 9999999"))
    assert (statuses(refused), code_of(refused)) == ([413], "body_too_large")
    refused = exchanged(target.one, head(method, path, "x-padding: " + "p" * 5000))
    assert (statuses(refused), code_of(refused)) == ([431], "head_too_large")


@pytest.mark.parametrize("path", POSTS)
def test_a_body_without_a_length_is_bounded(target: Target, path: str) -> None:
    """In bytes and in time, for who has a key; who has none is refused at once, and the connection ends."""
    chunked = "transfer-encoding: chunked"
    key = f"authorization: Bearer {target.key_a}"
    large = b"1770\r\n" + b"x" * 6000 + b"\r\n"
    assert code_of(exchanged(target.one, head("POST", path, JSON, chunked, key), large)) == "body_too_large"
    assert code_of(exchanged(target.one, head("POST", path, JSON, chunked, key), b"1\r\n{\r\n")) == "body_too_slow"
    assert code_of(exchanged(target.one, head("POST", path, JSON, chunked), b"1\r\n{\r\n")) == "invalid_api_key"


@pytest.mark.parametrize("path", ["/health", "/metrics", "/v1/models", "/nowhere"])
@pytest.mark.parametrize("more", ["content-length: 100", "transfer-encoding: chunked"])
def test_a_body_that_nobody_reads_holds_no_connection(target: Target, path: str, more: str) -> None:
    """The request is answered, and a body that goes on after that, and never ends, is not waited for."""
    with opened(target.one) as connection:
        connection.sendall(head("GET", path, more))
        raw = connection.recv(65536)
        connection.sendall(b"1\r\n{\r\n")
        raw += read(connection)
    assert len(statuses(raw)) == 1
    assert statuses(raw)[0] in (200, 401, 404)


def test_a_flood_for_a_route_that_reads_none_is_cut(target: Target) -> None:
    """Above the bound of a body nothing more is taken, although the request was answered long ago."""
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    raw = exchanged(target.one, head("GET", "/health", "transfer-encoding: chunked"), *[chunk] * 2000)
    assert statuses(raw) == [200]


def test_slow_heads_end(target: Target) -> None:
    """A head that comes drop by drop, or not at all, has its time."""
    assert code_of(exchanged(target.one, b"GET /health HT")) == "head_too_slow"
    assert code_of(exchanged(target.one)) == "head_too_slow"


LARGE = 20_000_000


@contextmanager
def large_answer(target: Target, seed: int) -> Iterator[socket.socket]:
    """A connection with a small buffer, on which a question was asked that has an answer of 20 MB."""
    target.upstream.says(json.dumps({**COMPLETION, "padding": "x" * LARGE}).encode())
    try:
        body = json.dumps({"model": "cheap", "messages": [], "seed": seed}).encode()
        request = head("POST", POSTS[0], JSON, f"content-length: {len(body)}", f"authorization: Bearer {target.key_a}")
        with opened(target.one, receive_buffer=4096) as connection:
            connection.sendall(request + body)
            assert connection.recv(1) == b"H"
            yield connection
    finally:
        target.upstream.says(json.dumps(COMPLETION).encode())


def test_a_client_that_takes_nothing_is_cut(target: Target) -> None:
    """Of an answer of 20 MB a client that does not read for too long gets the beginning: its connection ends."""
    with large_answer(target, 1) as connection:
        time.sleep(5)
        assert len(read(connection)) < LARGE


def test_a_client_that_takes_it_slowly_is_not_cut(target: Target) -> None:
    """A client that reads on and on gets all of a large answer, though that takes many times as long."""
    with large_answer(target, 2) as connection:
        received, until = 0, time.monotonic() + 3
        while received < LARGE:
            data = connection.recv(2**16)
            assert data
            received += len(data)
            if time.monotonic() < until:
                time.sleep(0.02)


def test_pipelined_requests_are_few(target: Target) -> None:
    """A client that sends a hundred requests at once is cut off; it does not get a hundred answers."""
    raw = exchanged(target.one, head("GET", "/health") * 110)  # less than a head may have
    assert len(statuses(raw)) < 50
    assert target.one.get("/health").status_code == 200


# malformed

BODIES = {
    "nothing": b"",
    "half an object": b'{"model": "cheap"',
    "a list": b"[]",
    "null": b"null",
    "no UTF-8": b'{"model": "\xff"}',
    "UTF-16": '{"model": "cheap"}'.encode("utf-16"),
    "nested 2,000 deep": b'{"model": ' + b"[" * 2400 + b"]" * 2400 + b"}",
    "a number of 4,500 digits": b'{"model": ' + b"9" * 4500 + b"}",
    "half a surrogate pair": b'{"model": "\\ud83d", "query": "\\ud83d", "tenant": "\\ud83d"}',
    "a NUL": b'{"model": "\\u0000", "query": 5}',
    "two objects": b'{"model": "cheap"}{"model": "cheap"}',
    "a field twice": b'{"model": 1, "model": 2, "query": 1, "tenant": 1}',
    "a model that is none": b'{"model": {"$ne": null}, "query": {}, "tenant": {}}',
    "an intent that is none": b'{"model": 1, "query": "x", "intent": "../../etc/passwd", "tenant": 2}',
    "odd fields": b'{"__proto__": {}, "constructor": 1}',
}


@pytest.mark.parametrize("name", BODIES)
def test_a_malformed_body_is_the_clients_mistake(target: Target, name: str) -> None:
    """A 4xx in OpenAI's shape on every route that takes a body, and no call of a model."""
    asked = len(target.upstream.bodies)
    for path in POSTS:
        response = httpx.post(
            target.one.address() + path,
            content=BODIES[name],
            headers={"content-type": "application/json", "authorization": f"Bearer {target.key_a}"},
        )
        assert 400 <= response.status_code < 500, (path, response.text)
        assert set(response.json()["error"]) == {"message", "type", "param", "code"}
    assert len(target.upstream.bodies) == asked


NESTED = ((198, 200), (199, 400), (600, 400), *((levels, 400) for levels in range(940, 1000, 2)))
"""Levels within a field, and what becomes of a request that has so many."""


@pytest.mark.parametrize("field", ["messages", "stream_options"])
def test_a_nested_body_is_taken_or_refused(target: Target, field: str) -> None:
    """By a bound that is stated; there is no depth that can be read and not written, for the cache or the upstream."""
    headers = {"content-type": "application/json", "authorization": f"Bearer {target.key_a}"}
    chunk = {**COMPLETION, "choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]}
    target.upstream.says(
        b"data: " + json.dumps(chunk).encode() + b"\n\ndata: [DONE]\n\n", content_type="text/event-stream"
    )
    try:
        for levels, status in NESTED:
            deep = '{"a":' + "[" * levels + "]" * levels + "}"
            body = f'{{"model":"cheap","stream":true,"seed":{levels},"{field}":{deep}}}'
            response = httpx.post(target.one.address() + POSTS[0], content=body, headers=headers)
            assert response.status_code == status, (levels, response.text)
            assert status == 200 or response.json()["error"]["code"] == "malformed_json"
    finally:
        target.upstream.says(json.dumps(COMPLETION).encode())


SMUGGLED = head("GET", "/smuggled")
HTTP = {
    "length and chunks": head("POST", "/ask", "content-length: 5", "transfer-encoding: chunked")
    + b"0\r\n\r\n"
    + SMUGGLED,
    "two lengths": head("POST", "/ask", "content-length: 1", "content-length: 60") + b"x" + SMUGGLED,
    "a negative length": head("POST", "/ask", "content-length: -1") + SMUGGLED,
    "a length that is none": head("POST", "/ask", "content-length: 0x10") + SMUGGLED,
    "a blank before the colon": head("POST", "/ask", "transfer-encoding : chunked") + b"0\r\n\r\n" + SMUGGLED,
    "chunks of another kind": head("POST", "/ask", "transfer-encoding: xchunked") + b"0\r\n\r\n" + SMUGGLED,
    "a chunk that is none": head("POST", "/ask", "transfer-encoding: chunked") + b"-1\r\n\r\n" + SMUGGLED,
    "a NUL in a header": head("GET", "/health", "x-a: b\x00c") + SMUGGLED,
    "a bare line feed": b"GET /health HTTP/1.1\nhost: x\n\n\x00",
    "no version": b"GET /health\r\n\r\n" + SMUGGLED,
    "another version": b"GET /health HTTP/9.9\r\n\r\n" + SMUGGLED,
    "no method": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40,
}


@pytest.mark.parametrize("name", HTTP)
def test_malformed_http_gets_one_answer_and_the_end(target: Target, name: str) -> None:
    """What can be read in two ways is not read: no second request is found in the first one's body."""
    raw = exchanged(target.one, HTTP[name])
    assert len(statuses(raw)) <= 1, raw
    assert statuses(raw)[-1:] in ([200], [400], [401], [404], []), raw
    assert b"smuggled" not in raw


# what is put into headers


def test_no_header_is_injected(target: Target) -> None:
    """Line breaks in paths, names and ids reach neither the answer's head nor the upstream's request."""
    evil = "x\r\nset-cookie: a=b\r\nx-evil: 1"
    bearer = {"authorization": f"Bearer {target.key_a}"}
    answers = [
        httpx.get(target.one.address() + "/v1/models/x%0d%0aset-cookie:%20a=b", headers=bearer),
        target.ask(target.key_a, evil, model=evil),
        target.ask(target.key_a, evil, user=evil),
        httpx.get(target.one.address() + "/health", headers={"x-request-id": "a\tset-cookie", "traceparent": "00-x"}),
        httpx.get(target.one.address() + "/health", headers={"x-request-id": "r" * 200}),
    ]
    for answer in answers:
        assert "set-cookie" not in answer.headers
        assert "x-evil" not in answer.headers
        assert "traceparent" not in answer.headers
    assert all(answer.headers["x-request-id"].startswith("req_") for answer in answers)
    for sent in target.upstream.heads:
        assert "x-evil" not in sent.lower()
        assert target.key_a not in sent
        assert "authorization: Bearer sk-test" in sent


def test_only_headers_of_ours_go_on(target: Target) -> None:
    """Cookies, forwarding headers and OpenAI's own of a client stay here; so does a trace that is none."""
    headers = {
        "authorization": f"Bearer {target.key_a}",
        "cookie": "session=1",
        "x-forwarded-for": "10.0.0.1",
        "openai-organization": "org-of-another",
        "x-stainless-retry-count": "1e9",
        "traceparent": "00-" + "0" * 32 + "-" + "0" * 16 + "-01",
    }
    body = {"model": "cheap", "messages": [], "seed": 2}
    assert httpx.post(target.one.address() + POSTS[0], json=body, headers=headers).status_code == 200
    sent = target.upstream.heads[-1].lower()
    for name in ("cookie", "x-forwarded-for", "openai-organization", "traceparent", "1e9"):
        assert name not in sent


# series


def series(target: Target) -> set[Any]:
    """All series of the fleet."""
    return set(target.one.samples())


def test_nothing_that_a_client_writes_becomes_a_series(target: Target) -> None:
    """Paths, methods, models, intents, users, ids and prompts in the syntax of labels: 100 of each add none."""
    bearer = {"authorization": f"Bearer {target.key_a}"}

    def round_of(number: int) -> None:
        root, mark = target.one.address(), f"evil{number}{LABELS}"
        plain = f"evil{number}"
        httpx.get(f"{root}/{plain}")
        httpx.get(f"{root}/v1/{plain}?x={plain}")
        httpx.get(f"{root}/v1/models/{plain}/a/b", headers=bearer)
        httpx.request("EVIL" + "".join(chr(65 + int(digit)) for digit in str(number)), f"{root}/health")
        httpx.post(f"{root}/v1/chat/completions", json={"model": plain}, headers={"authorization": f"Bearer {plain}"})
        target.ask(target.key_a, mark, model=mark)
        target.ask(target.key_a, mark, user=mark, metadata={mark: mark}, service_tier=mark)
        intent = {**bearer, "x-fleetmeter-intent": plain, "x-request-id": plain, "user-agent": plain}
        httpx.post(f"{root}/v1/chat/completions", json={"model": "auto", "messages": []}, headers=intent)

    round_of(0)
    assert eventually(lambda: total(target.one.samples(), "openai_api_calls_total") >= 2)
    target.one.samples()
    known = series(target)
    for number in range(1, 100):
        round_of(number)
    calls = total(target.one.samples(), "openai_api_calls_total")
    assert calls >= 90
    assert series(target) - known == set()
    assert "evil" not in target.one.get("/metrics").text


# keys


def test_forged_keys_are_refused(target: Target) -> None:
    """Two hundred at once, near to a real one or far from it: each is a 401, and is counted as a forged one."""
    forged = [
        *(target.key_a[:-1] + sign for sign in "abcdefgh" if not target.key_a.endswith(sign)),
        target.key_a[:-1],
        target.key_a + "x",
        target.key_a.upper(),
        target.key_a.replace("sk-fm-", "sk-fm-" + target.key_b[6:10]),
        "sk-fm-@version-" + "x" * 43,
        "sk-fm-revoked:x-" + "x" * 43,
        *(f"sk-fm-{number:012d}-{'y' * 43}" for number in range(185)),
    ]
    odd = ["Basic " + target.key_a, target.key_a, "bearer", "Bearer"]
    before = target.one.samples()

    async def refused(client: httpx.AsyncClient, authorization: str) -> None:
        response = await client.get("/v1/models", headers={"authorization": authorization})
        assert (response.status_code, response.json()["error"]["code"]) == (401, "invalid_api_key"), authorization

    async def all_of_them() -> None:
        limits = httpx.Limits(max_connections=40)
        async with httpx.AsyncClient(base_url=target.one.address(), limits=limits, timeout=60) as client:
            await asyncio.gather(*(refused(client, text) for text in [*(f"Bearer {key}" for key in forged), *odd]))

    asyncio.run(all_of_them())
    name, number = "gateway_key_rejections_total", len(forged) + len(odd)
    assert eventually(lambda: total(target.one.samples(), name) - total(before, name) == number)


def test_a_revoked_key_is_refused_everywhere(target: Target) -> None:
    """At both replicas within the bound, on every route, and its text is nowhere in a log."""
    key = keys(target.store, "create", "--team", "gone")
    bearer = {"authorization": f"Bearer {key}"}
    for replica in target.replicas:
        assert httpx.get(replica.address() + "/v1/models", headers=bearer).status_code == 200
    keys(target.store, "revoke", key.split("-")[2])

    def refused(replica: Program) -> bool:
        return httpx.get(replica.address() + "/v1/models", headers=bearer).status_code == 401

    assert eventually(lambda: all(refused(replica) for replica in target.replicas), 10.0)
    for replica in target.replicas:
        for path in POSTS:
            assert httpx.post(replica.address() + path, json={}, headers=bearer).status_code == 401
        assert key not in replica.output()


# another team's answers


def test_a_team_gets_no_other_teams_answer(target: Target) -> None:
    """Team A asks word for word what B has asked, at any replica: a miss; and it cannot remove B's answers."""
    text = f"only b knows {os.urandom(4).hex()}"
    assert target.ask(target.key_b, text).headers["x-fleetmeter-cache"] == "miss"
    assert target.ask(target.key_b, text).headers["x-fleetmeter-cache"] == "hit"
    for more in ({"x-fleetmeter-tenant": "b"}, {"x-tenant": "b"}, {"openai-organization": "b"}):
        headers = {"authorization": f"Bearer {target.key_a}", "cache-control": "no-store", **more}
        body = {"model": "cheap", "messages": [{"role": "user", "content": text}]}
        for replica in target.replicas:
            answer = httpx.post(replica.address() + POSTS[0], json=body, headers=headers)
            assert answer.headers["x-fleetmeter-cache"] == "off"
    assert target.ask(target.key_a, text).headers["x-fleetmeter-cache"] == "miss"
    for fields, status in (({"tenant": "b"}, 403), ({"tenant": "*"}, 403), ({"model": "*"}, 200), ({}, 200)):
        response = httpx.post(
            target.one.address() + "/cache/invalidate",
            json=fields,
            headers={"authorization": f"Bearer {target.key_a}"},
        )
        assert response.status_code == status, response.text
    assert target.ask(target.key_b, text).headers["x-fleetmeter-cache"] == "hit"
    assert target.ask(target.key_a, text).headers["x-fleetmeter-cache"] == "miss"


def test_many_at_once_leave_room(target: Target) -> None:
    """All connections taken by clients that say nothing: they end by themselves, and then there is room again."""
    with ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(opened(target.one))

        def served() -> bool:
            try:
                return httpx.get(target.one.address() + "/health", timeout=5).status_code == 200
            except httpx.TransportError:
                return False

        assert eventually(served)
