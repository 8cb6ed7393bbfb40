"""What a client may not do: too large, too slow, too many, malformed. It is refused on every route, before the key."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from fleetmeter.embedded import EmbeddedStore
from support.exposition import total
from support.gateway import NEVER_OPEN, ONE_TIER, Program, eventually, running_replica
from support.raw_upstream import RawUpstream, raw_upstream

CONFIG = f"""{ONE_TIER}{NEVER_OPEN}
[limits]
max_body_bytes = 5000
max_header_bytes = 4096
header_seconds = 0.5
body_seconds = 0.5
max_concurrent_requests = 3
max_connections = 12
drain_seconds = 1
[upstream]
timeout_seconds = 3
max_retries = 0
"""
ROUTES = ["/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/ask", "/cache/invalidate"]


@pytest.fixture
def upstream() -> Iterator[RawUpstream]:
    """The upstream."""
    with raw_upstream() as running:
        yield running


@pytest.fixture
def replica(server: EmbeddedStore, upstream: RawUpstream) -> Iterator[Program]:
    """One replica."""
    with running_replica(server, upstream.base_url, CONFIG) as program:
        yield program


def opened(replica: Program) -> socket.socket:
    """A connection to it."""
    host, _, port = replica.address().removeprefix("http://").partition(":")
    connection = socket.create_connection((host, int(port)))
    connection.settimeout(20)
    return connection


def answered(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    found = b""
    while part := connection.recv(65536):
        found += part
    return found


def refusal(raw: bytes) -> tuple[int, str]:
    """Status and code of a refusal, after checking its shape."""
    head, _, body = raw.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head.lower():
        body = body.split(b"\r\n")[1]
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return int(head.split()[1]), error["code"]


def test_oversize_and_slow_requests_are_refused_on_every_route(replica: Program) -> None:
    """Bodies by their length or by their bytes, heads at once or drop by drop, and whoever takes too long."""
    for route in ROUTES:
        head = f"POST {route} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n".encode()
        with opened(replica) as connection:
            connection.sendall(head + b"content-length: 9999999\r\n\r\n{")
            assert refusal(answered(connection)) == (413, "body_too_large")
        with opened(replica) as connection:
            connection.sendall(head + b"transfer-encoding: chunked\r\n\r\n1770\r\n" + b"x" * 6000 + b"\r\n0\r\n\r\n")
            assert refusal(answered(connection)) == (413, "body_too_large")
        with opened(replica) as connection:
            connection.sendall(head + b"x-padding: " + b"p" * 5000 + b"\r\ncontent-length: 2\r\n\r\n{}")
            assert refusal(answered(connection)) == (431, "head_too_large")
        with opened(replica) as connection:
            connection.sendall(head + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n")
            assert refusal(answered(connection)) == (408, "body_too_slow")
    with opened(replica) as connection:
        connection.sendall(b"POST /ask HTTP/1.1\r\nhost: x\r\n")
        assert refusal(answered(connection)) == (408, "head_too_slow")
    with opened(replica) as connection:
        connection.sendall(b"GET /" + b"a" * 10_000)
        assert refusal(answered(connection)) == (431, "head_too_large")
    with opened(replica) as connection:
        connection.sendall(b"NO HTTP AT ALL\r\n\r\n")
        assert refusal(answered(connection)) == (400, "malformed_http")
    assert replica.get("/health").status_code == 200


def test_a_header_cannot_add_another(replica: Program) -> None:
    """Line breaks in a path or an id do not reach the answer's head."""
    path = "/v1/models/x%0d%0aset-cookie:%20a=b"
    response = httpx.get(replica.address() + path, headers={"x-request-id": "a\tb"})
    assert response.status_code == 404
    assert "set-cookie" not in response.headers
    assert response.headers["x-request-id"].startswith("req_")


def test_no_more_requests_than_are_taken_at_once(replica: Program, upstream: RawUpstream) -> None:
    """The fourth is a 503 that says when to come back; health is answered all the same; then there is room again."""
    upstream.hangs = True
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    with ExitStack() as stack:
        for number in range(3):  # equal ones would be one call
            body = b'{"model": "cheap", "messages": [], "seed": %d}' % number
            connection = stack.enter_context(opened(replica))
            connection.sendall(head + b"content-length: %d\r\n\r\n" % len(body) + body)
        assert eventually(lambda: len(upstream.bodies) == 3)
        refused = httpx.post(replica.address() + "/v1/chat/completions", json={"model": "cheap"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
        assert refused.headers["retry-after"] == "1"
        assert replica.get("/health").status_code == replica.get("/metrics").status_code == 200
    assert eventually(lambda: total(replica.samples(), "http_requests_total", status="499") == 3)
    assert httpx.post(replica.address() + "/v1/chat/completions", json={"model": "nope"}).status_code == 404


def test_no_more_connections_than_are_taken(replica: Program) -> None:
    """One too many is told so and closed; those that are there go on."""
    with ExitStack() as stack:
        held = [stack.enter_context(opened(replica)) for _ in range(12)]
        time.sleep(0.1)
        with opened(replica) as more:
            assert refusal(answered(more)) == (503, "overloaded")
        held[0].sendall(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert b"200 OK" in answered(held[0])


@pytest.mark.parametrize("stream", [False, True])
def test_sigterm_ends_within_the_bound_although_the_upstream_hangs(
    replica: Program, upstream: RawUpstream, stream: bool
) -> None:
    """After the bound what still runs is told that the replica ends, and counted; the process ends with status 0."""
    upstream.hangs = not stream
    chunk = b'data: {"id":"c","model":"gpt-6-luna","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
    upstream.answer = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n"
        % (len(chunk), chunk)
    )
    upstream.stays = True
    body = json.dumps({"model": "cheap", "messages": [], "stream": stream}).encode()
    with opened(replica) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n" % len(body) + body
        )
        assert eventually(lambda: len(upstream.bodies) == 1)
        time.sleep(0.2)
        began = time.monotonic()
        assert replica.end() == 0, replica.output()
        seconds = time.monotonic() - began
        raw = answered(connection)
    assert seconds < 15, "the bound is 1 s, the rest is what a busy machine takes to end a process"
    assert b"shutting_down" in raw
    if stream:
        assert chunk in raw
        assert raw.rstrip().endswith(b"0")
    else:
        assert refusal(raw) == (503, "shutting_down")
    assert "Traceback" not in replica.output()
