"""The routes in OpenAI's format: chat completions, responses, embeddings, models."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fleetmeter_app.errors import InvalidRequestError, ModelNotFoundError
from fleetmeter_app.guarding.caller import Caller
from fleetmeter_app.routing.router import Selection
from fleetmeter_app.serving.call import Call
from fleetmeter_app.serving.chunks import JSON
from fleetmeter_app.serving.exchange import Exchange
from fleetmeter_app.serving.pipeline import Pipeline
from fleetmeter_app.serving.reading import read_all
from fleetmeter_app.serving.relay import Relay
from fleetmeter_app.wire.questions import question_of
from fleetmeter_app.wire.request import JsonRequest

CACHE_HEADER = "x-fleetmeter-cache"
MODEL_HEADER = "x-fleetmeter-model"

_CREATED = 1_790_000_000
"""When models are said to have been made: a fixed time, so that the list never changes by itself."""

Handler = Callable[[Exchange], Awaitable[None]]


class OpenAIRoutes:
    """Handlers by path."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.posts: Mapping[str, Handler] = {
            "/v1/chat/completions": lambda exchange: self._answer(exchange, "chat.completions"),
            "/v1/responses": lambda exchange: self._answer(exchange, "responses"),
            "/v1/embeddings": lambda exchange: self._answer(exchange, "embeddings"),
        }

    async def models(self, exchange: Exchange) -> None:
        """GET /v1/models."""
        caller = await self._pipeline.admit(exchange.headers)
        names = [name for name in self._pipeline.loaded.router.names if self._pipeline.may_ask(caller, name)]
        await _send_json(exchange, {"object": "list", "data": [_model(name) for name in names]})

    async def model(self, exchange: Exchange, name: str) -> None:
        """GET /v1/models/{model}."""
        caller = await self._pipeline.admit(exchange.headers)
        if name not in self._pipeline.loaded.router.names or not self._pipeline.may_ask(caller, name):
            raise ModelNotFoundError(name[:256])
        await _send_json(exchange, _model(name))

    async def _answer(self, exchange: Exchange, endpoint: str) -> None:
        pipeline = self._pipeline
        caller = await pipeline.admit(exchange.headers)
        limits = pipeline.loaded.config.limits
        body = await exchange.body(limits.max_body_bytes, limits.body_seconds)
        request = JsonRequest.parse(body)
        _refuse_unserved(endpoint, request.fields)
        stream = endpoint != "embeddings" and request.stream
        question = question_of(request.fields, limits.max_routed_characters)
        selection = pipeline.select(request.model, question, exchange.headers, caller)
        call = _call(pipeline, exchange, request, endpoint, selection, caller, stream=stream)
        exchange.watch()
        try:
            if stream:
                await self._stream(exchange, call)
            else:
                await self._whole(exchange, call)
        finally:
            exchange.unwatch()

    async def _whole(self, exchange: Exchange, call: Call) -> None:
        pipeline = self._pipeline
        reply = await pipeline.answer(call, pipeline.question(call), pipeline.whole)
        body = await read_all(reply)
        exchange.unwatch()
        headers: dict[str, str] = {CACHE_HEADER: reply.result}
        facts = reply.facts()
        if facts is not None:
            headers[MODEL_HEADER] = _plain(facts.model)
        await exchange.answer(reply.status, body, reply.content_type, headers)

    async def _stream(self, exchange: Exchange, call: Call) -> None:
        pipeline = self._pipeline
        question = pipeline.question(call)
        expected = "off" if question is None else "miss"
        await Relay(exchange, call, {CACHE_HEADER: expected}).run(pipeline.answer(call, question, pipeline.stream))
        exchange.unwatch()
        await exchange.send(b"", more=False)


def _call(
    pipeline: Pipeline,
    exchange: Exchange,
    request: JsonRequest,
    endpoint: str,
    selection: Selection,
    caller: Caller,
    *,
    stream: bool,
) -> Call:
    options = request.fields.get("stream_options")
    return Call(
        loaded=pipeline.loaded,
        endpoint=endpoint,
        request=request,
        stream=stream,
        caller=caller,
        selection=selection,
        headers=exchange.headers,
        request_id=exchange.request_id,
        traceparent=exchange.traceparent,
        body_bytes=len(request.body),
        asks_usage=isinstance(options, dict) and options.get("include_usage") is True,
    )


def _refuse_unserved(endpoint: str, fields: Mapping[str, Any]) -> None:
    """Refuse by name what cannot be kept: a background response would have to be fetched, which is not served."""
    if endpoint == "responses" and fields.get("background"):
        raise InvalidRequestError(
            "'background' is not served by this gateway: responses cannot be fetched from it later. Ask without it.",
            param="background",
            code="unsupported_parameter",
        )


def _plain(model: str) -> str:
    """The name of the model that answered, as a header can hold it."""
    return "".join(sign for sign in model if sign.isascii() and sign.isprintable())[:256]


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": "fleetmeter"}


async def _send_json(exchange: Exchange, document: Any) -> None:
    await exchange.answer(200, json.dumps(document).encode(), JSON, {})
