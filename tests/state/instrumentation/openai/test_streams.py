"""Streams: usage wherever it stands, one end in every form, time to first token: cases S1 to S9."""

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

import fleetmeter
from fleetmeter.instrumentation.openai.captured import Events, UsageFilter
from fleetmeter.instrumentation.openai.progress import Progress
from fleetmeter.pricing import PriceList
from support.counts import Counts
from support.upstream import RunningUpstream

LUNA = "gpt-6-luna"
ASKED: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
KNOWN = {"prompt": 100, "completion": 20}
ABORT = {"unknown": 1}


@pytest.mark.parametrize("shape", ["asked", "cont", "twice", "finish", "one_choice", "groq", "always"])
def test_the_last_usage_counts(ask: Callable[..., Any], counts: Counts, shape: str) -> None:
    """Wherever a stream tells its usage, and however often, it is 120 tokens."""
    list(ask(f"stream={shape},chunks=4", **ASKED))
    assert (counts.calls, counts.tokens, counts.nanodollars, counts.aborts) == (1, KNOWN, 20_000, {})


def test_zero_is_stated_and_nothing_is_unknown(ask: Callable[..., Any], counts: Counts) -> None:
    """A usage of 0 costs 0; a stream without usage is unpriced, and has no tokens."""
    list(ask("shape=zero", **ASKED))
    assert (counts.answered, counts.unpriced) == (1, 0)
    list(ask(stream=True))
    assert (counts.calls, counts.answered, counts.unpriced, counts.aborts) == (2, 1, 1, {})


@pytest.mark.parametrize("status", ["completed", "incomplete", "failed"])
def test_responses_tell_usage_and_tier_at_their_end(client: openai.OpenAI, counts: Counts, status: str) -> None:
    """They come from the terminal event, whichever it is; `auto` of the first one says nothing."""
    text = f"[[answer:status={status},tier=priority]] [[usage:prompt=100,completion=20]]"
    list(client.responses.create(model=LUNA, input=text, stream=True))
    assert (counts.tokens, counts.nanodollars, counts.aborts) == (KNOWN, 40_000, {})


def test_null_in_the_terminal_event_is_unknown(client: openai.OpenAI, counts: Counts) -> None:
    """A response that ends without usage is unpriced."""
    list(client.responses.create(model=LUNA, input="[[answer:shape=none]]", stream=True))
    assert (counts.calls, counts.unpriced, counts.tokens) == (1, 1, {})


def test_a_clean_end_that_says_nothing_is_an_abort(
    ask: Callable[..., Any], client: openai.OpenAI, counts: Counts
) -> None:
    """Without a finish reason or a terminal event the answer was not complete, though nothing was raised."""
    list(ask("end=3,chunks=5", **ASKED))
    assert (counts.calls, counts.aborts, counts.errors) == (1, ABORT, {})
    list(client.responses.create(model=LUNA, input="[[answer:end=3]]", stream=True))
    assert (counts.calls, counts.aborts, counts.errors) == (2, {"unknown": 2}, {})


# S5


def to_the_end(stream: Any) -> None:
    """Read all."""
    list(stream)


def break_then_collect(stream: Any) -> None:
    """Leave it, and let it go."""
    for _ in stream:
        break


def with_and_break(stream: Any) -> None:
    """Leave it in its block."""
    with stream:
        for _ in stream:
            break


def next_and_close(stream: Any) -> None:
    """Take one chunk, then close."""
    next(stream)
    stream.close()


def close_the_response(stream: Any) -> None:
    """Close what is below it."""
    stream.response.close()


def close_twice(stream: Any) -> None:
    """Close it again."""
    stream.close()
    stream.close()


def drop(stream: Any) -> None:
    """Never look at it."""


LEFT = [break_then_collect, with_and_break, next_and_close, close_the_response, close_twice, drop]


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("leave", LEFT)
def test_a_stream_that_is_left_ends_once(
    ask: Callable[..., Any], client: openai.OpenAI, counts: Counts, leave: Callable[[Any], None], raw: bool
) -> None:
    """However a stream is left, it is one call and one abort, of unknown price."""
    if raw:
        text = "[[answer:stall=2]]"
        response = client.chat.completions.with_raw_response.create(
            model=LUNA, messages=[{"role": "user", "content": text}], **ASKED
        )
        leave(response.parse())
        del response
    else:
        leave(ask("stall=2", **ASKED))
    gc.collect()
    assert (counts.calls, counts.durations, counts.aborts, counts.unpriced, counts.errors) == (1, 1, ABORT, 1, {})


def test_a_raw_stream_that_is_never_parsed_ends(client: openai.OpenAI, counts: Counts) -> None:
    """A response that nobody holds any more has ended."""
    text = "[[answer:stall=2]]"
    client.chat.completions.with_raw_response.create(model=LUNA, messages=[{"role": "user", "content": text}], **ASKED)
    gc.collect()
    assert (counts.calls, counts.aborts) == (1, ABORT)


def read_lines(response: Any) -> None:
    """As lines."""
    list(response.iter_lines())


def read_bytes(response: Any) -> None:
    """As bytes, in small pieces."""
    list(response.iter_bytes(7))


def parse(response: Any) -> None:
    """By the SDK's parser."""
    list(response.parse())


@pytest.mark.parametrize("read", [read_lines, read_bytes, parse])
def test_streaming_responses_are_read_from_their_bytes(
    client: openai.OpenAI, counts: Counts, read: Callable[[Any], None]
) -> None:
    """`with_streaming_response` has model, tokens and time to first token, whoever parses the bytes."""
    text = "[[usage:prompt=100,completion=20]]"
    message: Any = [{"role": "user", "content": text}]
    with client.chat.completions.with_streaming_response.create(model=LUNA, messages=message, **ASKED) as response:
        read(response)
    assert (counts.models, counts.tokens, counts.first_tokens, counts.aborts) == ({LUNA: 1}, KNOWN, 1, {})


def test_streaming_responses_that_are_never_read(client: openai.OpenAI, counts: Counts) -> None:
    """One end; a stream that was not read was left, an answer that was not read has no known price."""
    made: Any = client.chat.completions.with_streaming_response
    with made.create(model=LUNA, messages=[{"role": "user", "content": "[[answer:stall=1]]"}], **ASKED):
        pass
    assert (counts.calls, counts.aborts, counts.unpriced) == (1, ABORT, 1)
    with made.create(model=LUNA, messages=[{"role": "user", "content": "x"}]):
        pass
    assert (counts.calls, counts.aborts, counts.unpriced) == (2, ABORT, 2)


@pytest.mark.parametrize("read", ["json", "text", "read", "parse"])
def test_streaming_responses_that_are_no_streams(client: openai.OpenAI, counts: Counts, read: str) -> None:
    """A body that is read later has its tokens."""
    message: Any = [{"role": "user", "content": "[[usage:prompt=100,completion=20]]"}]
    with client.chat.completions.with_streaming_response.create(model=LUNA, messages=message) as response:
        getattr(response, read)()
    assert (counts.calls, counts.nanodollars) == (1, 20_000)


async def cancel(stream: Any) -> None:
    """Cancel the task that reads."""

    async def read() -> None:
        async for _ in stream:
            pass

    task = asyncio.ensure_future(read())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def wait_for(stream: Any) -> None:
    """Read with a time limit."""

    async def read() -> None:
        async for _ in stream:
            pass

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(read(), 0.2)


async def leave_in_with(stream: Any) -> None:
    """Leave its block."""
    async with stream:
        async for _ in stream:
            break


async def never(stream: Any) -> None:
    """Do nothing: the loop is closed with it open."""


@pytest.mark.parametrize("leave", [cancel, wait_for, leave_in_with, never])
def test_async_streams_end_once(upstream: RunningUpstream, counts: Counts, leave: Callable[[Any], Any]) -> None:
    """Cancelled, timed out, left, or open when the loop is closed: one call, one abort, no error."""

    async def main() -> None:
        async with openai.AsyncOpenAI(api_key="x", base_url=upstream.base_url) as client:
            message: Any = [{"role": "user", "content": "[[answer:stall=2]]"}]
            await leave(await client.chat.completions.create(model=LUNA, messages=message, **ASKED))

    asyncio.run(main())
    gc.collect()
    assert (counts.calls, counts.aborts, counts.errors) == (1, ABORT, {})


def test_the_helper_that_is_left(client: openai.OpenAI, counts: Counts) -> None:
    """`chat.completions.stream()` closes the response itself when its block is left."""
    message: Any = [{"role": "user", "content": "[[answer:stall=3]]"}]
    with client.chat.completions.stream(model=LUNA, messages=message) as stream:
        for _ in stream:
            break
    assert (counts.calls, counts.aborts) == (1, ABORT)


def test_a_break_at_the_finish_reason(ask: Callable[..., Any], counts: Counts) -> None:
    """Who leaves before the usage that was asked for has left the stream: its usage is unknown."""
    with ask("delay=0.1,chunks=1", **ASKED) as stream:
        for chunk in stream:
            if chunk.choices[0].finish_reason:
                break
    assert (counts.calls, counts.aborts, counts.unpriced) == (1, ABORT, 1)


def test_usage_that_has_arrived_counts_though_nobody_read_it(ask: Callable[..., Any], counts: Counts) -> None:
    """What the last bytes tell is known, also if the caller left before them."""
    with ask("stream=always,chunks=0", stream=True) as stream:
        next(stream)
        threading.Event().wait(0.2)
        for chunk in stream:
            if chunk.choices[0].finish_reason:
                break
    assert counts.calls == 1
    assert counts.answered + counts.unpriced == 1  # the network may have cut it before the usage


# S7


def delta(**parts: Any) -> dict[str, Any]:
    """A chunk with this delta."""
    return {"model": LUNA, "choices": [{"index": 0, "delta": parts, "finish_reason": None}]}


@pytest.mark.parametrize(
    ("event", "content"),
    [
        (delta(role="assistant", content=""), False),
        (delta(role="assistant", content=None), False),
        ({"model": "", "choices": [], "prompt_filter_results": []}, False),
        (delta(), False),
        (delta(content="a"), True),
        (delta(refusal="no"), True),
        (delta(reasoning_content="hm"), True),
        (delta(tool_calls=[{"index": 0, "function": {"name": "look", "arguments": ""}}]), False),
        (delta(tool_calls=[{"index": 0, "function": {"arguments": "{"}}]), True),
        (delta(audio={"id": "audio_1"}), False),
        (delta(audio={"data": "AAA="}), True),
        ({"choices": [{"index": 0, "text": "a"}]}, True),
        ({"type": "response.created", "response": {"model": LUNA}}, False),
        ({"type": "response.output_text.delta", "delta": "a"}, True),
        ({"type": "response.function_call_arguments.delta", "delta": "{"}, True),
        ({"type": "response.output_item.added", "item": {}}, False),
    ],
)
def test_what_the_first_token_is(event: dict[str, Any], content: bool) -> None:
    """Content of any kind; not the chunk that names the role, nor Azure's empty one, nor the start of a response."""
    progress = Progress(keep_text=False)
    progress.see(event)
    assert (progress.began is not None) is content


def test_a_stream_without_content_has_no_first_token(ask: Callable[..., Any], counts: Counts) -> None:
    """Time to first token is observed once for each stream that has content."""
    list(ask("chunks=0", **ASKED))
    assert counts.first_tokens == 0
    list(ask("empty_first,chunks=3", **ASKED))
    assert (counts.first_tokens, counts.models) == (1, {LUNA: 2})


def test_usage_is_replaced_and_never_added() -> None:
    """Three cumulative usages leave the last, beside the first model."""
    progress = Progress(keep_text=False)
    for total in (100, 110, 120):
        progress.see({"model": LUNA, "choices": [], "usage": {"total_tokens": total}})
    progress.see({"choices": [], "x_groq": {"id": "1"}})
    assert [part.get("usage", {}).get("total_tokens") for part in progress.parts] == [100, 120]


# S8


@pytest.fixture
def asking(prices: PriceList) -> Iterator[Counts]:
    """Usage is asked for on every stream whose caller left it open."""
    fleetmeter.instrument_openai(prices=prices, ask_for_usage=True)
    try:
        yield Counts()
    finally:
        fleetmeter.uninstrument_openai()


def message(wish: str = "") -> Any:
    """A prompt of known usage."""
    return [{"role": "user", "content": f"{wish} [[usage:prompt=100,completion=20]]"}]


def test_the_chunk_that_was_asked_for_is_hidden(client: openai.OpenAI, asking: Counts) -> None:
    """The caller sees what it would have seen; the tokens are known. `chunks` in a form of every kind."""
    chat: Any = client.chat.completions
    chunks = list(chat.create(model=LUNA, messages=message(), stream=True))
    assert all(chunk.choices for chunk in chunks)
    assert all(chunk.usage is None for chunk in chunks)
    chunks = list(chat.with_raw_response.create(model=LUNA, messages=message(), stream=True).parse())
    assert all(chunk.choices for chunk in chunks)
    with chat.with_streaming_response.create(model=LUNA, messages=message(), stream=True) as response:
        lines = list(response.iter_lines())
    assert not any('"choices":[]' in line for line in lines)
    assert lines[-2:] == ["data: [DONE]", ""]
    assert (asking.calls, asking.nanodollars, asking.aborts) == (3, 60_000, {})


def test_it_is_hidden_in_async_streams(upstream: RunningUpstream, asking: Counts) -> None:
    """The same for asyncio."""

    async def main() -> int:
        async with openai.AsyncOpenAI(api_key="x", base_url=upstream.base_url) as client:
            stream = await client.chat.completions.create(model=LUNA, messages=message(), stream=True)
            return sum(1 for chunk in [one async for one in stream] if not chunk.choices)

    assert asyncio.run(main()) == 0
    assert asking.nanodollars == 20_000


def test_who_said_something_is_left_alone(client: openai.OpenAI, asking: Counts) -> None:
    """An explicit false stays, an explicit true is shown, and another option goes along."""
    chat: Any = client.chat.completions
    list(chat.create(model=LUNA, messages=message(), stream=True, stream_options={"include_usage": False}))
    assert asking.unpriced == 1
    body = {"stream_options": {"include_usage": False}}
    list(chat.create(model=LUNA, messages=message(), stream=True, extra_body=body))
    assert asking.unpriced == 2
    shown = list(chat.create(model=LUNA, messages=message(), **ASKED))
    assert shown[-1].choices == []
    hidden = list(
        chat.create(model=LUNA, messages=message(), stream=True, stream_options={"include_obfuscation": False})
    )
    assert all(chunk.choices for chunk in hidden)
    chat.create(model=LUNA, messages=message())
    assert (asking.calls, asking.nanodollars) == (5, 60_000)


def test_it_is_not_asked_for_by_default(client: openai.OpenAI, counts: Counts) -> None:
    """Without the option nothing is added to a request."""
    list(client.chat.completions.create(model=LUNA, messages=message(), stream=True))
    assert (counts.unpriced, counts.answered) == (1, 0)


@pytest.mark.parametrize("separator", [b"\n\n", b"\r\n\r\n"])
@pytest.mark.parametrize("size", [1, 2, 7, 40, 1000])
def test_the_filter_takes_one_event_out_wherever_the_network_cuts(size: int, separator: bytes) -> None:
    """Every other byte is handed on in order."""
    kept = [b'data: {"choices":[{"delta":{"content":"a"}}]}', b": keep-alive", b"data: [DONE]"]
    usage = b'data: {"choices": [], "usage": {"total_tokens": 120}}'
    events = [kept[0], kept[1], usage, kept[2]]
    text = b"".join(event + separator for event in events)
    one = UsageFilter()
    out = b"".join(one.pass_on(text[at : at + size]) for at in range(0, len(text), size)) + one.rest()
    assert out == b"".join(event + separator for event in kept)
    assert one.removed["usage"] == {"total_tokens": 120}


def test_events_are_read_wherever_the_network_cuts() -> None:
    """An event that came in two pieces is one event."""
    events = Events()
    text = b'data: {"a": 1}\r\n\r\ndata: {"a": 2}\n\n'
    found = [document for at in range(len(text)) for document in events.in_chunk(text[at : at + 1])]
    assert found == [{"a": 1}, {"a": 2}]


# S9


def test_streams_in_turn_do_not_mix(ask: Callable[..., Any], counts: Counts) -> None:
    """Two streams read in turn, several choices and tool calls: each counts what is its own."""
    with fleetmeter.llm.attributes(intent="first"):
        one = ask("chunks=4", n=2, usage="prompt=100,completion=20", **ASKED)
    with fleetmeter.llm.attributes(intent="second"):
        two = ask("chunks=4", model="gpt-6-sol", usage="prompt=10,completion=2", **ASKED)
    for _ in zip(one, two, strict=True):
        pass
    list(one), list(two)
    assert counts.intents == {"first": 1, "second": 1}
    assert counts.tokens == {"prompt": 110, "completion": 42}


def test_a_stream_that_another_thread_reads_has_its_own_intent(ask: Callable[..., Any], counts: Counts) -> None:
    """What counts is where the stream was opened."""
    with fleetmeter.llm.attributes(intent="opened"):
        stream = ask(**ASKED)
    reader = threading.Thread(target=list, args=(stream,))
    reader.start()
    reader.join()
    assert counts.intents == {"opened": 1}


def test_a_forked_child_does_not_count_what_its_parent_reads(ask: Callable[..., Any], counts: Counts) -> None:
    """The copy of an open stream in a child is nobody's call."""
    from fleetmeter.instrumentation.openai import call as calls

    stream = ask("stall=2", **ASKED)
    [one] = calls.reading
    calls._forget_all()
    assert calls.reading == set()
    one.end()
    assert counts.calls == 0
    stream.close()
    assert counts.calls == 0
