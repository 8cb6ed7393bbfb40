"""Whatever an upstream answers: never a 500 of ours, always one call in the counts, nothing of it handed on unseen."""

import json
import re
from collections.abc import Iterator
from typing import Any, get_args

import httpx
import openai
import pytest
from openai.types.responses import ResponseError

from fleetmeter.embedded import EmbeddedStore
from fleetmeter.pricing.answer import Answer
from fleetmeter_app.transport.failures import failure_inside
from support.exposition import total
from support.gateway import NEVER_OPEN, ONE_TIER, Program, eventually, running_replica
from support.raw_upstream import COMPLETION, RawUpstream, raw_upstream

CONFIG = f"""{ONE_TIER}{NEVER_OPEN}
[cache]
enabled = false
[limits]
max_header_bytes = 4096
[upstream]
timeout_seconds = 2
max_retries = 0
max_answer_bytes = 100000
"""
DEEP = b'{"choices":' + b"[" * 30_000 + b"]" * 30_000 + b"}"


@pytest.fixture(scope="module")
def upstream() -> Iterator[RawUpstream]:
    """The upstream."""
    with raw_upstream() as running:
        yield running


@pytest.fixture(scope="module")
def replica(server: EmbeddedStore, upstream: RawUpstream) -> Iterator[Program]:
    """One replica."""
    with running_replica(server, upstream.base_url, CONFIG, NO_PROXY="127.0.0.1") as program:
        yield program


def changed(**changes: Any) -> bytes:
    """A completion with some fields changed."""
    return json.dumps(COMPLETION | changes).encode()


def with_error(**error: Any) -> bytes:
    """A body in OpenAI's error shape."""
    return json.dumps({"error": error}).encode()


def usage(**counts: Any) -> bytes:
    """A completion with this usage."""
    return changed(usage=counts)


BODIES: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 502),
    "no JSON": (b"<p>", 502),
    "half of it": (b'{"id": "chatcmpl', 502),
    "no UTF-8": (b"\xff\xfe", 502),
    "a list": (b"[]", 502),
    "null": (b"null", 502),
    "nested 30,000 deep": (DEEP, 502),
    "no choices": (changed(choices=[]), 502),
    "choices of another type": (changed(choices="text"), 502),
    "a choice without a message": (changed(choices=[{"message": None}]), 502),
    "content of another type": (changed(choices=[{"message": {"content": 5}}]), 502),
    "an error inside": (with_error(message="secret words", code="server_error"), 502),
    "an error inside, beside an answer": (changed(error={"message": "secret words"}), 200),
    "an error that is a text": (b'{"error": "secret words"}', 502),
    "more than is held": (changed(padding="x" * 200_000), 502),
    "counts of 401 digits": (usage(prompt_tokens=int("9" * 401), completion_tokens=1), 200),
    "counts beyond any model": (usage(prompt_tokens=10**17, completion_tokens=1, total_tokens=10**17 + 1), 200),
    "counts of 5,000 digits": (changed().replace(b'"prompt_tokens": 4', b'"prompt_tokens": ' + b"9" * 5000), 502),
    "negative counts": (usage(prompt_tokens=-1, completion_tokens=1), 200),
    "counts of another type": (usage(prompt_tokens="many", completion_tokens=[1]), 200),
    "a usage of another type": (changed(usage="much"), 200),
    "a model of another type": (changed(model=["x"]), 200),
    "a tier of another type": (changed(service_tier={"x": 1}), 200),
}


@pytest.mark.parametrize("name", BODIES)
def test_no_answer_is_our_failure_or_uncounted(replica: Program, upstream: RawUpstream, name: str) -> None:
    """What is no answer is a 502 in OpenAI's shape, what is one goes through as it came; each is one call."""
    body, status = BODIES[name]
    upstream.says(body)
    before = replica.samples()
    response = asked(replica)
    assert response.status_code == status, response.text
    if status == 200:
        assert response.content == body
    else:
        assert set(response.json()["error"]) == {"message", "type", "param", "code"}
        assert "secret" not in response.text
    assert eventually(lambda: grown(replica, before, "openai_api_calls_total") == 1)
    assert grown(replica, before, "openai_errors_total") == (0 if status == 200 else 1)
    assert grown(replica, before, "http_requests_total", status="500") == 0


def asked(replica: Program, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
    """What a plain request is answered."""
    body = {"model": "cheap", "messages": [{"role": "user", "content": "x"}], **more}
    return httpx.post(replica.address() + "/v1/chat/completions", json=body, headers=headers, timeout=30)


def grown(replica: Program, before: dict[Any, float], name: str, **labels: str) -> float:
    """The growth of a sample since then."""
    return total(replica.samples(), name, **labels) - total(before, name, **labels)


@pytest.mark.parametrize("named", ["text/html", "application/json; x=\u0142", "application/json\x7f", "", "x" * 3000])
def test_an_answer_is_json_whatever_its_upstream_calls_it(replica: Program, upstream: RawUpstream, named: str) -> None:
    """SDKs take a body of another content type for a text, and no header can carry some of them."""
    body = changed()
    upstream.answer = f"HTTP/1.1 200 OK\r\ncontent-type: {named}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
    response = asked(replica)
    assert (response.status_code, response.content) == (200, body)
    assert response.headers["content-type"] == "application/json"


FAILED = {
    "id": "r", "object": "response", "model": "gpt-6-luna", "status": "failed", "output": [],
    "usage": {"input_tokens": 4, "output_tokens": 3, "total_tokens": 7},
}  # fmt: skip
OF_THE_PROVIDER = {"server_error", "rate_limit_exceeded", "vector_store_timeout", "data_residency_mismatch"}


def events_of(*responses: dict[str, Any]) -> bytes:
    """A stream of a response: how it began, and how it failed."""
    names = ("response.created", "response.failed")
    return b"".join(
        f"event: {name}\ndata: {json.dumps({'type': name, 'sequence_number': at, 'response': response})}\n\n".encode()
        for at, (name, response) in enumerate(zip(names, responses, strict=True))
    )


@pytest.mark.parametrize("error", [None, "secret words", {"code": ["x"], "message": "secret words"}])
@pytest.mark.parametrize("stream", [False, True])
def test_a_failed_response_is_a_failure(replica: Program, upstream: RawUpstream, error: Any, *, stream: bool) -> None:
    """It comes with status 200, and is no answer: its tokens are counted, its words and codes stay here."""
    failed = {**FAILED, "error": error}
    if stream:
        body = events_of({**FAILED, "status": "in_progress", "usage": None}, failed)
        upstream.says(body, content_type="text/event-stream")
    else:
        upstream.says(json.dumps(failed).encode())
    before = replica.samples()
    response = httpx.post(
        replica.address() + "/v1/responses", json={"model": "cheap", "input": "x", "stream": stream}, timeout=30
    )
    assert "secret" not in response.text
    if stream:
        last = json.loads(response.content.strip().split(b"data: ")[-1])
        assert (last["type"], last["sequence_number"]) == ("response.failed", 1)
        assert last["response"]["usage"] == FAILED["usage"]
        told = last["response"]["error"]
    else:
        assert response.status_code == 502
        told = response.json()["error"]
    assert told["code"] == "upstream_error"
    assert eventually(lambda: grown(replica, before, "openai_errors_total") == 1)
    assert grown(replica, before, "openai_tokens_used_sum") == 7


@pytest.mark.parametrize("code", get_args(ResponseError.model_fields["code"].annotation))
def test_a_response_that_failed_by_its_request_is_the_callers(
    replica: Program, upstream: RawUpstream, code: str
) -> None:
    """The caller is told as of a 400, and no circuit opens for it; all else is the provider's fault."""
    upstream.says(json.dumps({**FAILED, "error": {"code": code, "message": "It is too small."}}).encode())
    response = httpx.post(replica.address() + "/v1/responses", json={"model": "cheap", "input": "x"}, timeout=30)
    failure = failure_inside({"code": code}, Answer())
    if code in OF_THE_PROVIDER:
        assert response.status_code == 502
        assert failure.is_the_deployments
    else:
        assert response.status_code == 400
        assert response.json()["error"]["code"] == code
        assert "It is too small" in response.json()["error"]["message"]
        assert not failure.is_the_deployments


NESTED = ((150, 200), (300, 502), *((levels, 502) for levels in range(940, 1000, 2)))
"""Levels, and what becomes of an answer that has so many: between what Python reads and what it writes is the rub."""


@pytest.mark.parametrize("stream", [False, True])
def test_a_nested_answer_is_passed_on_or_refused(replica: Program, upstream: RawUpstream, *, stream: bool) -> None:
    """By a bound that is stated; there is no depth that can be read and not written."""
    for levels, status in NESTED:
        deep = b'{"x":' + b"[" * levels + b"]" * levels + b","
        if stream:
            choice = {"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}
            body = b"data: " + changed(choices=[choice]).replace(b"{", deep, 1) + b"\n\ndata: [DONE]\n\n"
        else:
            body = changed().replace(b"{", deep, 1)
        upstream.says(body, content_type="text/event-stream" if stream else "application/json")
        assert asked(replica, stream=stream).status_code == status, levels


@pytest.mark.parametrize("code", [400, None, True, ["x"], {"a": 1}, "Two Words", "x\r\nset-cookie: a=b", "y" * 500])
@pytest.mark.parametrize(("status", "seen"), [("400 Bad Request", 400), ("500 Oops", 502), ("429 Slow", 429)])
def test_a_code_of_any_type_is_never_handed_on(
    replica: Program, upstream: RawUpstream, code: Any, status: str, seen: int
) -> None:
    """The client gets a code of ours, as text, and no header that the upstream wrote."""
    upstream.says(with_error(message="m", code=code, type=7, param={"x": 1}), status, more="x-evil: 1\r\n")
    response = asked(replica)
    assert response.status_code == seen
    error = response.json()["error"]
    assert error["code"] in {"invalid_request", "upstream_error", "rate_limit_exceeded"}
    assert error["param"] is None
    assert "x-evil" not in response.headers
    assert "set-cookie" not in response.headers


def test_what_the_upstream_says_of_the_request_reaches_the_caller(replica: Program, upstream: RawUpstream) -> None:
    """A 400 has its message, code and parameter, so that whoever wrote the request can mend it."""
    upstream.says(
        with_error(message="Temperature is 3; at most 2.", code="invalid_value", param="temperature"), "400 No"
    )
    error = asked(replica).json()["error"]
    assert "Temperature is 3; at most 2." in error["message"]
    assert (error["code"], error["param"], error["type"]) == ("invalid_value", "temperature", "invalid_request_error")


@pytest.mark.parametrize(("length", "sent"), [(300_000, 300_000), (5_000, 50)])
def test_an_error_is_one_whatever_its_body_is(replica: Program, upstream: RawUpstream, length: int, sent: int) -> None:
    """The status of an error tells what it is, also if its body is larger than is read, or breaks off."""
    for status, code in (("400 No", 400), ("429 Slow", 429), ("500 Oops", 502)):
        upstream.answer = b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n" % (status.encode(), length) + b"x" * sent
        assert asked(replica).status_code == code


def test_a_circuit_is_open_for_as_long_as_the_upstream_asks(server: EmbeddedStore, upstream: RawUpstream) -> None:
    """For up to ten minutes; a caller is told of two at most where it would wait for them."""
    with running_replica(server, upstream.base_url, f"{ONE_TIER}[breaker]\nconsecutive_failures = 1\n") as replica:
        upstream.says(b"", "429 Slow", more="retry-after: 500\r\n")
        assert asked(replica).headers["retry-after"] == "120"
        refused = asked(replica)
        assert refused.json()["error"]["code"] == "circuit_open"
        assert 400 < int(refused.headers["retry-after"]) <= 500


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect"])
def test_no_redirect_is_followed(replica: Program, upstream: RawUpstream, status: str) -> None:
    """The key and the prompt go nowhere that the configuration does not name."""
    seen = len(upstream.bodies)
    upstream.says(b"", status, more=f"location: {upstream.base_url}/elsewhere\r\n")
    assert asked(replica).status_code == 502
    assert len(upstream.bodies) == seen + 1


def test_a_501_is_not_asked_again_by_anybody(replica: Program, upstream: RawUpstream) -> None:
    """llama.cpp says so of what it does not have; the client is told not to retry."""
    upstream.says(with_error(message="m", code=501, type="not_supported_error"), "501 Not Implemented")
    seen = len(upstream.bodies)
    with (
        openai.OpenAI(api_key="k", base_url=replica.address() + "/v1") as client,
        pytest.raises(openai.InternalServerError),
    ):
        client.chat.completions.create(model="cheap", messages=[{"role": "user", "content": "x"}])
    assert len(upstream.bodies) == seen + 1


STREAMS: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 502),
    "an error first": (b'data: {"error": {"message": "secret words", "code": "rate_limit_exceeded"}}\n\n', 502),
    "no JSON first": (b"data: {\n\n", 502),
    "only a comment": (b": hi\n\n", 502),
    "half an event": (b'data: {"id": "c"', 502),
    "an event without an end": (b"data: " + b"x" * 200_000, 502),
    "nested deep": (b"data: " + DEEP + b"\n\n", 502),
    "no stream at all": (b"", 502),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_never_began_is_an_error_with_a_status(
    replica: Program, upstream: RawUpstream, name: str
) -> None:
    """Before the first byte an error has its status, in OpenAI's shape, and is one call."""
    body, status = STREAMS[name]
    upstream.says(body, content_type="text/event-stream" if name != "no stream at all" else "text/html")
    before = replica.samples()
    response = asked(replica, stream=True)
    assert response.status_code == status, response.text
    assert "secret" not in response.text
    assert eventually(lambda: grown(replica, before, "openai_api_calls_total", stream="true") == 1)
    assert grown(replica, before, "openai_errors_total") == 1


def chunk(**delta: Any) -> bytes:
    """A chunk of a stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    return b"data: " + json.dumps({**COMPLETION, "choices": [choice], "usage": None}).encode()


@pytest.mark.parametrize("gap", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_events_end_as_the_standard_permits(replica: Program, upstream: RawUpstream, gap: bytes) -> None:
    """Bytes of a stream reach the client as they came, whatever ends their lines."""
    body = gap.join([chunk(role="assistant"), chunk(content='a "usage": 5 b'), b": hi", b"data: [DONE]", b""])
    upstream.says(body, content_type="text/event-stream")
    assert asked(replica, stream=True).content == body


@pytest.mark.parametrize("broken", [b"data: {", b"data: []", b'data: {"error": "secret"}'])
def test_rubbish_within_a_stream_ends_it_with_an_error(replica: Program, upstream: RawUpstream, broken: bytes) -> None:
    """What came before is delivered; a chunk that nobody can read, if it is looked at, becomes an error event."""
    upstream.says(b"\n\n".join([chunk(role="assistant"), broken, b""]), content_type="text/event-stream")
    response = asked(replica, stream=True)
    first, last = response.content.strip().split(b"\n\n")
    assert first == chunk(role="assistant")
    assert set(json.loads(last.removeprefix(b"data: "))["error"]) == {"message", "type", "param", "code"}
    assert b"secret" not in response.content


def test_a_request_goes_on_as_it_came(replica: Program, upstream: RawUpstream) -> None:
    """Unknown fields, odd numbers and escapes are the client's own bytes; only the model's name is set."""
    upstream.says(changed())
    sent = (
        b'{ "messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:,\\u00e9"}}]}],\n'
        b' "temperature": 1.00, "seed": 12345678901234567890, "x_new": {"a": [1e2, null]}, "model": "gpt-6-luna" }'
    )
    headers = {"content-type": "application/json", "x-stainless-retry-count": "2", "authorization": "Bearer mine"}
    response = httpx.post(replica.address() + "/v1/chat/completions", content=sent, headers=headers)
    assert response.status_code == 200
    assert upstream.bodies[-1] == sent
    head = upstream.heads[-1].lower()
    assert "x-stainless-retry-count: 0" in head
    assert "authorization: bearer sk-test" in head
    assert "mine" not in head
    named = sent.replace(b'"model": "gpt-6-luna"', b'"model": "cheap"')
    httpx.post(replica.address() + "/v1/chat/completions", content=named, headers=headers)
    assert upstream.bodies[-1] == sent.replace(b'"model": "gpt-6-luna"', b'"model":"gpt-6-luna"')


def logged(replica: Program, pattern: str) -> tuple[str, ...]:
    """What the pattern's groups are in the log, as soon as it is there."""
    assert eventually(lambda: re.search(pattern, replica.output()) is not None), replica.output()
    return tuple(str(group) for group in re.findall(pattern, replica.output())[0])


def test_a_failure_is_logged_without_its_message(replica: Program, upstream: RawUpstream) -> None:
    """An error inside an answer or a stream is known by code, length and mark, which equal messages share."""
    lines = []
    for message, stream in (("secret words", False), ("secret words", True), ("secret world", False)):
        body = with_error(message=message, code="server_error")
        if stream:
            upstream.says(
                b"\n\n".join([chunk(role="assistant"), b"data: " + body, b""]), content_type="text/event-stream"
            )
        else:
            upstream.says(body)
        named = f"req-{message[-1]}-{stream}".lower()
        asked(replica, {"x-request-id": named}, stream=stream)
        pattern = rf"request {named}: (.*) \(status 200, message of 12 characters, mark ([0-9a-f]{{8}})\)"
        lines.append(logged(replica, pattern))
    (whole, mark), (part, same), (_, other) = lines
    assert whole == "default/gpt-6-luna did not answer: APIError server_error"
    assert part == "default/gpt-6-luna broke off its stream: APIError server_error"
    assert mark == same != other


def test_nothing_of_it_is_in_the_log(replica: Program) -> None:
    """Neither a body, nor a key, nor a traceback."""
    output = replica.output()
    for secret in ("secret", "sk-test", "Traceback", "set-cookie"):
        assert secret not in output
