"""Responses: answered at once, streamed, or made in the background and retrieved later.

A background response is `queued` when it is made, and complete when it is first retrieved. Then its usage is stated for
the first time, and billed. Every later retrieval states the same usage again, as OpenAI does, and bills nothing.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fleetmeter_app.errors import InvalidRequestError
from fleetmeter_app.upstream.completion import Completion, complete
from fleetmeter_app.upstream.endpoints import Asked, Bill, Upstream
from fleetmeter_app.upstream.faults import context_length_exceeded
from fleetmeter_app.upstream.ledger import TIERS, Outcomes
from fleetmeter_app.upstream.responses import ResponseRequest, queued_json, response_events, response_json
from fleetmeter_app.upstream.streaming import Event
from fleetmeter_app.upstream.wishes import HEADER, AnswerWish, find_wish

_MOST = 10_000
"""Responses that are kept; then the oldest are dropped."""


@dataclass
class Stored:
    """A finished response, and whether its usage has been stated to a client."""

    document: dict[str, Any]
    completion: Completion
    wish: AnswerWish
    model: str
    told: bool


class Responses:
    """The endpoints below /v1/responses."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._stored: OrderedDict[str, Stored] = OrderedDict()

    async def create(self, asked: Asked) -> Response:
        """POST /v1/responses."""
        wanted = ResponseRequest.from_body(asked.body)
        wish = find_wish(asked.request.headers.get(HEADER), wanted.prompt)
        behaviour = self._upstream.behaviour(asked.model)
        await self._upstream.make_trouble(asked, wanted.prompt, behaviour)
        completion = complete(wanted.prompt, wanted.max_tokens)
        if completion.usage.prompt_tokens > behaviour.context_tokens:
            raise context_length_exceeded(asked.model)
        document = response_json(wanted, completion, wish)
        if wanted.background and not wanted.stream:
            queued = queued_json(wanted) | {"id": document["id"]}
            self._keep(Stored(document | {"background": True}, completion, wish, asked.model, told=False))
            asked.ledger.record(asked.model, 200, abandoned=False)
            return JSONResponse(queued)
        if wanted.store:
            self._keep(Stored(document, completion, wish, asked.model, told=True))
        bill = Bill(completion.usage, wish)
        if not wanted.stream:
            return await self._upstream.whole(asked, document, bill)
        events = response_events(document, completion, wish)
        failed = Event(
            {"type": "error", "code": "server_error", "message": "The stream failed.", "param": None}, "error"
        )
        return self._upstream.stream(asked, events, bill, done=False, error=failed)

    async def retrieve(self, request: Request) -> Response:
        """GET /v1/responses/{id}, as a stream with `?stream=true`."""
        stored = self._found(request, "responses.retrieve")
        asked = Asked(request, {"model": stored.model}, self._upstream.ledger, "responses.retrieve")
        bill = Bill(stored.completion.usage, stored.wish)
        first, stored.told = not stored.told, True
        if request.query_params.get("stream") == "true":
            events = response_events(stored.document, stored.completion, AnswerWish())
            if first:
                return self._upstream.stream(asked, events, bill, done=False, error=events[-1])
            asked.ledger.record(stored.model, 200, abandoned=False)
            plain = b"".join(event.encoded() for event in events)
            return Response(plain, media_type="text/event-stream")
        asked.ledger.record(stored.model, 200, abandoned=False)
        if first:
            tier = stored.wish.texts.get("tier", "default")
            price = self._upstream.behaviour(stored.model).price
            nanodollars = price.bill(bill.usage, tier) if tier in TIERS else 0
            asked.ledger.account(stored.model).delivered.add(Outcomes({}, bill.usage, nanodollars))
        return JSONResponse(stored.document)

    async def cancel(self, request: Request) -> Response:
        """POST /v1/responses/{id}/cancel: the response as it is; it states its usage again."""
        stored = self._found(request, "responses.cancel")
        self._upstream.ledger.record(stored.model, 200, abandoned=False)
        return JSONResponse(stored.document | {"status": "cancelled"})

    async def input_tokens(self, asked: Asked) -> Response:
        """POST /v1/responses/input_tokens: the number of tokens in an input; nothing is billed."""
        wanted = ResponseRequest.from_body(asked.body)
        asked.ledger.record(asked.model, 200, abandoned=False)
        tokens = complete(wanted.prompt).usage.prompt_tokens
        return JSONResponse({"object": "response.input_tokens", "input_tokens": tokens})

    def _keep(self, stored: Stored) -> None:
        self._stored[stored.document["id"]] = stored
        while len(self._stored) > _MOST:
            self._stored.popitem(last=False)

    def _found(self, request: Request, endpoint: str) -> Stored:
        identity = request.path_params["id"]
        stored = self._stored.get(identity)
        self._upstream.ledger.receive(stored.model if stored else "", endpoint)
        if stored is None:
            self._upstream.ledger.record("", 404, abandoned=False)
            message = f"Response with id '{identity}' not found."
            raise InvalidRequestError(message, param="id", status=404)
        return stored
