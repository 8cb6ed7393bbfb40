"""Makes the requests below `/v1` with OpenAI's SDK, as a service would, and counts what comes back."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import openai
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from fleetmeter_app.demo.gateway_toml import SYMBOL
from fleetmeter_app.demo.teams import wrong_key
from fleetmeter_app.demo.traffic.sdk_questions import LEFT_AFTER, LEFT_USAGE, Kind, SdkQuestion
from fleetmeter_app.demo.traffic.tally import CHATS, EMBEDDINGS, Tally, billed_usage
from fleetmeter_app.upstream.ledger import BilledUsage

RESPONSES = "responses"
_ENDPOINTS = {"/v1/chat/completions": CHATS, "/v1/responses": RESPONSES, "/v1/embeddings": EMBEDDINGS}
_SECONDS = 60.0
_OK = 200
_BYTES_PER_TOKEN = 4
"""By which a gateway estimates the tokens of a stream that was left, as docs/gateway.md says."""

_WRONG = "wrong"
_QUOTE: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "latest_quote",
        "description": "The latest quote of a symbol.",
        "parameters": {"type": "object", "properties": {"symbol": {"type": "string"}}, "required": ["symbol"]},
    },
}


@dataclass
class _Exchange:
    """The request that a task makes now, and what the gateway said of the cache."""

    replica: str
    question: SdkQuestion
    cache: str = "off"


_NOW: ContextVar[_Exchange] = ContextVar("fleetmeter_demo_exchange")


class Sdk:
    """The SDK's clients: one for each team and gateway. `gateways` and `keys` go by name."""

    def __init__(self, gateways: Mapping[str, str], keys: Mapping[str, str], tally: Tally) -> None:
        self._tally = tally
        # The very client that the SDK would make, with a look at each reply, as the SDK shows only the last one.
        self._http = openai.DefaultAsyncHttpxClient(trust_env=False, event_hooks={"response": [self._see]})
        self._clients = {
            (replica, team): openai.AsyncOpenAI(
                base_url=f"{address}/v1", api_key=key, timeout=_SECONDS, http_client=self._http
            )
            for replica, address in gateways.items()
            for team, key in {**keys, _WRONG: wrong_key()}.items()
        }
        self._draw = random.Random(7)  # noqa: S311  not for secrets
        self._ways: Mapping[Kind, Callable[[openai.AsyncOpenAI, SdkQuestion], Awaitable[None]]] = {
            Kind.CHAT: self._chat,
            Kind.STREAM: self._stream,
            Kind.LEFT_TOLD: self._leave,
            Kind.LEFT_UNTOLD: self._leave,
            Kind.TOOLS: self._tools,
            Kind.RESPONSE: self._response,
            Kind.RESPONSE_STREAM: self._response_stream,
            Kind.EMBEDDINGS: self._embeddings,
            Kind.UNSTABLE: self._chat,
            Kind.WRONG_KEY: self._chat,
        }

    async def ask(self, replica: str, question: SdkQuestion) -> None:
        """Make one request, and count what comes of it."""
        _NOW.set(_Exchange(replica, question))
        client = self._clients[replica, _WRONG if question.kind is Kind.WRONG_KEY else question.team]
        if question.kind is Kind.UNSTABLE:
            client = client.with_options(max_retries=0)  # else the SDK waits until the breaker's time is up
        try:
            await self._ways[question.kind](client, question)
        except openai.APIStatusError:
            pass  # `_see` has counted it
        except (openai.APIError, asyncio.CancelledError):
            self._tally.lose()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _see(self, reply: Any) -> None:
        """Count a reply as it comes. Typed Any, because older SDKs have another HTTP client."""
        exchange = _NOW.get()
        path, repeated = reply.request.url.path, reply.request.headers.get("x-stainless-retry-count", "0") != "0"
        self._tally.see(exchange.replica, path, reply.status_code, repeated=repeated)
        exchange.cache = reply.headers.get("x-fleetmeter-cache", "off")
        if reply.status_code != _OK:
            self._tally.refused(exchange.question, _ENDPOINTS[path], error_code(await reply.aread()))

    async def _chat(self, client: openai.AsyncOpenAI, question: SdkQuestion) -> None:
        answer = await client.chat.completions.create(
            model=question.model,
            messages=_messages(question),
            max_completion_tokens=question.most_tokens or openai.omit,
            extra_headers=_headers(question),
        )
        self._answered(question, CHATS, answer)

    async def _stream(self, client: openai.AsyncOpenAI, question: SdkQuestion) -> None:
        stream = await client.chat.completions.create(
            model=question.model,
            messages=_messages(question),
            stream=True,
            stream_options={"include_usage": True},
            extra_headers=_headers(question),
        )
        began = False
        async for chunk in stream:
            began = began or _content(chunk) != ""
            if chunk.usage is not None:
                self._answered(question, CHATS, chunk, stream=True, began=began)

    async def _leave(self, client: openai.AsyncOpenAI, question: SdkQuestion) -> None:
        """Read the beginning of a stream, and leave."""
        told = question.kind is Kind.LEFT_TOLD
        stream = await client.chat.completions.create(
            model=question.model,
            messages=_messages(question),
            stream=True,
            extra_headers={"cache-control": "no-store"},  # an answer that is not to be shared is left by all at once
        )
        parts: list[str] = []
        model = ""
        async for chunk in stream:
            model = chunk.model
            parts += [text] if (text := _content(chunk)) else []
            if len(parts) == (LEFT_AFTER if told else 1):
                break
        usage = LEFT_USAGE if told else _estimate(len(stream.response.request.content), len("".join(parts)))
        await stream.close()
        self._tally.first_tokens += 1
        self._tally.leave(question, model, usage, told=told)

    async def _tools(self, client: openai.AsyncOpenAI, question: SdkQuestion) -> None:
        """Let the model ask for a quote, and give it one."""
        messages = _messages(question)
        answer = await client.chat.completions.create(model=question.model, messages=messages, tools=[_QUOTE])
        self._answered(question, CHATS, answer)
        message = answer.choices[0].message
        messages.append(message.to_dict())  # type: ignore[arg-type]  # as the SDK's documentation does it
        for call in message.tool_calls or ():
            quote = json.dumps({"symbol": SYMBOL, "close": round(self._draw.uniform(90, 110), 2)})
            messages.append({"role": "tool", "tool_call_id": call.id, "content": quote})
        answer = await client.chat.completions.create(model=question.model, messages=messages, tools=[_QUOTE])
        self._answered(question, CHATS, answer)

    async def _response(self, client: openai.AsyncOpenAI, question: SdkQuestion) -> None:
        answer = await client.responses.create(
            model=question.model, input=question.text, extra_headers=_headers(question)
        )
        self._answered(question, RESPONSES, answer)

    async def _response_stream(self, client: openai.AsyncOpenAI, question: SdkQuestion) -> None:
        began = False
        async for event in await client.responses.create(model=question.model, input=question.text, stream=True):
            began = began or event.type == "response.output_text.delta"
            if event.type == "response.completed":
                self._answered(question, RESPONSES, event.response, stream=True, began=began)

    async def _embeddings(self, client: openai.AsyncOpenAI, question: SdkQuestion) -> None:
        answer = await client.embeddings.create(model=question.model, input=[question.text])
        self._answered(question, EMBEDDINGS, answer)

    def _answered(
        self, question: SdkQuestion, endpoint: str, answer: Any, *, stream: bool = False, began: bool = False
    ) -> None:
        cache = _NOW.get().cache
        self._tally.answer(
            question, endpoint, answer.model, billed_usage(answer.usage.model_dump()), cache, stream=stream
        )
        self._tally.first_tokens += began and cache != "hit"


def error_code(body: bytes) -> str:
    """The code of an error in OpenAI's shape; empty if there is none, as in a server's plain 500."""
    try:
        code = json.loads(body)["error"]["code"]
    except (ValueError, KeyError, TypeError):
        return ""
    return code if isinstance(code, str) else ""


def _messages(question: SdkQuestion) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": question.text}]


def _headers(question: SdkQuestion) -> dict[str, str]:
    return {} if question.intent is None else {"x-fleetmeter-intent": question.intent}


def _content(chunk: Any) -> str:
    return "".join(choice.delta.content or "" for choice in chunk.choices)


def _estimate(body_bytes: int, characters: int) -> BilledUsage:
    return BilledUsage(prompt=-(-body_bytes // _BYTES_PER_TOKEN), completion=-(-characters // _BYTES_PER_TOKEN))
