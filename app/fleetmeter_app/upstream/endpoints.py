"""Handles requests: first the trouble, then the answer; and whatever happens is written into the ledger."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from fleetmeter_app.errors import ApiError, InvalidRequestError, ModelNotFoundError
from fleetmeter_app.upstream.chat import billed, chat_events, chat_json
from fleetmeter_app.upstream.chat_request import ChatRequest, parse_body
from fleetmeter_app.upstream.completion import complete
from fleetmeter_app.upstream.config import ModelBehaviour, UpstreamConfig
from fleetmeter_app.upstream.embeddings import embedding_inputs, embedding_tokens, embeddings_json
from fleetmeter_app.upstream.faults import HEADER as FAULT_HEADER
from fleetmeter_app.upstream.faults import KINDS, Fault, context_length_exceeded, find_fault
from fleetmeter_app.upstream.ledger import TIERS, BilledUsage, Ledger
from fleetmeter_app.upstream.streaming import Ending, Event, EventStream, break_connection
from fleetmeter_app.upstream.wishes import HEADER, AnswerWish, find_wish

_UNTOLD_SHAPES = frozenset({"none", "text", "negative", "duration"})
"""Shapes of a usage from which the client cannot learn what was billed."""

NO_ANSWER = 0
"""The status in the ledger of a request whose connection was closed without an answer."""


@dataclass(frozen=True)
class Bill:
    """What a request costs: its tokens, and the wish with the tier at which they are billed."""

    usage: BilledUsage
    wish: AnswerWish

    @property
    def told(self) -> bool:
        """Whether a whole answer states the usage; for streams, see `Ending`."""
        return self.wish.shape not in _UNTOLD_SHAPES


@dataclass
class Asked:
    """One request with its body. `ledger` is the one that was in use when the request came in."""

    request: Request
    body: dict[str, Any]
    ledger: Ledger
    endpoint: str

    @property
    def model(self) -> str:
        """The model that was asked for."""
        return str(self.body["model"])

    @property
    def attempt(self) -> int:
        """Which attempt of the SDK's call this is, from 0."""
        count = self.request.headers.get("x-stainless-retry-count", "")
        return int(count) if count.isdecimal() else 0


class Upstream:
    """The models, their trouble and the ledger of one process."""

    def __init__(self, config: UpstreamConfig) -> None:
        self.config = config
        # these random numbers are not for secrets, and the same seed must give the same ones
        self._draws = {model: random.Random(f"{config.seed}:{model}") for model in config.models}  # noqa: S311
        self.ledger = Ledger()

    def reset_ledger(self) -> Ledger:
        """Begin a new ledger at 0, and return the old one."""
        before, self.ledger = self.ledger, Ledger()
        return before

    async def asked(self, request: Request, endpoint: str) -> Asked:
        """Read a request and count it in the ledger. Raises `InvalidRequestError` if it cannot be read."""
        ledger = self.ledger  # kept for the whole request, so that a reset in between does not split it
        raw = await request.body()
        try:
            body = parse_body(raw)
        except InvalidRequestError as error:
            ledger.receive("", endpoint)
            ledger.record("", error.status, abandoned=await request.is_disconnected())
            raise
        ledger.receive(body["model"], endpoint)
        return Asked(request, body, ledger, endpoint)

    async def answer(self, asked: Asked, handle: Callable[[Asked], Awaitable[Response]]) -> Response:
        """The answer of `handle`. If it raises an error, that is counted in the ledger."""
        try:
            return await handle(asked)
        except ApiError as error:
            asked.ledger.record(asked.model, error.status, abandoned=await asked.request.is_disconnected())
            raise

    async def chat(self, asked: Asked) -> Response:
        """POST /v1/chat/completions."""
        behaviour = self.behaviour(asked.model)
        chat = ChatRequest.from_body(asked.body)
        wish = find_wish(asked.request.headers.get(HEADER), chat.prompt)
        await self.make_trouble(asked, chat.prompt, behaviour)
        completion = complete(chat.prompt, chat.max_tokens)
        if completion.usage.prompt_tokens > behaviour.context_tokens:
            raise context_length_exceeded(chat.model)
        bill = Bill(billed(chat, completion), wish)
        if not chat.stream:
            return await self.whole(asked, chat_json(chat, completion, wish), bill)
        error = Event({"error": {"message": "The stream failed.", "type": "server_error", "param": None, "code": None}})
        return self.stream(asked, chat_events(chat, completion, wish), bill, done=True, error=error)

    async def embeddings(self, asked: Asked) -> Response:
        """POST /v1/embeddings."""
        behaviour = self.behaviour(asked.model)
        inputs = embedding_inputs(asked.body)
        text = "\n".join(one for one in inputs if isinstance(one, str))
        wish = find_wish(asked.request.headers.get(HEADER), text)
        await self.make_trouble(asked, text, behaviour)
        return await self.whole(asked, embeddings_json(asked.body, inputs, wish), Bill(embedding_tokens(inputs), wish))

    async def whole(self, asked: Asked, document: dict[str, Any], bill: Bill) -> Response:
        """A whole answer, or a broken one if that was wished. It is in the ledger before the client can have it."""
        broken = bill.wish.broken_body(asked.attempt)
        if broken == "drop":
            asked.ledger.record(asked.model, NO_ANSWER, abandoned=False)
            await break_connection(asked.request)
            return Response()
        left = await asked.request.is_disconnected()
        self.record(asked, bill, untold=broken is not None or not bill.told, abandoned=left)
        match broken:
            case "html":
                return HTMLResponse("<html><body>A page in the place of an answer.</body></html>")
            case "json":
                return PlainTextResponse('{"id": "chatcmpl', media_type="application/json")
            case "cut":
                return _Cut(asked.request, document)
        return JSONResponse(document)

    def stream(self, asked: Asked, events: list[Event], bill: Bill, *, done: bool, error: Event) -> Response:
        """An answer as a stream of events. It is written into the ledger when the stream ends."""

        def ended(ending: Ending) -> None:
            told = Bill(ending.told, bill.wish) if ending.told is not None else None
            self.record(asked, told or bill, untold=told is None, abandoned=ending.left and told is None)

        return EventStream(asked.request, events, bill.wish, ended, done=done, error=error)

    def record(self, asked: Asked, bill: Bill, *, untold: bool, abandoned: bool) -> None:
        """Write an answered request into the ledger."""
        tier = bill.wish.texts.get("tier", "default")
        price = self.behaviour(asked.model).price
        asked.ledger.record(
            asked.model,
            200,
            abandoned=abandoned,
            untold=untold,
            usage=bill.usage,
            nanodollars=price.bill(bill.usage, tier) if tier in TIERS else 0,
        )

    async def make_trouble(self, asked: Asked, prompt: str, behaviour: ModelBehaviour) -> None:
        """Wait, and perhaps raise, as the request or the configuration wants it."""
        model = asked.model
        # Every request draws two numbers, so that the n-th request to a model meets the same trouble in each run.
        jitter, luck = self._draws[model].random(), self._draws[model].random()
        fault = find_fault(asked.request.headers.get(FAULT_HEADER), prompt, model, asked.attempt) or Fault()
        latency = fault.latency
        if latency is None:
            latency = behaviour.latency_seconds + jitter * behaviour.latency_jitter_seconds
        await asyncio.sleep(latency)
        kind = fault.kind or behaviour.drawn_fault(luck)
        if kind is None:
            return
        error = KINDS[kind](model)
        if error.status in {429, 503}:
            wait = fault.retry_after
            error.retry_after = behaviour.retry_after_seconds if wait is None else wait
        raise error

    def behaviour(self, model: str) -> ModelBehaviour:
        """The behaviour of a model. Raises `ModelNotFoundError` if it is not served."""
        if model not in self.config.models:
            raise ModelNotFoundError(model)
        return self.config.models[model]


class _Cut(JSONResponse):
    """A JSON answer whose body breaks off half-way, although its headers state the whole length."""

    def __init__(self, request: Request, document: dict[str, Any]) -> None:
        super().__init__(document)
        self._request = request

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002  ASGI's signature
        """Send the headers and half of the body, then close the connection."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await break_connection(self._request)
