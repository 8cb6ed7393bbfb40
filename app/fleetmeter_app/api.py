"""The gateway's HTTP interface: routes, and every error in OpenAI's shape."""

import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Route

import fleetmeter
from fleetmeter.llm import record_error
from fleetmeter_app.errors import ApiError, InvalidRequestError
from fleetmeter_app.gateway import Gateway, Reply
from fleetmeter_app.request_id import HEADER, RequestId

log = logging.getLogger("fleetmeter.app")

_OVERHEAD_BYTES = 4096
"""Bytes of a request body beyond the query itself."""

_BYTES_PER_CHARACTER = 12
"""At most, in JSON: outside the basic plane a character may be written as two escapes, `\\ud83d\\ude00`."""


class AskRequest(BaseModel):
    """The body of `POST /ask`; without an intent the rules of the configuration decide."""

    model_config = ConfigDict(extra="forbid", strict=True)

    query: str
    intent: str | None = None


class UsageOut(BaseModel):
    """Tokens as the API counts them: cached and cache-write are parts of prompt, reasoning is part of completion."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int


class AskReply(BaseModel):
    """The answer of `POST /ask`.

    `usage` and the costs are what this answer cost now: null where it came from the cache, or has no price.
    `cost_nanodollars` is exact; `cost_usd` is the same amount in dollars.
    """

    answer: str
    intent: str
    tier: str
    model: str
    cached: bool
    usage: UsageOut | None
    cost_usd: float | None
    cost_nanodollars: int | None
    fallbacks: list[str]
    request_id: str


def make_api(
    gateway: Gateway,
    *,
    metrics: Callable[..., Any],
    store_answers: Callable[[], Any],
    close: Callable[[], Any],
    max_query_characters: int,
) -> FastAPI:
    """The application. `metrics` is the ASGI app behind `/metrics`; `close` is awaited when the server stops."""
    api = FastAPI(
        title="fleetmeter gateway", version=fleetmeter.__version__, lifespan=_lifespan(close), redirect_slashes=False
    )
    most_bytes = _BYTES_PER_CHARACTER * max_query_characters + _OVERHEAD_BYTES

    @api.post(
        "/ask",
        response_model=AskReply,
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": AskRequest.model_json_schema()}},
            }
        },
    )
    async def ask(request: Request) -> AskReply:
        """Answer a question with the model that suits it."""
        asked = _parse(await _json_body(request, most_bytes))
        return _reply(await gateway.ask(asked.query, asked.intent), request.state.request_id)

    @api.get("/health")
    async def health() -> dict[str, str]:
        """Whether the process runs."""
        return {"status": "ok"}

    @api.get("/ready")
    async def ready() -> dict[str, str]:
        """Whether questions can be answered: also while the store is away, as counting then catches up later."""
        return {"status": "ready", "store": "ok" if await store_answers() else "away"}

    # One address of the fleet is enough for Prometheus: every replica's /metrics shows the totals of all of them, so a
    # discovery that scrapes each of N replicas would sum N times the truth.
    api.router.routes.append(Route("/metrics", metrics))
    api.exception_handler(ApiError)(_refuse)
    api.exception_handler(HTTPException)(_refuse_http)
    api.exception_handler(Exception)(_refuse_unexpected)
    api.add_middleware(RequestId)
    return api


async def _json_body(request: Request, most_bytes: int) -> Any:
    """The body as JSON; `InvalidRequestError` for another content type, too many bytes, or what is no JSON."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise InvalidRequestError(
            f"The content type is {content_type or 'missing'}; send application/json.", code="content_type", status=415
        )
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most_bytes:
                raise InvalidRequestError(
                    f"The body has more than {most_bytes} bytes.", code="body_too_large", status=413
                )
    except ClientDisconnect as error:  # nobody reads the answer, and nothing here failed
        raise InvalidRequestError("The client left before its request was complete.", status=499) from error
    try:
        document = json.loads(body)
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InvalidRequestError("The body holds half a surrogate pair, which is no text.", code="no_text") from error
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(f"The body is no JSON: {error}.", code="malformed_json") from error
    return document


def _parse(body: Any) -> AskRequest:
    try:
        return AskRequest.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or None
        raise InvalidRequestError(
            f'{field or "The body"}: {first["msg"]}; expected {{"query": text, "intent": text (optional)}}.',
            param=field,
            code="invalid_body",
        ) from error


def _reply(reply: Reply, request_id: str) -> AskReply:
    usage = reply.usage
    return AskReply(
        answer=reply.answer,
        intent=reply.intent,
        tier=reply.tier,
        model=reply.model,
        cached=reply.cached,
        usage=None
        if usage is None
        else UsageOut(
            prompt_tokens=usage.prompt,
            completion_tokens=usage.completion,
            total_tokens=usage.total,
            cached_tokens=usage.cached,
            cache_write_tokens=usage.cache_write,
            reasoning_tokens=usage.reasoning,
        ),
        cost_usd=None if reply.cost is None else reply.cost.usd,
        cost_nanodollars=None if reply.cost is None else reply.cost.nanodollars,
        fallbacks=list(reply.fallbacks),
        request_id=request_id,
    )


async def _refuse(request: Request, error: ApiError) -> JSONResponse:
    record_error(type(error).__name__, _endpoint(request))
    return JSONResponse(error.body(), error.status, error.headers())


async def _refuse_http(request: Request, error: HTTPException) -> JSONResponse:
    refused = InvalidRequestError(f"{request.method} {request.url.path}: {error.detail}.", status=error.status_code)
    record_error("HTTPException", _endpoint(request))
    return JSONResponse(refused.body(), error.status_code, dict(error.headers or {}))


async def _refuse_unexpected(request: Request, error: Exception) -> JSONResponse:
    """Called outside every middleware; the server logs the error itself, with its traceback."""
    request_id = request.state.request_id
    log.error("request %s to %s: unexpected %s", request_id, _endpoint(request), type(error).__name__)
    record_error(type(error).__name__, _endpoint(request))
    failed = ApiError(
        500, "server_error", "The gateway failed; the log of this replica says why.", code="internal_error"
    )
    return JSONResponse(failed.body(), failed.status, {HEADER.decode(): request_id})


def _endpoint(request: Request) -> str:
    """The route's template; what no route has is no label."""
    route = request.scope.get("route")
    return getattr(route, "path", None) or "__unmatched__"


def _lifespan(close: Callable[[], Any]) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await close()

    return lifespan
