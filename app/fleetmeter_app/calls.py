"""One call of a model by the `openai` SDK, and its record."""

import asyncio
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import openai
from openai.types.chat import ChatCompletion

from fleetmeter import atomic
from fleetmeter.llm import Usage, record_openai_call, record_openai_error
from fleetmeter.llm.catalogue import OPENAI_UNPRICED_CALLS
from fleetmeter.llm.vocabulary import VOCABULARY
from fleetmeter.pricing import Cost, PriceList, read_answer

ENDPOINT = "chat.completions"
_RETRY_COUNT = "x-stainless-retry-count"  # what the SDK tells the server about its retries


@dataclass(frozen=True)
class ModelAnswer:
    """What a model said.

    `usage` is None if the answer stated none, or one that is in doubt; `cost` if the call has no price. `tier` is the
    service tier that the answer names.
    """

    text: str
    model: str
    usage: Usage | None
    cost: Cost | None
    tier: str | None = None


class ModelCalls:
    """Calls models, and records each call once, with its final outcome."""

    def __init__(self, client: openai.AsyncOpenAI, prices: PriceList) -> None:
        self._client = client
        self._prices = prices

    async def ask(self, model: str, intent: str, messages: list[dict[str, str]], max_tokens: int | None) -> ModelAnswer:
        """One answer. Raises the SDK's `openai.APIError` after recording the failure."""
        limit: Any = openai.omit if max_tokens is None else max_tokens
        started = perf_counter()
        try:
            raw = await self._client.chat.completions.with_raw_response.create(
                model=model,
                messages=messages,  # type: ignore[arg-type]  # the SDK's own type for {"role": …, "content": …}
                max_completion_tokens=limit,
            )
            completion = _parsed(raw)
        except (openai.APIError, asyncio.CancelledError) as error:
            with atomic():
                record_openai_call(
                    model=model,
                    endpoint=ENDPOINT,
                    intent=intent,
                    duration=perf_counter() - started,
                    retries=_retries_of(error),
                )
                if isinstance(error, openai.APIError):
                    record_openai_error(model, type(error).__name__)
                if isinstance(error, openai.APIResponseValidationError):  # answered, for nobody knows how many tokens
                    _record_unpriced(model)
            raise
        answered = _utf8(completion.model) or model
        stated = read_answer(completion)
        price = self._prices.price(answered, stated.usage, tier=stated.tier)
        text = _text(completion)
        with atomic():
            record_openai_call(
                model=answered,
                endpoint=ENDPOINT,
                intent=intent,
                duration=perf_counter() - started,
                usage=stated.usage,
                cost=price,
                retries=raw.retries_taken,
            )
            if text is None:
                record_openai_error(answered, openai.APIResponseValidationError.__name__)
        if text is None:  # what was spent is spent, but nobody can read the answer
            raise openai.APIResponseValidationError(response=raw.http_response, body=None)
        usage = stated.usage if isinstance(stated.usage, Usage) else None
        return ModelAnswer(text, answered, usage, price if isinstance(price, Cost) else None, stated.tier)


def _record_unpriced(model: str) -> None:
    """Count an answered call of which nobody knows what it has cost."""
    OPENAI_UNPRICED_CALLS.labels(VOCABULARY.model(model)).inc()


def _parsed(raw: Any) -> ChatCompletion:
    """The answer as the SDK reads it; what is no answer becomes the SDK's own error."""
    try:
        completion = raw.parse()
        if isinstance(completion, ChatCompletion):
            return completion
        problem: ValueError | None = None
    except ValueError as error:  # the SDK lets the JSON decoder's error through
        problem = error
    raise openai.APIResponseValidationError(response=raw.http_response, body=None) from problem


def _text(completion: Any) -> str | None:
    """The text of the first choice, empty for a refusal; None where there is none: the SDK checks no types."""
    try:
        content = completion.choices[0].message.content
    except (AttributeError, IndexError, KeyError, TypeError):
        return None
    return "" if content is None else _utf8(content)


def _utf8(text: object) -> str | None:
    """A text without halves of surrogate pairs, which JSON can hold and UTF-8 cannot; None where it is no text."""
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else None


def _retries_of(error: BaseException) -> int:
    """How often the SDK had tried again before it gave up; 0 where it does not tell."""
    request = getattr(getattr(error, "response", error), "request", None)
    if request is None:
        return 0
    count = request.headers.get(_RETRY_COUNT, "")
    return int(count) if count.isdecimal() else 0
