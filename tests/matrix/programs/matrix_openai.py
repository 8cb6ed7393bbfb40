"""Calls an upstream in every form that the SDK has, with trouble in some, and prints what was counted, as JSON.

Usage: matrix_openai.py WAY ROUNDS, for WAY one of sync, async, aiohttp. OPENAI_BASE_URL names the upstream.
"""

import asyncio
import gc
import json
import os
import sys
import warnings
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import openai
from pydantic import BaseModel

import fleetmeter
from fleetmeter.llm import catalogue
from fleetmeter.pricing import Book, PriceList

MODELS = ("gpt-6-luna", "gpt-6.1-terra", "gpt-6-sol")
USAGES = ("prompt=100,cached=60,completion=20", "prompt=90,cached=10,cache_write=40,completion=30,reasoning=12")
KINDS = ("", "[[fault:429,times=1]] ", "", "", "[[fault:500]] ", "", "", "[[fault:500,times=2]] ", "[[fault:400]] ", "")
"""Trouble before the answer; a call without it meets trouble of its own if its form says so."""
STREAMS = (
    "stream=asked", "stream=cont", "stream=twice", "stream=finish", "stream=one_choice", "stream=groq",
    "stream=always", "empty_first", "tier=flex", "tool", "stream=never", "cut=2", "end=3", "error=2",
)  # fmt: skip
made = 0
errors: Counter[str] = Counter()


class Answer(BaseModel):
    """A structured output."""

    text: str


TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]


class Prompts:
    """The text of each call: what it uses, and the trouble that it meets."""

    def __init__(self) -> None:
        self.number = 0

    def next(self, wish: str = "") -> dict[str, Any]:
        """Model and messages of the next call."""
        global made
        made += 1
        self.number += 1
        kind = KINDS[self.number % len(KINDS)] if self.number % 3 == 0 else ""
        text = f"{kind}[[usage:{USAGES[self.number % 2]}]] {f'[[answer:{wish}]]' if wish else ''}"
        return {"model": MODELS[self.number % 3], "messages": [{"role": "user", "content": text}]}

    def response(self, wish: str = "") -> dict[str, Any]:
        """The same for responses."""
        chat = self.next(wish)
        return {"model": chat["model"], "input": chat["messages"][0]["content"]}


def noted(error: Exception) -> None:
    """Count what a caller saw; errors of the transport count as what openai 3.x makes of them."""
    names = [one.__name__ for one in type(error).__mro__]
    if isinstance(error, json.JSONDecodeError):
        errors["APIResponseValidationError"] += 1
    elif "TransportError" in names:
        timeout = "TimeoutException" in names
        errors["APITimeoutError" if timeout else "APIConnectionError"] += 1
    else:
        errors[names[0]] += 1


ASK = {"stream": True, "stream_options": {"include_usage": True}}


def sync_forms(client: openai.OpenAI, prompts: Prompts) -> list[Callable[[], object]]:
    """Every form of a call, each a function."""
    chat: Any = client.chat.completions
    responses: Any = client.responses
    new, stall = prompts.next, "stall=2"

    def left_in_with() -> None:
        with chat.create(**new(stall), **ASK) as stream:
            next(stream)

    def closed() -> None:
        stream = chat.create(**new(stall), **ASK)
        next(stream)
        stream.close()

    def broken_off() -> None:
        for _ in chat.create(**new(stall), **ASK):
            break
        gc.collect()

    def dropped() -> None:
        chat.create(**new(stall), **ASK)
        gc.collect()

    def raw_dropped() -> None:
        chat.with_raw_response.create(**new(stall), **ASK)
        gc.collect()

    def helper() -> None:
        with chat.stream(**new(), stream_options={"include_usage": True}) as stream:
            stream.get_final_completion()

    def helper_left() -> None:
        with chat.stream(**new(stall), stream_options={"include_usage": True}) as stream:
            for _ in stream:
                break

    def lines() -> None:
        with chat.with_streaming_response.create(**new(), **ASK) as response:
            list(response.iter_lines())

    def streamed_json() -> None:
        with chat.with_streaming_response.create(**new()) as response:
            json.loads(response.read())

    def never_read() -> None:
        with chat.with_streaming_response.create(**new("shape=none")):
            pass

    def never_read_stream() -> None:
        with chat.with_streaming_response.create(**new("stall=1"), **ASK):
            pass

    def posted() -> None:
        client.post("/chat/completions", cast_to=object, body=new())

    def background() -> None:
        made_now = responses.create(**prompts.response(), background=True)
        for _ in range(3):
            poll(lambda: responses.retrieve(made_now.id))

    def poll(look: Callable[[], object]) -> None:
        global made
        made += 1
        look()

    return [
        lambda: chat.create(**new()),
        lambda: chat.create(**new("tool"), tools=TOOLS),
        lambda: chat.create(**new(), n=2),
        lambda: chat.create(**new("tier=priority")),
        lambda: chat.with_raw_response.create(**new()).parse(),
        lambda: chat.with_raw_response.create(**new()).text,
        lambda: chat.parse(**new(), response_format=Answer),
        lambda: client.with_options(timeout=50.0).chat.completions.create(**new()),
        lambda: chat.create(**new("body=json")),
        lambda: chat.create(**new("body=html")),
        posted, helper, helper_left, lines, streamed_json, never_read, never_read_stream,
        left_in_with, closed, broken_off, dropped, raw_dropped, background,
        *(lambda wish=wish: list(chat.create(**new(wish), tools=TOOLS, **ASK)) for wish in STREAMS),
        lambda: list(chat.create(**new(), stream=True)),
        lambda: list(chat.with_raw_response.create(**new(), **ASK).parse()),
        lambda: responses.create(**prompts.response()),
        lambda: responses.create(**prompts.response("status=incomplete")),
        *(lambda wish=wish: list(responses.create(**prompts.response(wish), stream=True))
          for wish in ("chunks=3", "status=incomplete", "cut=3", "tier=flex", "end=3", "shape=none")),
        lambda: client.embeddings.create(model=embedding(), input="two words"),
    ]  # fmt: skip


def async_forms(client: openai.AsyncOpenAI, prompts: Prompts) -> list[Callable[[], Awaitable[object]]]:
    """The same for asyncio, with cancellation; after the first chunk, as before it the upstream may know of no call."""
    chat: Any = client.chat.completions
    responses: Any = client.responses
    new, stall = prompts.next, "stall=2"

    async def read(seen: Callable[[], object] = lambda: None, **arguments: Any) -> None:
        async for _ in await chat.create(**arguments):
            seen()

    async def read_response(wish: str) -> None:
        async for _ in await responses.create(**prompts.response(wish), stream=True):
            pass

    async def left_in_with() -> None:
        async with await chat.create(**new(stall), **ASK) as stream:
            async for _ in stream:
                break

    async def closed() -> None:
        stream = await chat.create(**new(stall), **ASK)
        await anext(stream)
        await stream.close()

    async def dropped() -> None:
        await chat.create(**new(stall), **ASK)
        gc.collect()

    async def cancelled() -> None:
        begun = asyncio.Event()
        task = asyncio.ensure_future(read(begun.set, **new(stall), **ASK))
        waiting = asyncio.ensure_future(begun.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        task.cancel()
        waiting.cancel()
        await asyncio.gather(task, waiting, return_exceptions=True)

    async def timed_out() -> None:
        try:
            async with asyncio.timeout(None) as limit:
                now = asyncio.get_running_loop().time
                await read(lambda: limit.reschedule(now() + 0.2), **new(stall), **ASK)
        except TimeoutError:
            return

    async def helper() -> None:
        async with chat.stream(**new(), stream_options={"include_usage": True}) as stream:
            await stream.get_final_completion()

    async def helper_left() -> None:
        async with chat.stream(**new(stall), stream_options={"include_usage": True}) as stream:
            async for _ in stream:
                break

    async def lines() -> None:
        async with chat.with_streaming_response.create(**new(), **ASK) as response:
            async for _ in response.iter_lines():
                pass

    async def streamed_json() -> None:
        async with chat.with_streaming_response.create(**new()) as response:
            json.loads(await response.read())

    async def never_read() -> None:
        async with chat.with_streaming_response.create(**new("shape=none")):
            pass

    async def raw() -> None:
        (await chat.with_raw_response.create(**new())).parse()

    async def raw_stream() -> None:
        async for _ in (await chat.with_raw_response.create(**new(), **ASK)).parse():
            pass

    async def two_at_once() -> None:
        await asyncio.gather(read(**new(), **ASK), read(**new(), **ASK), return_exceptions=False)

    return [
        lambda: chat.create(**new()),
        lambda: chat.create(**new(), n=2),
        lambda: chat.create(**new("tier=priority")),
        lambda: chat.parse(**new(), response_format=Answer),
        lambda: client.with_options(timeout=50.0).chat.completions.create(**new()),
        lambda: chat.create(**new("body=json")),
        raw, raw_stream, helper, helper_left, lines, streamed_json, never_read,
        left_in_with, closed, dropped, cancelled, timed_out,
        *(lambda wish=wish: read(**new(wish), tools=TOOLS, **ASK) for wish in STREAMS),
        lambda: read(**new(), stream=True),
        lambda: responses.create(**prompts.response()),
        *(lambda wish=wish: read_response(wish)
          for wish in ("chunks=3", "status=incomplete", "cut=3", "tier=flex", "end=3", "shape=none")),
        lambda: client.embeddings.create(model=embedding(), input="two words"),
    ]  # fmt: skip


def embedding() -> str:
    """The model of an embedding, whose call is counted as made."""
    global made
    made += 1
    return "text-embedding-3-small"


def run_sync(rounds: int) -> None:
    """All forms, so many times."""
    with openai.OpenAI(api_key="x") as client:
        prompts = Prompts()
        for _ in range(rounds):
            for form in sync_forms(client, prompts):
                try:
                    form()
                except Exception as error:  # noqa: BLE001  every one is a result
                    noted(error)
        gc.collect()


async def run_async(rounds: int, http_client: Any) -> None:
    """All forms, so many times."""
    async with openai.AsyncOpenAI(api_key="x", http_client=http_client) as client:
        prompts = Prompts()
        for _ in range(rounds):
            for form in async_forms(client, prompts):
                try:
                    await form()
                except Exception as error:  # noqa: BLE001  every one is a result
                    noted(error)
        gc.collect()
        await asyncio.sleep(0.1)


def counted() -> dict[str, Any]:
    """What the metrics say."""
    result: dict[str, Any] = {
        "calls": 0,
        "retries": 0,
        "unpriced": 0,
        "aborts": 0,
        "errors": {},
        "tokens": {},
        "nano": {},
    }
    for name, metric in (
        ("calls", catalogue.OPENAI_API_CALLS),
        ("retries", catalogue.OPENAI_RETRIES),
        ("unpriced", catalogue.OPENAI_UNPRICED_CALLS),
        ("aborts", catalogue.OPENAI_STREAM_ABORTS),
        ("errors", catalogue.OPENAI_ERRORS),
        ("nano", catalogue.OPENAI_TOTAL_COST_USD),
        ("tokens", catalogue.OPENAI_TOKENS_USED),
    ):
        for family in metric.collect():
            for sample in family.samples:
                if name == "tokens" and sample.name.endswith("_sum") and sample.value:
                    by_type = result["tokens"].setdefault(sample.labels["model"], {})
                    kind = sample.labels["type"]
                    by_type[kind] = by_type.get(kind, 0) + int(sample.value)
                elif not sample.name.endswith("_total") or not sample.value:
                    continue
                elif name == "errors":
                    kind = sample.labels["type"]
                    result[name][kind] = result[name].get(kind, 0) + int(sample.value)
                elif name == "nano":
                    result[name][sample.labels["model"]] = round(sample.value * 10**9)
                else:
                    result[name] += int(sample.value)
    return result


def main() -> None:
    """Run one way."""
    way, rounds = sys.argv[1], int(sys.argv[2])
    warnings.simplefilter("ignore")
    local = {"127.0.0.1": "openai", os.environ["OPENAI_BASE_URL"]: "openai"}
    fleetmeter.instrument_openai(prices=PriceList(Book(providers=local)))
    if way == "sync":
        run_sync(rounds)
    else:
        asyncio.run(run_async(rounds, openai.DefaultAioHttpClient() if way == "aiohttp" else None))
    print(json.dumps({"version": openai.__version__, "made": made, "seen": dict(errors), **counted()}))


if __name__ == "__main__":
    main()
