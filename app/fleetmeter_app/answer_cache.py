"""The prompt cache behind the seam: answers of `/ask`, whole ones."""

from collections.abc import Awaitable, Callable
from typing import Any

from fleetmeter import atomic
from fleetmeter.llm import record_cache_operation
from fleetmeter.llm.catalogue import PROMPT_CACHE_EVICTIONS
from fleetmeter.pricing import Usage
from fleetmeter_app.cache import Entry, PromptCache, digest_of
from fleetmeter_app.seams import Answer, Asked, Cached, Question


class AskCache:
    """Keeps answers to questions, by model, messages and limit; every other endpoint asks its upstream."""

    def __init__(self, cache: PromptCache) -> None:
        self._cache = cache

    def question(self, asked: Asked) -> Question | None:
        """What an answer is kept for; None but for `/ask`."""
        if asked.endpoint != "ask":
            return None
        fields: Any = asked.fields
        digest = digest_of(asked.model, fields["messages"], fields.get("max_completion_tokens"))
        return Question("ask", asked.caller.tenant, digest)

    async def answer(self, question: Question, make: Callable[[], Awaitable[Answer]]) -> Cached:
        """The answer that is kept, or what `make` gets, which is kept."""
        lookup = await self._cache.get(question.digest)
        with atomic():
            record_cache_operation("get", lookup.result)
            if lookup.result == "expired":
                PROMPT_CACHE_EVICTIONS.labels("expired").inc()
        if lookup.entry is not None:
            return Cached("hit", _answer_of(lookup.entry))
        answer = await make()
        stored = await self._cache.put(question.digest, _entry_of(answer))
        with atomic():
            record_cache_operation("put", stored.result)
            if stored.expired:
                PROMPT_CACHE_EVICTIONS.labels("expired").inc(stored.expired)
            if stored.evicted:
                PROMPT_CACHE_EVICTIONS.labels("capacity").inc(stored.evicted)
        return Cached("miss", answer)

    async def reachable(self) -> bool:
        """Whether the store answers now."""
        return await self._cache.reachable()

    async def close(self) -> None:
        """Close the connections."""
        await self._cache.close()


def _entry_of(answer: Answer) -> Entry:
    usage = answer.usage or Usage(0)
    return Entry(
        text=answer.body.decode(),
        model=answer.model,
        tier=answer.tier,
        prompt=usage.prompt,
        completion=usage.completion,
        cached=usage.cached,
        cache_write=usage.cache_write,
        reasoning=usage.reasoning,
        nanodollars=answer.nanodollars,
    )


def _answer_of(entry: Entry) -> Answer:
    return Answer(200, "application/json", entry.text.encode(), entry.model, entry.tier, None, entry.nanodollars)
