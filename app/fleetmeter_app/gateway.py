"""A question's way: intent → model → prompt cache → the model, or the next one → cost."""

from dataclasses import dataclass
from time import perf_counter

import openai

from fleetmeter import atomic
from fleetmeter.llm import (
    Usage,
    record_cache_operation,
    record_cost_savings,
    record_model_fallback,
    record_model_routing_duration,
    record_model_selection,
)
from fleetmeter.llm.catalogue import PROMPT_CACHE_EVICTIONS
from fleetmeter.pricing import Cost, PriceList
from fleetmeter_app.cache import Entry, PromptCache, Stored, digest_of
from fleetmeter_app.calls import ModelAnswer, ModelCalls
from fleetmeter_app.config import GatewayConfig, Intent
from fleetmeter_app.errors import InvalidRequestError
from fleetmeter_app.failures import upstream_failed
from fleetmeter_app.intents import IntentClassifier
from fleetmeter_app.router import ModelRouter, Selection, reason_of


@dataclass(frozen=True)
class Reply:
    """An answered question.

    `usage` and `cost` are what this answer cost now: none where it came from the cache. `model` answered, first now or
    when the answer was stored; `fallbacks` are the reasons for which models before it did not.
    """

    answer: str
    intent: str
    tier: str
    model: str
    cached: bool
    usage: Usage | None
    cost: Cost | None
    fallbacks: tuple[str, ...] = ()


class Gateway:
    """Answers questions, and records what that took."""

    def __init__(self, config: GatewayConfig, cache: PromptCache, calls: ModelCalls, prices: PriceList) -> None:
        self._config = config
        self._cache = cache
        self._calls = calls
        self._prices = prices
        self._classifier = IntentClassifier(config)
        self._router = ModelRouter(config)

    async def ask(self, query: str, intent_name: str | None = None) -> Reply:
        """ModelAnswer one question.

        Raises `InvalidRequestError` for a question or an intent that is refused, and `UpstreamFailedError` when no
        model of the chain answered.
        """
        self._check(query, intent_name)
        selection = self._select(query, intent_name)
        intent = self._config.intents[selection.intent]
        messages = _messages(intent, query)
        digest = digest_of(selection.model, messages, intent.max_tokens)
        lookup = await self._cache.get(digest)
        entry = lookup.entry
        with atomic():
            record_cache_operation("get", lookup.result)
            if lookup.result == "expired":
                PROMPT_CACHE_EVICTIONS.labels("expired").inc()
            if entry is not None and entry.nanodollars is not None:
                record_cost_savings(intent.name, Cost(entry.nanodollars).usd, "prompt_cache")
        if entry is not None:
            return Reply(entry.text, intent.name, entry.tier, entry.model, cached=True, usage=None, cost=None)
        reply = await self._ask_models(selection, messages, intent.max_tokens)
        await self._keep(digest, reply)
        return reply

    def _check(self, query: str, intent: str | None) -> None:
        most = self._config.limits.max_query_characters
        if not query.strip():
            raise InvalidRequestError("'query' is empty; ask something.", param="query", code="empty_query")
        if len(query) > most:
            raise InvalidRequestError(
                f"'query' has {len(query)} characters; at most {most} are taken.",
                param="query",
                code="query_too_long",
                status=413,
            )
        if intent is not None and intent not in self._config.intents:
            known = ", ".join(self._config.intents)
            raise InvalidRequestError(
                f"{intent!r} is no intent; the intents are: {known}.", param="intent", code="unknown_intent"
            )

    def _select(self, query: str, intent: str | None) -> Selection:
        started = perf_counter()
        selection = self._router.select_model(intent or self._classifier.classify(query))
        seconds = perf_counter() - started
        with atomic():
            record_model_selection(selection.intent, selection.model, selection.tier)
            record_model_routing_duration(selection.intent, seconds)
        return selection

    async def _ask_models(self, first: Selection, messages: list[dict[str, str]], max_tokens: int | None) -> Reply:
        selection: Selection = first
        reasons: list[str] = []
        while True:
            try:
                answer = await self._calls.ask(selection.model, selection.intent, messages, max_tokens)
            except openai.APIError as error:
                reason = reason_of(error)
                following = None if reason is None else self._router.fallback(selection, reason)
                if reason is None or following is None:
                    raise upstream_failed(selection.model, error) from error
                record_model_fallback(selection.intent, reason)
                reasons.append(reason)
                selection = following
                continue
            self._record_savings(selection.intent, answer)
            return Reply(
                answer.text,
                selection.intent,
                selection.tier,
                answer.model,
                cached=False,
                usage=answer.usage,
                cost=answer.cost,
                fallbacks=tuple(reasons),
            )

    def _record_savings(self, intent: str, answer: ModelAnswer) -> None:
        """What the baseline model would have cost for the same usage at the same tier, more than was paid, or less."""
        if answer.cost is None or answer.usage is None:
            return
        saving = self._prices.saving(answer.cost, answer.usage, tier=answer.tier)
        if saving is not None:
            record_cost_savings(intent, saving.usd)

    async def _keep(self, digest: str, reply: Reply) -> None:
        usage = reply.usage or Usage(0)
        entry = Entry(
            text=reply.answer,
            model=reply.model,
            tier=reply.tier,
            prompt=usage.prompt,
            completion=usage.completion,
            cached=usage.cached,
            cache_write=usage.cache_write,
            reasoning=usage.reasoning,
            nanodollars=None if reply.cost is None else reply.cost.nanodollars,
        )
        stored: Stored = await self._cache.put(digest, entry)
        with atomic():
            record_cache_operation("put", stored.result)
            if stored.expired:
                PROMPT_CACHE_EVICTIONS.labels("expired").inc(stored.expired)
            if stored.evicted:
                PROMPT_CACHE_EVICTIONS.labels("capacity").inc(stored.evicted)


def _messages(intent: Intent, query: str) -> list[dict[str, str]]:
    system = [{"role": "system", "content": intent.system_prompt}] if intent.system_prompt else []
    return [*system, {"role": "user", "content": query}]
