"""Retries, errors and cancelled calls: cases R1 to R7."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest
from pydantic import BaseModel

from fleetmeter.llm.outcomes import error_type_of
from support.counts import Counts
from support.upstream import RunningUpstream

LUNA = "gpt-6-luna"
ASKED: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}


def messages(text: str) -> list[Any]:
    """One message."""
    return [{"role": "user", "content": text}]


def call(client: openai.OpenAI, text: str, **more: Any) -> Any:
    """A call whose text asks for trouble."""
    return client.chat.completions.create(model=LUNA, messages=messages(text), **more)


@pytest.mark.parametrize(
    ("trouble", "retries", "error"),
    [
        ("[[fault:429,times=2]]", 2, None),
        ("[[fault:429]]", 2, "RateLimitError"),
        ("[[fault:quota]]", 2, "RateLimitError"),
        ("[[fault:500]]", 2, "InternalServerError"),
        ("[[fault:503]]", 2, "InternalServerError"),
        ("[[fault:400]]", 0, "BadRequestError"),
        ("[[fault:401]]", 0, "AuthenticationError"),
        ("[[fault:404]]", 0, "NotFoundError"),
        ("[[answer:body=drop]]", 2, "APIConnectionError"),
        ("[[answer:body=cut]]", 2, "APIConnectionError"),
        ("[[answer:body=json]]", 0, "APIResponseValidationError"),
    ],
)
def test_one_call_with_its_retries(
    client: openai.OpenAI, counts: Counts, upstream: RunningUpstream, trouble: str, retries: int, error: str | None
) -> None:
    """A call is one call, its retries are what the upstream saw beyond it, and its error has the SDK's name."""
    if error is None:
        call(client, trouble)
    else:
        with pytest.raises(Exception):  # noqa: B017, PT011  which one is what the counts say
            call(client, trouble)
    assert (counts.calls, counts.retries, counts.durations) == (1, retries, 1)
    assert counts.errors == ({} if error is None else {error: 1})
    assert counts.calls + counts.retries == upstream.ledger().total().received
    assert bool(counts.tokens) == (error is None)


def test_timeouts(client: openai.OpenAI, counts: Counts, upstream: RunningUpstream) -> None:
    """Each attempt that timed out was sent: one call, two retries."""
    with pytest.raises(openai.APITimeoutError):
        call(client.with_options(timeout=0.2), "[[fault:latency=5]]")
    assert (counts.calls, counts.retries, counts.errors) == (1, 2, {"APITimeoutError": 1})


def test_html_in_the_place_of_an_answer(client: openai.OpenAI, counts: Counts) -> None:
    """The SDK hands it on as a text: a call without error, whose price is unknown."""
    assert isinstance(call(client, "[[answer:body=html]]"), str)
    assert (counts.calls, counts.errors, counts.unpriced, counts.tokens) == (1, {}, 1, {})


class Answer(BaseModel):
    """A structured output."""

    text: str


def test_a_parse_failure_has_its_tokens(client: openai.OpenAI, counts: Counts) -> None:
    """`.parse()` raises for an answer that was cut by its limit; the answer is billed, and counts with its model."""
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(
            model=LUNA,
            messages=messages("[[usage:prompt=100,completion=20]] [[answer:reason=length]]"),
            response_format=Answer,
        )
    assert counts.models == {LUNA: 1}
    assert (counts.nanodollars, counts.errors) == (20_000, {"LengthFinishReasonError": 1})


@pytest.mark.parametrize(("trouble", "sent"), [("[[fault:latency=5]]", 1), ("[[fault:429,retry_after=5]]", 1)])
def test_cancelled_calls(counts: Counts, upstream: RunningUpstream, trouble: str, sent: int) -> None:
    """A call that is cancelled while it is sent, or between two attempts, is one call, and no error."""

    async def main() -> None:
        async with openai.AsyncOpenAI(api_key="x", base_url=upstream.base_url) as client:
            made = client.chat.completions.create(model=LUNA, messages=messages(trouble))
            task = asyncio.ensure_future(made)
            await asyncio.sleep(0.5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert (counts.calls, counts.retries, counts.errors, counts.unpriced) == (1, sent - 1, {}, 0)


def test_an_error_event_is_an_error(client: openai.OpenAI, counts: Counts) -> None:
    """In a chat stream the SDK raises it; the stream is no abort."""
    with pytest.raises(openai.APIError):
        list(call(client, "[[answer:error=2,chunks=3]]", **ASKED))
    assert (counts.calls, counts.errors, counts.aborts, counts.unpriced) == (1, {"APIError": 1}, {}, 1)


@pytest.mark.parametrize("wish", ["error=3", "status=failed"])
def test_failed_responses_are_errors(client: openai.OpenAI, counts: Counts, wish: str) -> None:
    """In a stream of a response an `error` or a `response.failed` event raises nothing, and is an error."""
    list(client.responses.create(model=LUNA, input=f"[[answer:{wish},chunks=3]]", stream=True))
    assert (counts.calls, counts.errors) == (1, {"APIError": 1})


def test_a_failed_responses_tokens_count(client: openai.OpenAI, counts: Counts) -> None:
    """`response.failed` tells its usage, which is billed."""
    text = "[[answer:status=failed]] [[usage:prompt=100,completion=20]]"
    list(client.responses.create(model=LUNA, input=text, stream=True))
    assert counts.nanodollars == 20_000


def test_a_cut_in_the_middle_of_a_stream(client: openai.OpenAI, counts: Counts, upstream: RunningUpstream) -> None:
    """It is an error of the connection, never retried, and what it cost is unknown."""
    with pytest.raises((openai.APIConnectionError, httpx.RemoteProtocolError)):  # openai 2.x lets the second through
        list(call(client, "[[answer:cut=2,chunks=3]]", **ASKED))
    assert (counts.calls, counts.retries, counts.errors) == (1, 0, {"APIConnectionError": 1})
    assert counts.unpriced == upstream.ledger().total().untold.answered == 1


def test_a_cut_that_is_caught_inside_the_block(client: openai.OpenAI, counts: Counts) -> None:
    """Who reads the bytes and catches their error has a call that failed, though the block is left in peace."""
    made: Any = client.chat.completions.with_streaming_response
    cut = made.create(model=LUNA, messages=messages("[[answer:cut=2,chunks=3]]"), **ASKED)
    with cut as response, pytest.raises(Exception, match="closed"):  # of the SDK or its transport, by its version
        list(response.iter_bytes())
    assert (counts.calls, counts.errors, counts.aborts) == (1, {"APIConnectionError": 1}, {})


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (httpx.RemoteProtocolError("x"), "APIConnectionError"),
        (httpx.ReadError("x"), "APIConnectionError"),
        (httpx.ReadTimeout("x"), "APITimeoutError"),
        (TimeoutError(), "APITimeoutError"),
        (ConnectionResetError(), "APIConnectionError"),
        (ValueError(), "other"),
        (asyncio.CancelledError(), None),
        (GeneratorExit(), None),
        (KeyboardInterrupt(), None),
    ],
)
def test_names_of_errors(error: BaseException, name: str | None) -> None:
    """What openai 2.x lets through of its transport counts as what 3.x raises; giving up is no error."""
    assert error_type_of(error) == name


def test_an_error_without_a_request_is_an_error(ask: Callable[..., Any], counts: Counts) -> None:
    """Httpx raises `RuntimeError` when an error that has no request is asked for it; nobody hears of that."""
    stream = ask("stall=2", **ASKED)
    next(stream)
    try:
        raise httpx.ReadError("of somebody else")
    except httpx.ReadError:
        stream.close()
    assert (counts.calls, counts.errors, counts.aborts) == (1, {}, {"unknown": 1})
