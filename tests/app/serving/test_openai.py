"""OpenAI's SDK against a replica: chats, streams, responses, embeddings and models, and what is counted."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest

from fleetmeter.embedded import EmbeddedStore
from support.exposition import Series, total
from support.gateway import NEVER_OPEN, TWO_TIERS, Program, eventually, running_replica
from support.upstream import RunningUpstream

CONFIG = (
    TWO_TIERS
    + """
[models."org/house.v1"]
[models.house]
deployments = ["renaming"]
[deployments.renaming]
base_url = "{upstream}"
provider = "openai"
model_names = {{ house = "gpt-6-luna" }}
[intents.price]
tier = "mid"
keywords = ["price"]
[cache]
enabled = false
[limits]
keepalive_seconds = 0.2
[upstream]
timeout_seconds = 2
max_retries = 1
{breaker}"""
)
BILL = "[[usage:prompt=100,completion=20]]"
CHEAP = "gpt-6-luna"


@pytest.fixture(scope="module")
def replica(server: EmbeddedStore, running: RunningUpstream) -> Iterator[Program]:
    """One replica."""
    config = CONFIG.format(upstream=running.base_url, breaker=NEVER_OPEN)
    with running_replica(server, running.base_url, config) as program:
        yield program


@pytest.fixture
def client(replica: Program) -> Iterator[openai.OpenAI]:
    """The SDK, with its own two retries."""
    with openai.OpenAI(api_key="k", base_url=replica.address() + "/v1", max_retries=2) as made:
        yield made


class Growth:
    """What the replica shows more than when this was made, once it shows as much as is waited for."""

    def __init__(self, replica: Program) -> None:
        self._replica = replica
        self._before = replica.samples()

    def __call__(self, name: str, **labels: str) -> float:
        """The growth of a sample, now."""
        return total(self._replica.samples(), name, **labels) - total(self._before, name, **labels)

    def reaches(self, number: float, name: str, **labels: str) -> bool:
        """Whether it grows by so much, and stays there."""
        return eventually(lambda: abs(self(name, **labels) - number) < 1e-12) and self(name, **labels) == pytest.approx(
            number
        )


Asks = Callable[..., Any]


def said(text: str) -> list[Any]:
    """A conversation of one message."""
    return [{"role": "user", "content": text}]


def samples_of(growth: Growth) -> dict[Series, float]:
    """All samples of a replica."""
    return growth._replica.samples()


@pytest.mark.parametrize("asks", [False, True])
@pytest.mark.parametrize("shape", ["asked", "cont", "twice", "finish", "one_choice", "groq", "always"])
def test_usage_is_counted_always_and_shown_once_if_asked_for(
    replica: Program, client: openai.OpenAI, shape: str, asks: bool
) -> None:
    """Whatever shape the upstream's usage has: one last chunk without choices for who asks, none for others; 120."""
    growth = Growth(replica)
    options: Any = {"include_usage": True} if asks else openai.omit
    message = f"{shape} {asks} {BILL} [[answer:chunks=3,stream={shape}]]"
    stream = client.chat.completions.create(model="cheap", messages=said(message), stream=True, stream_options=options)
    chunks = list(stream)
    told = [chunk for chunk in chunks if chunk.usage is not None]
    assert len(told) == (1 if asks else 0)
    if asks:
        assert told == [chunks[-1]]
        assert told[0].choices == []
        assert told[0].usage is not None
        assert told[0].usage.total_tokens == 120
    elif shape != "one_choice":
        assert all(chunk.choices for chunk in chunks)
    assert {chunk.model for chunk in chunks} == {CHEAP}
    assert growth.reaches(120, "openai_tokens_per_call_sum", model=CHEAP)
    assert growth("openai_api_calls_total", stream="true") == growth("openai_tokens_per_call_count") == 1
    assert growth("openai_stream_aborts_total") == growth("openai_unpriced_calls_total") == 0


def test_a_stream_without_any_usage_is_unpriced_and_whole(replica: Program, client: openai.OpenAI) -> None:
    """An upstream that never tells it: no usage chunk, no abort, no invented number."""
    growth = Growth(replica)
    options: Any = {"include_usage": True}
    chunks = list(
        client.chat.completions.create(
            model="cheap", messages=said("x [[answer:chunks=2,stream=never]]"), stream=True, stream_options=options
        )
    )
    assert all(chunk.usage is None for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert growth.reaches(1, "openai_unpriced_calls_total", model=CHEAP)
    assert growth("openai_tokens_used_count") == growth("openai_stream_aborts_total") == 0


def test_tools_choices_and_formats_go_through(client: openai.OpenAI) -> None:
    """Tool calls, several choices, a JSON schema and log probabilities come back as the upstream gave them."""
    tool: Any = {
        "type": "function",
        "function": {"name": "quote", "parameters": {"type": "object", "properties": {"symbol": {"type": "string"}}}},
    }
    answer = client.chat.completions.create(
        model="cheap", messages=said("x"), tools=[tool], tool_choice="required", parallel_tool_calls=False
    )
    assert answer.choices[0].finish_reason == "tool_calls"
    stream = client.chat.completions.create(
        model="cheap", messages=said("x"), tools=[tool], tool_choice="required", stream=True
    )
    calls = [call for chunk in stream for choice in chunk.choices for call in choice.delta.tool_calls or ()]
    assert {call.index for call in calls} == {0}
    assert json.loads("".join((call.function and call.function.arguments) or "" for call in calls))
    two = client.chat.completions.create(model="cheap", messages=said("x"), n=2, logprobs=True)
    assert [choice.index for choice in two.choices] == [0, 1]


def test_stream_options_of_a_plain_request_are_not_sent_on(replica: Program) -> None:
    """An upstream would refuse them; the answer is there."""
    body = {"model": "cheap", "messages": said("x"), "stream_options": {"include_usage": True}}
    response = httpx.post(replica.address() + "/v1/chat/completions", json=body)
    assert response.status_code == 200, response.text


def test_models_are_chosen_by_intent_tier_or_name(replica: Program, client: openai.OpenAI) -> None:
    """`auto` by rules or by a header, a tier by its name, a model by its own; each answer names who gave it."""
    ask = client.chat.completions.create
    assert ask(model="auto", messages=said("what is the price")).model == "gpt-6.1-terra"
    assert ask(model="auto", messages=said("hello")).model == CHEAP
    headers = {"x-fleetmeter-intent": "price"}
    assert ask(model="auto", messages=said("hello"), extra_headers=headers).model == "gpt-6.1-terra"
    assert ask(model="mid", messages=said("hello")).model == "gpt-6.1-terra"
    assert ask(model="gpt-6.1-terra", messages=said("hello")).model == "gpt-6.1-terra"
    with pytest.raises(openai.BadRequestError) as raised:
        ask(model="auto", messages=said("hello"), extra_headers={"x-fleetmeter-intent": "weather"})
    assert raised.value.code == "unknown_intent"


def test_two_names_of_one_model_cost_alike(replica: Program, client: openai.OpenAI) -> None:
    """What is counted and priced is the model that answered, whatever it was asked for as."""
    growth = Growth(replica)
    for name in ("house", CHEAP):
        assert client.chat.completions.create(model=name, messages=said(f"{name} {BILL}")).model == CHEAP
    assert growth.reaches(2, "openai_api_calls_total", model=CHEAP)
    assert round(growth("openai_total_cost_usd_total", model=CHEAP) * 1e9) == 2 * (100 * 100 + 20 * 500)


def test_a_client_that_leaves_a_stream_ends_it_upstream(replica: Program, upstream: RunningUpstream) -> None:
    """The upstream sees it go, the call is recorded once, as left, and its cost is an estimate, not 0."""
    growth = Growth(replica)
    body = {"model": "cheap", "messages": said("leave [[answer:chunks=300,delay=0.02]]"), "stream": True}
    with httpx.stream("POST", replica.address() + "/v1/chat/completions", json=body) as response:
        for line in response.iter_lines():
            if '"content":"' in line and '"content":""' not in line:
                break
    assert eventually(lambda: upstream.ledger().total().abandoned.requests == 1)
    assert growth.reaches(1, "openai_stream_aborts_total", usage="estimated")
    assert growth("openai_api_calls_total") == growth("openai_cost_usd_count") == 1
    assert growth("openai_total_cost_usd_total") > 0
    assert growth("openai_errors_total") == 0


def test_a_client_that_leaves_before_an_answer_is_a_499(replica: Program, upstream: RunningUpstream) -> None:
    """It is noticed while the upstream is still silent: no 200, one call without a price, the upstream left too."""
    growth = Growth(replica)
    body = {"model": "cheap", "messages": said("x [[fault:latency=1.2]]")}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(replica.address() + "/v1/chat/completions", json=body, timeout=0.4)
    assert growth.reaches(1, "http_requests_total", status="499", endpoint="/v1/chat/completions")
    assert growth.reaches(1, "openai_unpriced_calls_total")
    assert growth("openai_api_calls_total") == 1
    assert growth("http_requests_total", status="200") == 0


@pytest.mark.parametrize("trouble", ["error=3", "cut=3", "end=3"])
def test_a_stream_that_breaks_gives_what_came_then_one_error(
    replica: Program, client: openai.OpenAI, upstream: RunningUpstream, trouble: str
) -> None:
    """Three chunks, then APIError; it counts as an error of the model, and no other model is asked."""
    growth = Growth(replica)
    stream = client.chat.completions.create(
        model="cheap", messages=said(f"x [[answer:chunks=6,{trouble}]]"), stream=True
    )
    chunks: list[Any] = []
    with pytest.raises(openai.APIError) as raised:
        chunks.extend(stream)
    assert len(chunks) == 3
    assert isinstance(raised.value.body, dict)
    assert set(raised.value.body) == {"message", "type", "param", "code"}
    assert growth.reaches(1, "openai_errors_total", model=CHEAP)
    assert growth("openai_api_calls_total") == upstream.ledger().total().received == 1
    assert growth("model_fallbacks_total") == 0
    assert growth.reaches(1, "errors_total", type="StreamBrokeError")


def test_before_the_first_byte_the_chain_is_followed(replica: Program, client: openai.OpenAI) -> None:
    """A stream whose model fails at once comes from the next one, whole."""
    growth = Growth(replica)
    stream = client.chat.completions.create(
        model="cheap", messages=said(f"x [[fault:500@{CHEAP}]] [[answer:chunks=2]]"), stream=True
    )
    assert {chunk.model for chunk in stream} == {"gpt-6.1-terra"}
    assert growth.reaches(1, "model_fallbacks_total", reason="upstream_error")


@pytest.mark.parametrize(
    ("fault", "requests"), [("429,retry_after=0.01", 4), ("500", 4), ("quota", 1), ("429,retry_after=60", 2)]
)
def test_retries_are_ours_and_never_multiplied(
    replica: Program, client: openai.OpenAI, upstream: RunningUpstream, fault: str, requests: int
) -> None:
    """Two models, two attempts each; the client is told not to repeat them, nor what no retry can mend."""
    growth = Growth(replica)
    with pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(model="cheap", messages=said(f"x [[fault:{fault}]]"))
    assert upstream.ledger().total().received == requests
    assert raised.value.response.headers["x-should-retry"] == "false"
    assert growth.reaches(1, "http_requests_total", endpoint="/v1/chat/completions")
    if "60" in fault:
        assert raised.value.response.headers["retry-after"] == "60"
    assert growth("openai_api_calls_total") + growth("openai_retries_total") == requests


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b'{"model": "nope", "messages": []}', 404, "model_not_found"),
        (b'{"model": ', 400, "malformed_json"),
        (b"[" * 30_000, 400, "malformed_json"),
        (b"[]", 400, "invalid_body"),
        (b'{"messages": []}', 400, None),
        (b'{"model": 5}', 400, None),
        (b'{"model": "cheap", "stream": "yes"}', 400, "invalid_type"),
        (json.dumps({"model": "cheap", "messages": said("[[fault:context_length]]")}).encode(), 400, None),
    ],
)
def test_errors_have_openais_shape(replica: Program, content: bytes, status: int, code: str | None) -> None:
    """`code` is a text or null, `param` is there, and a request id."""
    response = httpx.post(
        replica.address() + "/v1/chat/completions", content=content, headers={"content-type": "application/json"}
    )
    error = response.json()["error"]
    assert response.status_code == status, response.text
    assert set(error) == {"message", "type", "param", "code"}
    if b"context_length" in content:
        assert error["code"] == "context_length_exceeded"
    else:
        assert error["code"] == code
    assert response.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/responses/resp_1", "/v1/audio/speech", "/v1/", "/v2/x"])
def test_an_unknown_endpoint_is_a_404_without_a_series_of_its_own(replica: Program, path: str) -> None:
    """OpenAI's shape; in the counts all unknown paths are one."""
    growth = Growth(replica)
    response = httpx.post(replica.address() + path, json={"model": "cheap"})
    assert (response.status_code, response.json()["error"]["code"]) == (404, "unknown_url")
    assert growth.reaches(1, "http_requests_total", endpoint="__unmatched__", status="404")
    assert not [labels for name, labels in samples_of(growth) if path in dict(labels).values()]


def test_a_responses_stream_has_names_numbers_and_a_last_word(client: openai.OpenAI, replica: Program) -> None:
    """Events as they came, numbered without a gap; usage and tier in the last one; counted once."""
    growth = Growth(replica)
    events = list(client.responses.create(model="cheap", input=f"x {BILL} [[answer:tier=flex]]", stream=True))
    numbers = [event.sequence_number for event in events]
    assert numbers == sorted(numbers)
    last: Any = events[-1]
    assert (events[0].type, last.type) == ("response.created", "response.completed")
    assert (last.response.usage.total_tokens, last.response.service_tier) == (120, "flex")
    assert growth.reaches(120, "openai_tokens_per_call_sum")
    assert round(growth("openai_total_cost_usd_total") * 1e9) == (100 * 100 + 20 * 500) // 2


@pytest.mark.parametrize(("trouble", "last"), [("cut=4", "response.failed"), ("error=4", "response.failed")])
def test_a_responses_stream_never_just_stops(client: openai.OpenAI, replica: Program, trouble: str, last: str) -> None:
    """The last event is `response.failed`, after a cut one of ours with the next number; it counts as an error."""
    growth = Growth(replica)
    events: list[Any] = list(client.responses.create(model="cheap", input=f"x [[answer:{trouble}]]", stream=True))
    assert events[-1].type == last
    assert events[-1].response.status == "failed"
    assert events[-1].response.error.message
    if trouble == "cut=4":  # ours; the other one is the upstream's own
        assert events[-1].sequence_number == events[-2].sequence_number + 1
    assert growth.reaches(1, "openai_errors_total", model=CHEAP)


@pytest.mark.parametrize("status", ["incomplete", "failed"])
def test_a_response_that_ends_otherwise_is_handed_on(client: openai.OpenAI, replica: Program, status: str) -> None:
    """One that is incomplete ends with the upstream's own event, one that failed with one of ours; its tokens count."""
    growth = Growth(replica)
    events: list[Any] = list(
        client.responses.create(model="cheap", input=f"x {BILL} [[answer:status={status}]]", stream=True)
    )
    assert events[-1].type == f"response.{status}"
    assert growth.reaches(1, "openai_api_calls_total", endpoint="responses")
    assert growth("openai_errors_total") == (1 if status == "failed" else 0)


def test_what_responses_cannot_keep_is_refused_by_name(client: openai.OpenAI) -> None:
    """`background` is refused, `store` and `previous_response_id` go through."""
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(model="cheap", input="x", background=True)
    assert (raised.value.param, raised.value.code) == ("background", "unsupported_parameter")
    first = client.responses.create(model="cheap", input="x", store=True)
    assert client.responses.create(model="cheap", input="y", previous_response_id=first.id).id != first.id


@pytest.mark.parametrize("given", ["one text", ["two", "texts"], [1, 2, 3], [[1, 2], [3]]])
def test_embeddings_come_in_both_formats(client: openai.OpenAI, replica: Program, given: Any) -> None:
    """Texts and tokens, numbers and base64; only prompt tokens are counted."""
    growth = Growth(replica)
    packed = client.embeddings.create(model="text-embedding-3-small", input=given)
    plain = client.embeddings.create(model="text-embedding-3-small", input=given, encoding_format="float")
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, rel=1e-6)
    assert packed.usage == plain.usage
    assert growth.reaches(2, "openai_api_calls_total", endpoint="embeddings")
    assert growth("openai_tokens_used_sum", type="completion") == 0


def test_models_are_listed_and_retrieved(client: openai.OpenAI) -> None:
    """`auto`, the tiers and the models, with a slash in the name, too; what there is not is a 404."""
    names = [model.id for model in client.models.list()]
    assert names == ["auto", "cheap", "mid", "text-embedding-3-small", "org/house.v1", "house", CHEAP, "gpt-6.1-terra"]
    assert client.models.retrieve("house").owned_by == "fleetmeter"
    assert client.models.retrieve("org/house.v1").id == "org/house.v1"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nope")


@pytest.mark.parametrize("endpoint", ["chat/completions", "responses"])
def test_a_silent_upstream_is_bridged_by_comments(replica: Program, client: openai.OpenAI, endpoint: str) -> None:
    """Comments go out while it thinks, which the SDK skips; the answer follows whole."""
    text = "x [[fault:latency=0.9]] [[answer:chunks=2]]"
    asked = {"input": text} if endpoint == "responses" else {"messages": said(text)}
    body = {"model": "cheap", "stream": True, **asked}
    with httpx.stream("POST", f"{replica.address()}/v1/{endpoint}", json=body, timeout=10) as response:
        raw = "".join(response.iter_text())
    assert raw.startswith(": keep-alive\n\n")
    assert raw.count("data: ") >= 4
    ask: Asks = client.responses.create if endpoint == "responses" else client.chat.completions.create
    assert len(list(ask(**body))) >= 4


def test_a_failure_after_a_comment_is_told_inside_the_stream(replica: Program, client: openai.OpenAI) -> None:
    """The status has gone out by then: the SDK raises APIError all the same."""
    stream = client.chat.completions.create(
        model="gpt-6.1-terra", messages=said("x [[fault:500,latency=0.7]]"), stream=True
    )
    with pytest.raises(openai.APIError):
        list(stream)


def test_ids_and_traces_go_through(replica: Program) -> None:
    """The caller's request id comes back, and its trace goes on with a span of ours."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    body = {"model": "cheap", "messages": said("x")}
    headers = {"x-request-id": "mine-1", "traceparent": trace}
    response = httpx.post(replica.address() + "/v1/chat/completions", json=body, headers=headers)
    assert response.headers["x-request-id"] == "mine-1"
    assert response.headers["traceparent"].split("-")[1] == trace.split("-")[1]
    assert response.headers["traceparent"] != trace
    injected = httpx.post(replica.address() + "/v1/chat/completions", json=body, headers={"x-request-id": "a b"})
    assert injected.headers["x-request-id"].startswith("req_")


def test_retries_of_clients_are_counted_and_not_handed_on(replica: Program, upstream: RunningUpstream) -> None:
    """A request that a client sent again is one, by its route; upstream it is a first attempt."""
    growth = Growth(replica)
    body = {"model": "cheap", "messages": said("x [[fault:500,times=1]]")}
    for count in ("0", "2", "nonsense"):
        headers = {"x-stainless-retry-count": count}
        assert httpx.post(replica.address() + "/v1/chat/completions", json=body, headers=headers).status_code == 200
    assert growth.reaches(1, "client_retries_total", endpoint="/v1/chat/completions")
    assert growth.reaches(3, "openai_retries_total")


def test_the_asynchronous_sdk_streams_many_at_once(replica: Program) -> None:
    """Twenty streams beside each other, each whole, none mixed with another."""
    growth = Growth(replica)

    async def one(client: openai.AsyncOpenAI, number: int) -> str:
        stream = await client.chat.completions.create(
            model="cheap", messages=said(f"number {number} [[answer:chunks=5,delay=0.01]]"), stream=True
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

    async def all_of_them() -> list[str]:
        async with openai.AsyncOpenAI(api_key="k", base_url=replica.address() + "/v1") as client:
            return await asyncio.gather(*(one(client, number) for number in range(20)))

    texts = asyncio.run(all_of_them())
    again = asyncio.run(all_of_them())
    assert texts == again
    assert growth.reaches(40, "openai_api_calls_total", stream="true")
    assert growth("openai_stream_aborts_total") == 0
