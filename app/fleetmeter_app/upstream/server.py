"""An OpenAI-compatible upstream for demo and tests: `python -m fleetmeter_app.upstream --port 8001`.

    POST /v1/chat/completions   OpenAI's wire format, without streaming
    GET  /v1/models, /v1/models/{model}
    GET  /ledger                what it was asked and what it billed (`ledger.Ledger.to_json`)
    POST /ledger/reset          the same, and then everything starts at 0
    GET  /health

Answers and token counts follow from the request (`completion.py`), trouble comes on demand (`faults.py`) or
at the rates of a configuration file (`config.py`). One event loop: the ledger needs no lock.
"""

import asyncio
import os
import random
import sys
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fleetmeter.errors import SettingError
from fleetmeter.escaping import printable
from fleetmeter_app.errors import ApiError, ConfigError, InvalidRequestError, ModelNotFoundError
from fleetmeter_app.settings import port_of
from fleetmeter_app.upstream.chat import ChatRequest, chat_json, parse_body
from fleetmeter_app.upstream.completion import Completion, complete
from fleetmeter_app.upstream.config import ModelBehaviour, UpstreamConfig
from fleetmeter_app.upstream.faults import HEADER, KINDS, Fault, context_length_exceeded, find_fault
from fleetmeter_app.upstream.ledger import Ledger
from fleetmeter_exporter.flags import LOG_FLAGS, Flag, Parser, log_format, log_level, read
from fleetmeter_exporter.logs import configure

_FLAGS = (
    Flag("host", "HOST", "address to listen on", "127.0.0.1"),
    Flag("port", "PORT", "port to listen on", "8001"),
    Flag("config", "FILE", "TOML file: models, latency, error rates"),
    *LOG_FLAGS,
)

# When the served models are said to have been made: a fixed day, so that the list never changes.
_MODELS_CREATED = 1_790_000_000
# Who stops it with Ctrl-C or SIGTERM wants it to end soon, slow answers or not (seconds).
_SHUTDOWN_SECONDS = 2


class Upstream:
    """The models, their trouble and the ledger of one process."""

    def __init__(self, config: UpstreamConfig) -> None:
        self._config = config
        # no secret hangs on what is drawn, and the seed must decide it
        self._draws = {model: random.Random(f"{config.seed}:{model}") for model in config.models}  # noqa: S311
        self._ledger = Ledger()

    async def chat_completions(self, request: Request) -> Response:
        """POST /v1/chat/completions."""
        return await self._account(request, self._complete_chat)

    async def list_models(self, _request: Request) -> Response:
        """GET /v1/models."""
        return JSONResponse({"object": "list", "data": [_model_json(model) for model in self._config.models]})

    async def get_model(self, request: Request) -> Response:
        """GET /v1/models/{model}."""
        model = request.path_params["model"]
        self._behaviour(model)
        return JSONResponse(_model_json(model))

    async def get_ledger(self, _request: Request) -> Response:
        """GET /ledger."""
        return JSONResponse(self._ledger.to_json())

    async def reset_ledger(self, _request: Request) -> Response:
        """POST /ledger/reset."""
        before, self._ledger = self._ledger, Ledger()
        return JSONResponse(before.to_json())

    async def _account(
        self,
        request: Request,
        handle: Callable[[Request, dict[str, Any]], Awaitable[tuple[Completion, Response]]],
    ) -> Response:
        """Answer through `handle` and write it down; in the ledger before the client can have the answer."""
        # One ledger per request, so that a reset in between splits none in two.
        ledger = self._ledger
        raw = await request.body()
        try:
            body = parse_body(raw)
        except InvalidRequestError as error:
            ledger.receive("")
            ledger.record("", error.status, abandoned=await request.is_disconnected())
            raise
        model = body["model"]
        ledger.receive(model)
        try:
            completion, response = await handle(request, body)
        except ApiError as error:
            ledger.record(model, error.status, abandoned=await request.is_disconnected())
            raise
        ledger.record(
            model,
            response.status_code,
            abandoned=await request.is_disconnected(),
            usage=completion.usage,
            nanodollars=self._config.models[model].price.bill(completion.usage),
        )
        return response

    async def _complete_chat(self, request: Request, body: dict[str, Any]) -> tuple[Completion, Response]:
        behaviour = self._behaviour(body["model"])
        chat = ChatRequest.from_body(body)
        await self._make_trouble(request, chat.model, chat.prompt, behaviour)
        completion = complete(chat.prompt, chat.max_tokens)
        if completion.usage.prompt_tokens > behaviour.context_tokens:
            raise context_length_exceeded(chat.model)
        return completion, JSONResponse(chat_json(chat.model, completion))

    async def _make_trouble(self, request: Request, model: str, prompt: str, behaviour: ModelBehaviour) -> None:
        """Be slow, then raise, as the request or the configuration wants it."""
        # Two draws for every request: the n-th one to a model meets the same trouble in each run.
        jitter, luck = self._draws[model].random(), self._draws[model].random()
        count = request.headers.get("x-stainless-retry-count", "")
        attempt = int(count) if count.isdecimal() else 0
        fault = find_fault(request.headers.get(HEADER), prompt, model, attempt) or Fault()
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

    def _behaviour(self, model: str) -> ModelBehaviour:
        if model not in self._config.models:
            raise ModelNotFoundError(model)
        return self._config.models[model]


def make_app(config: UpstreamConfig) -> Starlette:
    """The ASGI application, with a ledger of its own."""
    upstream = Upstream(config)
    return Starlette(
        routes=[
            Route("/v1/chat/completions", _identified(upstream.chat_completions), methods=["POST"]),
            Route("/v1/models", _identified(upstream.list_models), methods=["GET"]),
            Route("/v1/models/{model}", _identified(upstream.get_model), methods=["GET"]),
            Route("/ledger", upstream.get_ledger, methods=["GET"]),
            Route("/ledger/reset", upstream.reset_ledger, methods=["POST"]),
            Route("/health", _health, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _no_such_route},
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; 2, after one line that says why, if the configuration is refused."""
    parser = Parser("python -m fleetmeter_app.upstream", "An OpenAI-compatible upstream.", "", "upstream")
    given = read(_FLAGS, parser, sys.argv[1:] if arguments is None else arguments, os.environ)
    file = given["config"].one[1]
    try:
        port = port_of(given["port"])
        config = UpstreamConfig.load(Path(file)) if file else UpstreamConfig()
        configure(log_level(given), log_format(given), "upstream")
    except (ConfigError, SettingError) as error:
        sys.stderr.write(f"{printable(str(error))}\n")
        return 2
    uvicorn.run(
        make_app(config),
        host=given["host"].one[1],
        port=port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    return 0


def _identified(
    handle: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """The handler with errors in OpenAI's shape and a request id on whatever it answers."""

    async def answer(request: Request) -> Response:
        try:
            response = await handle(request)
        except ApiError as error:
            response = JSONResponse(error.body(), error.status, error.headers())
        except ClientDisconnect:
            # The client left in the middle of its request: nothing was asked, and nobody reads the answer.
            response = Response(status_code=400)
        response.headers["x-request-id"] = f"req_{uuid.uuid4().hex}"
        return response

    return answer


def _model_json(model: str) -> dict[str, Any]:
    return {"id": model, "object": "model", "created": _MODELS_CREATED, "owned_by": "fleetmeter-upstream"}


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _no_such_route(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    refused = InvalidRequestError(f"Invalid URL ({request.method} {request.url.path})", status=status)
    return JSONResponse(refused.body(), status)
