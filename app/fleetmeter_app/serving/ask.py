"""`POST /ask`: a question in plain words, answered on the way that every request takes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from fleetmeter.pricing import Cost, Usage
from fleetmeter_app.config.chains import AUTO, Intent
from fleetmeter_app.errors import InvalidRequestError
from fleetmeter_app.guarding.caller import ANONYMOUS, Caller
from fleetmeter_app.serving.asking import Asking
from fleetmeter_app.serving.exchange import Exchange
from fleetmeter_app.serving.loaded import Loaded
from fleetmeter_app.serving.pipeline import INTENT_HEADER, Pipeline
from fleetmeter_app.tools.loop import AgentLoop
from fleetmeter_app.tools.runs import ToolRun
from fleetmeter_app.wire.answers import text_of

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


class ToolOut(BaseModel):
    """A tool that was run for the answer, and how it ended: success, error or timeout."""

    name: str
    status: str


class AskReply(BaseModel):
    """The answer of `POST /ask`; where tools were run, of all calls of models together.

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
    tools: list[ToolOut]
    request_id: str


@dataclass(frozen=True)
class Answered:
    """An answered question. `usage` and `nanodollars` are what it cost now: None if it cost nothing, or nobody knows.

    `cached` says that no call was made for it, `looked_up` that the cache was asked. `fallbacks` are the reasons for
    which models did not answer it; `tools` are those that were run for it.
    """

    text: str
    intent: str
    tier: str
    model: str
    cached: bool
    usage: Usage | None
    nanodollars: int | None
    fallbacks: tuple[str, ...]
    tools: tuple[ToolRun, ...] = ()
    looked_up: bool = True

    @property
    def cache(self) -> str:
        """What became of the cache: hit, miss, or off if it was not asked."""
        return "hit" if self.cached else "miss" if self.looked_up else "off"


class Questions:
    """Answers questions by the pipeline."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    async def handle(self, exchange: Exchange) -> None:
        """The route."""
        caller = await self._pipeline.admit(exchange.headers)
        limits = self._pipeline.loaded.config.limits
        most_bytes = min(_BYTES_PER_CHARACTER * limits.max_query_characters + _OVERHEAD_BYTES, limits.max_body_bytes)
        asked = _parse(await exchange.body(most_bytes, limits.body_seconds))
        exchange.watch()
        try:
            reply = await self.ask(
                asked.query,
                asked.intent,
                caller=caller,
                headers=exchange.headers,
                request_id=exchange.request_id,
                traceparent=exchange.traceparent,
            )
        finally:
            exchange.unwatch()
        body = _reply(reply, exchange.request_id).model_dump_json().encode()
        await exchange.answer(200, body, "application/json", {"x-fleetmeter-cache": reply.cache})

    async def ask(
        self,
        query: str,
        intent: str | None = None,
        *,
        caller: Caller = ANONYMOUS,
        headers: Mapping[str, str] | None = None,
        request_id: str = "",
        traceparent: str | None = None,
    ) -> Answered:
        """Answer one question.

        Raises `InvalidRequestError` for a question or an intent that is refused, and `UpstreamFailedError` when no
        model of the chain answered.
        """
        loaded = self._pipeline.loaded
        _check(loaded, query, intent)
        headers = {} if headers is None else headers
        if intent is not None:
            headers = {**headers, INTENT_HEADER: intent}
        selection = self._pipeline.select(AUTO, query, headers, caller)
        chosen = loaded.config.intents[selection.intent]
        asking = Asking(self._pipeline, loaded, selection, caller, headers, request_id, traceparent)
        loop = AgentLoop(loaded.tools, chosen.tools)
        document = await loop.answer(asking.complete, _chat(selection.first.model, chosen, query))
        return Answered(
            text=text_of(document),
            intent=selection.intent,
            tier=asking.facts.tier,
            model=asking.facts.model.encode("utf-8", "replace").decode(),
            cached=asking.cached,
            usage=asking.usage,
            nanodollars=asking.nanodollars,
            fallbacks=tuple(asking.fallbacks),
            tools=tuple(loop.runs),
            looked_up=asking.looked_up,
        )


def _check(loaded: Loaded, query: str, intent: str | None) -> None:
    most = loaded.config.limits.max_query_characters
    if not query.strip():
        raise InvalidRequestError("'query' is empty; ask something.", param="query", code="empty_query")
    if len(query) > most:
        raise InvalidRequestError(
            f"'query' has {len(query)} characters; at most {most} are taken.",
            param="query",
            code="query_too_long",
            status=413,
        )
    if intent is not None and intent not in loaded.config.intents:
        known = ", ".join(loaded.config.intents)
        raise InvalidRequestError(
            f"{intent!r} is no intent; the intents are: {known}.", param="intent", code="unknown_intent"
        )


def _chat(model: str, intent: Intent, query: str) -> dict[str, Any]:
    system = [{"role": "system", "content": intent.system_prompt}] if intent.system_prompt else []
    limit = {} if intent.max_tokens is None else {"max_completion_tokens": intent.max_tokens}
    return {"model": model, "messages": [*system, {"role": "user", "content": query}], **limit}


def _parse(body: bytes) -> AskRequest:
    try:
        document = json.loads(body)
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InvalidRequestError("The body holds half a surrogate pair, which is no text.", code="no_text") from error
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(f"The body is no JSON: {error}.", code="malformed_json") from error
    try:
        return AskRequest.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or None
        raise InvalidRequestError(
            f'{field or "The body"}: {first["msg"]}; expected {{"query": text, "intent": text (optional)}}.',
            param=field,
            code="invalid_body",
        ) from error


def _reply(answered: Answered, request_id: str) -> AskReply:
    return AskReply(
        answer=answered.text,
        intent=answered.intent,
        tier=answered.tier,
        model=answered.model,
        cached=answered.cached,
        usage=None if answered.usage is None else _usage(answered.usage),
        cost_usd=None if answered.nanodollars is None else Cost(answered.nanodollars).usd,
        cost_nanodollars=answered.nanodollars,
        fallbacks=list(answered.fallbacks),
        tools=[ToolOut(name=run.name, status=run.status) for run in answered.tools],
        request_id=request_id,
    )


def _usage(usage: Usage) -> UsageOut:
    return UsageOut(
        prompt_tokens=usage.prompt,
        completion_tokens=usage.completion,
        total_tokens=usage.total,
        cached_tokens=usage.cached,
        cache_write_tokens=usage.cache_write,
        reasoning_tokens=usage.reasoning,
    )
