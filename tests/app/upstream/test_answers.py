"""The upstream streams, calls tools, keeps responses, answers as oddly as a request wishes, and its ledger knows it."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pydantic
import pytest
from openai.types.chat import ChatCompletionChunk

from fleetmeter_app.upstream.ledger import PRICES, BilledUsage
from fleetmeter_app.upstream.samples import sample
from fleetmeter_app.upstream.usages import SHAPES
from fleetmeter_app.upstream.wishes import STREAMS, AnswerWish, find_wish
from support.upstream import RunningUpstream

LUNA = "gpt-6-luna"
BILL = "[[usage:prompt=100,cached=10,completion=20,reasoning=5]]"
BILLED = BilledUsage(prompt=90, cached=10, completion=15, reasoning=5)
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"days": {"type": "integer"}}, "required": ["days"]},
        },
    }
]


@pytest.fixture
def client(upstream: RunningUpstream) -> Iterator[openai.OpenAI]:
    """The SDK, without retries of its own."""
    with openai.OpenAI(base_url=upstream.base_url, api_key="made-up", max_retries=0) as sdk:
        yield sdk


def chunks(client: openai.OpenAI, wish: str, **more: Any) -> list[ChatCompletionChunk]:
    """The chunks of one streamed answer."""
    messages: Any = [{"role": "user", "content": f"{BILL} [[answer:{wish}]]"}]
    return list(client.chat.completions.create(model=LUNA, messages=messages, stream=True, **more))


def totals(found: list[ChatCompletionChunk]) -> list[int]:
    """The totals of the chunks that tell one."""
    return [chunk.usage.total_tokens for chunk in found if chunk.usage]


def test_a_stream_tells_its_usage_if_asked(upstream: RunningUpstream, client: openai.OpenAI) -> None:
    """With `include_usage` a last chunk without choices has the usage, and the ledger counts it as told."""
    found = chunks(client, "chunks=3", stream_options={"include_usage": True})
    assert [len(chunk.choices) for chunk in found] == [1, 1, 1, 1, 1, 0]
    assert totals(found) == [120]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in found if chunk.choices)
    account = upstream.ledger().models[LUNA]
    assert (account.delivered.usage, account.untold.usage) == (BILLED, BilledUsage())
    assert account.delivered.nanodollars == PRICES[LUNA].bill(BILLED)


def test_a_stream_that_nobody_asks_tells_nothing(upstream: RunningUpstream, client: openai.OpenAI) -> None:
    """Without `include_usage` it is billed all the same, and stands apart in the ledger."""
    assert totals(chunks(client, "chunks=2")) == []
    account = upstream.ledger().models[LUNA]
    assert (account.untold.usage, account.untold.answered, account.delivered.requests) == (BILLED, 1, 0)


@pytest.mark.parametrize(
    ("stream", "told"),
    [("cont", [100, 104, 107, 120]), ("twice", [120, 120]), ("finish", [120]), ("one_choice", [120]), ("never", [])],
)
def test_usage_stands_in_the_chunks_that_were_wished(client: openai.OpenAI, stream: str, told: list[int]) -> None:
    """As compatible servers tell it: cumulative, twice, with the finish, or on a last chunk with a choice."""
    assert stream in STREAMS
    found = totals(chunks(client, f"chunks=2,stream={stream}"))
    assert found[-1:] == told[-1:]
    assert len(found) == len(told)
    assert found == sorted(found)


def test_groq_tells_usage_under_a_name_of_its_own(client: openai.OpenAI) -> None:
    """`x_groq` has it, and `usage` is empty."""
    last = chunks(client, "chunks=1,stream=groq")[-1]
    assert last.usage is None
    assert (last.model_extra or {})["x_groq"]["usage"]["total_tokens"] == 120


def test_a_stream_can_be_cut(upstream: RunningUpstream, client: openai.OpenAI) -> None:
    """The chunks before the cut arrive, then the connection is gone; what it cost was told to nobody."""
    messages: Any = [{"role": "user", "content": f"{BILL} [[answer:chunks=3,cut=2]]"}]
    stream = client.chat.completions.create(model=LUNA, messages=messages, stream=True)
    assert next(stream).choices
    assert next(stream).choices
    with pytest.raises((openai.APIConnectionError, httpx.RemoteProtocolError)):
        next(stream)
    assert upstream.ledger().models[LUNA].untold.answered == 1


def test_a_stream_can_end_or_fail_half_way(client: openai.OpenAI) -> None:
    """A clean end without a finish reason raises nothing in the SDK; an error event raises `APIError`."""
    assert all(chunk.choices[0].finish_reason is None for chunk in chunks(client, "chunks=3,end=2"))
    with pytest.raises(openai.APIError, match="The stream failed"):
        chunks(client, "chunks=3,error=2")


def test_a_client_that_leaves_is_seen(upstream: RunningUpstream, client: openai.OpenAI) -> None:
    """A stream that stalls is given up by its client: the ledger has it as abandoned."""

    async def leave() -> None:
        async with openai.AsyncOpenAI(base_url=upstream.base_url, api_key="made-up", max_retries=0) as sdk:
            stream = await sdk.chat.completions.create(
                model=LUNA, messages=[{"role": "user", "content": f"{BILL} [[answer:stall=2]]"}], stream=True
            )
            async with stream:
                await anext(aiter(stream))

    asyncio.run(leave())
    for _ in range(100):
        account = upstream.ledger().models[LUNA]
        if account.abandoned.answered:
            break
        asyncio.run(asyncio.sleep(0.05))
    assert (account.abandoned.answered, account.delivered.answered, account.untold.answered) == (1, 0, 0)


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_every_shape_of_a_usage_is_told_or_not(upstream: RunningUpstream, client: openai.OpenAI, shape: str) -> None:
    """A usage in a wished shape arrives as that; what tells no tokens stands apart in the ledger."""
    messages: Any = [{"role": "user", "content": f"{BILL} [[answer:shape={shape}]]"}]
    raw = client.chat.completions.with_raw_response.create(model=LUNA, messages=messages).http_response.json()
    assert raw["usage"] == SHAPES[shape](BILLED)
    account = upstream.ledger().models[LUNA]
    told = shape not in {"none", "text", "negative"}
    assert (account.delivered.answered, account.untold.answered) == ((1, 0) if told else (0, 1))


def test_broken_bodies_hold_for_so_many_attempts(upstream: RunningUpstream) -> None:
    """The SDK tries again where a body breaks off, and then gets its answer: three answers were billed."""
    with openai.OpenAI(base_url=upstream.base_url, api_key="made-up", max_retries=2) as patient:
        messages: Any = [{"role": "user", "content": f"{BILL} [[answer:body=cut,attempts=2]]"}]
        answer = patient.chat.completions.create(model=LUNA, messages=messages)
    assert answer.usage is not None
    account = upstream.ledger().models[LUNA]
    assert (account.received, account.delivered.answered, account.untold.answered) == (3, 1, 2)


def test_tiers_change_the_bill(upstream: RunningUpstream, client: openai.OpenAI) -> None:
    """The tier that the answer names decides: half for flex, double for priority; an unknown one is not billed here."""
    for tier in ("flex", "priority", "scale"):
        messages: Any = [{"role": "user", "content": f"{BILL} [[answer:tier={tier}]]"}]
        assert client.chat.completions.create(model=LUNA, messages=messages).service_tier == tier
    plain = PRICES[LUNA].bill(BILLED)
    half = PRICES[LUNA].bill(BILLED, "flex")
    assert upstream.ledger().models[LUNA].delivered.nanodollars == half + 2 * plain


def test_tools_are_called_and_answered(client: openai.OpenAI) -> None:
    """A wished call has arguments that fit the schema, in one piece or streamed; after its result comes a text."""
    question: Any = {"role": "user", "content": "[[answer:tool]]"}
    called = client.chat.completions.create(model=LUNA, messages=[question], tools=TOOLS).choices[0]
    assert called.finish_reason == "tool_calls"
    assert called.message.tool_calls
    call: Any = called.message.tool_calls[0]
    assert (call.function.name, call.function.arguments) == ("weather", '{"days": 1}')
    streamed = chunks(client, "tool", tools=TOOLS)
    deltas = [delta for chunk in streamed for delta in chunk.choices[0].delta.tool_calls or ()]
    assert "".join((delta.function and delta.function.arguments) or "" for delta in deltas) == '{"days": 1}'
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    messages: Any = [question, called.message.to_dict(), result]
    assert client.chat.completions.create(model=LUNA, messages=messages, tools=TOOLS).choices[0].message.content


def test_structured_outputs_fit_their_schema(client: openai.OpenAI) -> None:
    """`.parse()` of chat and responses gets an object of the asked class."""

    class City(pydantic.BaseModel):
        name: str
        sizes: list[int]

    messages: Any = [{"role": "user", "content": "x"}]
    chat = client.chat.completions.parse(model=LUNA, messages=messages, response_format=City)
    assert chat.choices[0].message.parsed == City(name="sample", sizes=[])
    assert client.responses.parse(model=LUNA, input="x", text_format=City).output_parsed is not None


def test_responses_answer_and_stream(upstream: RunningUpstream, client: openai.OpenAI) -> None:
    """A response has usage and tier at its end only; its events are numbered without a gap."""
    answer = client.responses.create(model=LUNA, input=BILL)
    assert answer.usage
    assert (answer.status, answer.usage.total_tokens, answer.service_tier) == ("completed", 120, "default")
    events = list(client.responses.create(model=LUNA, input=f"{BILL} [[answer:chunks=2,tier=flex]]", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    first, last = events[0], events[-1]
    assert first.type == "response.created"
    assert last.type == "response.completed"
    assert (first.response.usage, first.response.service_tier) == (None, "auto")
    assert last.response.usage
    assert (last.response.usage.total_tokens, last.response.service_tier) == (120, "flex")
    assert upstream.ledger().models[LUNA].delivered.answered == 2


def test_a_background_response_is_billed_once(upstream: RunningUpstream, client: openai.OpenAI) -> None:
    """It is queued without usage; each later look tells the same usage, and the ledger has it once."""
    queued = client.responses.create(model=LUNA, input=BILL, background=True)
    assert (queued.status, queued.usage) == ("queued", None)
    for _ in range(3):
        found = client.responses.retrieve(queued.id)
        assert found.usage
        assert found.usage.total_tokens == 120
    account = upstream.ledger().models[LUNA]
    assert account.delivered.usage == BILLED
    assert account.endpoints == {"responses": 1, "responses.retrieve": 3}
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_unknown")


def test_embeddings_come_in_both_encodings(upstream: RunningUpstream, client: openai.OpenAI) -> None:
    """The SDK's default is base64; numbers are the same vector; tokens count as they were sent."""
    model = "text-embedding-3-small"
    packed = client.embeddings.create(model=model, input="one two three")
    plain = client.embeddings.create(model=model, input="one two three", encoding_format="float")
    assert packed.data[0].embedding == plain.data[0].embedding
    assert client.embeddings.create(model=model, input=[[1, 2], [3]]).usage.total_tokens == 3
    assert upstream.ledger().models[model].delivered.usage == BilledUsage(prompt=9)


def test_the_other_endpoints_are_there(upstream: RunningUpstream, client: openai.OpenAI) -> None:
    """Images, audio, moderations, files and batches answer as the SDK reads them, and are counted by endpoint."""
    client.images.generate(model="gpt-image-2", prompt="x")
    client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("a.wav", b"x"))
    assert client.audio.speech.create(model="tts-1", voice="alloy", input="x").content
    client.moderations.create(input="x")
    client.files.list()
    client.batches.retrieve("batch_1")
    assert upstream.ledger().total().endpoints == {
        "images": 1, "audio": 2, "moderations": 1, "files": 1, "batches": 1,
    }  # fmt: skip


def test_a_wish_is_read_word_by_word() -> None:
    """Of several wishes the header's wins, then the last one in the text."""
    assert find_wish(None, "a [[answer:cut=1]] b [[answer:cut=2]]").numbers == {"cut": 2}
    assert find_wish("tier=flex", "[[answer:cut=1]]") == AnswerWish(texts={"tier": "flex"})
    assert AnswerWish.parse("body=cut,attempts=1").broken_body(1) is None


def test_a_recursive_schema_has_an_end() -> None:
    """A schema that refers to itself is answered, however deep it asks to go."""
    node = {"$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}}}
    assert isinstance(sample({**node, "$ref": "#/$defs/Node"}), dict)
