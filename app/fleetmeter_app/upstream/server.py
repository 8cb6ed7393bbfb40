"""An OpenAI-compatible upstream for demo and tests: `python -m fleetmeter_app.upstream --port 8001`.

    POST /v1/chat/completions   OpenAI's wire format, streams, tools and structured outputs included
    POST /v1/responses          likewise; also GET /v1/responses/{id}, POST …/cancel, POST /v1/responses/input_tokens
    POST /v1/embeddings         texts or tokens, as numbers or in base64
    POST /v1/images/generations, /v1/audio/speech, /v1/audio/transcriptions, /v1/moderations, /v1/batches
    GET  /v1/models, /v1/models/{model}, /v1/files, /v1/batches/{id}
    GET  /ledger                what it was asked and what it billed (`ledger.Ledger.to_json`)
    POST /ledger/reset          the same answer; afterwards the ledger starts at 0
    GET  /health

Answers and token counts follow from the request (`completion.py`). A request can ask for faults (`faults.py`) and for
odd answers (`wishes.py`); a configuration file can give rates of faults (`config.py`). There is one event loop, so the
ledger needs no lock.
"""

import os
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
from fleetmeter_app.config.settings import port_of
from fleetmeter_app.errors import ApiError, ConfigError, InvalidRequestError
from fleetmeter_app.upstream import others
from fleetmeter_app.upstream.config import UpstreamConfig
from fleetmeter_app.upstream.endpoints import Asked, Upstream
from fleetmeter_app.upstream.stored import Responses
from fleetmeter_app.upstream.streaming import Breakable
from fleetmeter_app.upstream.wishes import HEADER, find_wish
from fleetmeter_exporter.flags import LOG_FLAGS, Flag, Parser, log_format, log_level, read
from fleetmeter_exporter.logs import configure

FLAGS = (
    Flag("host", "HOST", "address to listen on", "127.0.0.1"),
    Flag("port", "PORT", "port to listen on", "8001"),
    Flag("config", "FILE", "TOML file: models, latency, error rates"),
    *LOG_FLAGS,
)

# The creation time that is stated for each model; fixed, so that the list never changes.
_MODELS_CREATED = 1_790_000_000
# Seconds from Ctrl-C or SIGTERM until it ends, even if answers are still under way.
_SHUTDOWN_SECONDS = 2

Handler = Callable[[Request], Awaitable[Response]]


def make_app(config: UpstreamConfig) -> Breakable:
    """The ASGI application, with its own ledger."""
    upstream = Upstream(config)
    responses = Responses(upstream)

    def accounted(endpoint: str, handle: Callable[[Asked], Awaitable[Response]]) -> Handler:
        async def answer(request: Request) -> Response:
            return await upstream.answer(await upstream.asked(request, endpoint), handle)

        return answer

    async def list_models(_request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [_model_json(model) for model in config.models]})

    async def get_model(request: Request) -> Response:
        model = request.path_params["model"]
        upstream.behaviour(model)
        return JSONResponse(_model_json(model))

    async def get_ledger(_request: Request) -> Response:
        return JSONResponse(upstream.ledger.to_json())

    async def reset_ledger(_request: Request) -> Response:
        return JSONResponse(upstream.reset_ledger().to_json())

    batch = _plain(upstream, "batches", lambda _model, _wish: others.batch_json("batch_1"))
    posts = {
        "/v1/chat/completions": accounted("chat.completions", upstream.chat),
        "/v1/responses": accounted("responses", responses.create),
        "/v1/responses/input_tokens": accounted("responses.input_tokens", responses.input_tokens),
        "/v1/responses/{id}/cancel": responses.cancel,
        "/v1/embeddings": accounted("embeddings", upstream.embeddings),
        "/v1/images/generations": _plain(upstream, "images", others.image_json),
        "/v1/audio/transcriptions": _plain(upstream, "audio", others.transcription_json),
        "/v1/audio/speech": _plain(upstream, "audio", None),
        "/v1/moderations": _plain(upstream, "moderations", others.moderation_json),
        "/v1/batches": batch,
    }
    gets = {
        "/v1/models": list_models,
        "/v1/models/{model}": get_model,
        "/v1/responses/{id}": responses.retrieve,
        "/v1/files": _plain(upstream, "files", lambda _model, _wish: others.files_json()),
        "/v1/batches/{id}": batch,
    }
    return Breakable(
        Starlette(
            routes=[
                *(Route(path, _identified(handle), methods=["POST"]) for path, handle in posts.items()),
                *(Route(path, _identified(handle), methods=["GET"]) for path, handle in gets.items()),
                Route("/ledger", get_ledger, methods=["GET"]),
                Route("/ledger/reset", reset_ledger, methods=["POST"]),
                Route("/health", _health, methods=["GET"]),
            ],
            exception_handlers={HTTPException: _no_such_route},
        )
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM. Returns 2, after one line with the reason, if a setting cannot be used."""
    parser = Parser(
        "python -m fleetmeter_app.upstream",
        "A server that speaks like OpenAI, for demo and tests: its answers are made up and cost nothing.",
        "",
        "upstream",
    )
    given = read(FLAGS, parser, sys.argv[1:] if arguments is None else arguments, os.environ)
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


def _plain(upstream: Upstream, endpoint: str, make: Callable[[str, Any], dict[str, Any]] | None) -> Handler:
    """An endpoint that counts requests by the model that they name, and bills nothing."""

    async def answer(request: Request) -> Response:
        raw = await request.body()
        form = others.FORM_MODEL.search(raw)
        model = form[1].decode("utf-8", "replace") if form else _named_model(await _document(request))
        upstream.ledger.receive(model, endpoint)
        upstream.ledger.record(model, 200, abandoned=False)
        if make is None:
            return Response(b"ID3 sample", media_type="audio/mpeg")
        return JSONResponse(make(model, find_wish(request.headers.get(HEADER), raw.decode("utf-8", "replace"))))

    return answer


async def _document(request: Request) -> Any:
    try:
        return await request.json()
    except ValueError:
        return None


def _named_model(document: Any) -> str:
    model = document.get("model") if isinstance(document, dict) else None
    return model if isinstance(model, str) else ""


def _identified(handle: Handler) -> Handler:
    """The handler, with errors in OpenAI's shape, and a request id on every answer."""

    async def answer(request: Request) -> Response:
        try:
            response = await handle(request)
        except ApiError as error:
            response = JSONResponse(error.body(), error.status, error.headers())
        except ClientDisconnect:
            # The client left in the middle of its request, so nobody reads this answer.
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
