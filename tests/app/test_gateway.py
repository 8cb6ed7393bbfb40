"""A question's way through the gateway: router, cache and models, all of them real, in this process."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import generate_latest

from fleetmeter.llm import catalogue
from fleetmeter_app.caching.config import CacheConfig
from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.errors import ApiError, InvalidRequestError, UpstreamFailedError
from fleetmeter_app.serving.ask import Answered, Questions
from support.exposition import Series, parse, total
from support.questions import asked
from support.store import StoreAddress
from support.upstream import RunningUpstream, free_port
from support.vocabulary import fresh_vocabulary

CONFIG = replace(GatewayConfig.load(), cache=CacheConfig(ttl_seconds=60, max_entries=3, max_entry_bytes=1000))


Use = Callable[..., Any]


@pytest.fixture
def use(upstream: RunningUpstream, store: StoreAddress, monkeypatch: pytest.MonkeyPatch) -> Use:
    """Runs a coroutine function on a gateway of its own."""
    fresh_vocabulary(monkeypatch)

    def run(
        work: Callable[[Questions], Awaitable[Any]],
        config: GatewayConfig = CONFIG,
        url: str = "",
        timeout: float = 10,
        base_url: str = "",
    ) -> Any:
        async def compose() -> Any:
            calls = replace(config.upstream, max_retries=0, timeout_seconds=timeout)
            limited = replace(config, upstream=calls)
            async with asked(limited, store, base_url or upstream.base_url, url=url) as questions:
                return await work(questions)

        return asyncio.run(compose())

    return run


def recorded() -> dict[Series, float]:
    """Everything that was recorded in this process."""
    return parse(generate_latest(catalogue.REGISTRY))


def grown(before: dict[Series, float], name: str, **labels: str) -> float:
    """The growth of a sample since then."""
    return total(recorded(), name, **labels) - total(before, name, **labels)


def test_the_same_question_is_answered_from_the_cache(use: Use) -> None:
    """The second reply is the first one's text, costs nothing now, and saves what the first one cost."""
    before = recorded()

    async def work(gateway: Questions) -> tuple[Answered, Answered]:
        return await gateway.ask("TSLA price"), await gateway.ask("TSLA price")

    first, second = use(work)
    assert not first.cached
    assert second.cached
    assert (second.text, second.usage) == (first.text, None)
    saved = grown(before, "cost_savings_usd_total", intent="price_only", source="prompt_cache")
    assert round(saved * 1e9) == first.nanodollars > 0
    assert grown(before, "model_selections_total", intent="price_only") == 2
    assert grown(before, "model_routing_duration_seconds_count", intent="price_only") == 2


def test_intents_do_not_share_answers(use: Use) -> None:
    """The same words to the same model are another question where prompt or limit differ."""

    async def work(gateway: Questions) -> list[Answered]:
        return [await gateway.ask("TSLA price", intent) for intent in ("price_only", "news_summary", "general")]

    replies = use(work)
    assert {reply.model for reply in replies} == {"gpt-6-luna"}
    assert [reply.cached for reply in replies] == [False] * 3


def test_an_answer_by_fallback_is_kept_for_the_question(use: Use) -> None:
    """Who asks again gets the fallback's answer from the cache, with the model that gave it."""

    async def work(gateway: Questions) -> tuple[Answered, Answered]:
        query = "TSLA price [[fault:500@gpt-6-luna]]"
        return await gateway.ask(query), await gateway.ask(query)

    first, second = use(work)
    assert (first.model, first.tier, first.fallbacks) == (
        "gpt-6.1-terra",
        "mid",
        ("upstream_error",),
    )
    assert (second.model, second.tier, second.cached) == ("gpt-6.1-terra", "mid", True)


@pytest.mark.parametrize(
    ("fault", "status", "code", "kind"),
    [
        ("429", 429, "rate_limit_exceeded", "rate_limit_error"),
        ("quota", 429, "insufficient_quota", "rate_limit_error"),
        ("500", 502, "upstream_error", "upstream_error"),
        ("404", 502, "upstream_error", "upstream_error"),
        ("latency=0.6", 504, "upstream_timeout", "upstream_error"),
        ("401", 502, "upstream_credentials", "upstream_error"),
        ("400", 400, "invalid_value", "invalid_request_error"),
        ("context_length", 400, "context_length_exceeded", "invalid_request_error"),
    ],
)
def test_an_exhausted_chain_says_what_the_last_model_did(
    use: Use, fault: str, status: int, code: str, kind: str
) -> None:
    """The status and code that the caller gets follow from the last failure; nothing is kept for the question."""
    before = recorded()

    async def work(gateway: Questions) -> None:
        await gateway.ask(f"should I buy TSLA [[fault:{fault}]]")

    with pytest.raises(UpstreamFailedError) as raised:
        use(work, timeout=0.25 if "latency" in fault else 10)
    assert (raised.value.status, raised.value.code, raised.value.type) == (status, code, kind)
    assert raised.value.model in raised.value.message
    assert grown(before, "prompt_cache_operations_total", operation="put") == 0
    assert grown(before, "prompt_cache_operations_total", operation="get", result="miss") == 1


def test_an_upstream_that_is_not_there_is_a_502(use: Use, store: StoreAddress) -> None:
    """No connection to any model: 502, upstream_unreachable."""

    async def work(gateway: Questions) -> None:
        await gateway.ask("TSLA price")

    with pytest.raises(UpstreamFailedError) as raised:
        use(work, base_url=f"http://127.0.0.1:{free_port()}/v1")
    assert (raised.value.status, raised.value.code) == (502, "upstream_unreachable")


@pytest.mark.parametrize(
    ("query", "intent", "status", "code", "param"),
    [
        ("", None, 400, "empty_query", "query"),
        (" \n\t ", None, 400, "empty_query", "query"),
        ("\u2003\u00a0", None, 400, "empty_query", "query"),
        ("x" * 8001, None, 413, "query_too_long", "query"),
        ("TSLA price", "weather", 400, "unknown_intent", "intent"),
        ("TSLA price", "", 400, "unknown_intent", "intent"),
    ],
)
def test_a_question_that_is_refused_reaches_nothing(
    use: Use, query: str, intent: str | None, status: int, code: str, param: str
) -> None:
    """It is neither routed nor looked up, and the error names the field."""
    before = recorded()
    with pytest.raises(InvalidRequestError) as raised:
        use(lambda gateway: gateway.ask(query, intent))
    error: ApiError = raised.value
    assert (error.status, error.code, error.param) == (status, code, param)
    assert recorded() == before


def test_the_longest_query_is_taken(use: Use) -> None:
    """The limit itself is allowed, and counts characters, not bytes."""
    assert use(lambda gateway: gateway.ask("€" * 8000)).intent == "general"


def test_evictions_are_recorded_by_reason(use: Use) -> None:
    """Room and age have their own reason; an expired get is one eviction, and a put counts those that it removed."""
    before = recorded()

    async def fill(gateway: Questions) -> None:
        for number in range(5):
            await gateway.ask(f"question {number}")

    use(fill)
    assert grown(before, "prompt_cache_evictions_total", reason="capacity") == 2
    assert grown(before, "prompt_cache_operations_total", operation="put", result="stored") == 5
    use(fill, replace(CONFIG, cache=CacheConfig(ttl_seconds=60, max_entries=1, max_entry_bytes=1000)))
    assert grown(before, "prompt_cache_evictions_total", reason="capacity") == 2 + 3 + 4

    async def expire(gateway: Questions) -> None:
        for query in ("first", "second"):
            await gateway.ask(query)
        await asyncio.sleep(0.25)
        await gateway.ask("first")

    between = recorded()
    use(expire, replace(CONFIG, cache=CacheConfig(ttl_seconds=0.2, max_entries=100, max_entry_bytes=1000)))
    assert grown(between, "prompt_cache_operations_total", operation="get", result="expired") == 1
    assert grown(between, "prompt_cache_evictions_total", reason="expired") == 2


def test_an_answer_that_is_too_large_is_given_and_not_kept(use: Use) -> None:
    """The put is refused, the reply is whole, and the next one is asked for again."""
    before = recorded()

    async def work(gateway: Questions) -> tuple[Answered, Answered]:
        query = "tell me all [[usage:prompt=5,completion=300]]"
        return await gateway.ask(query), await gateway.ask(query)

    first, second = use(work, replace(CONFIG, cache=CacheConfig(ttl_seconds=60, max_entries=3, max_entry_bytes=300)))
    assert len(first.text.split()) == 300
    assert not second.cached
    assert grown(before, "prompt_cache_operations_total", operation="put", result="refused") == 2


def test_without_a_store_questions_are_answered(use: Use) -> None:
    """Get and put are counted as errors; the answer comes from the model."""
    before = recorded()
    reply = use(lambda gateway: gateway.ask("TSLA price"), url=f"redis://127.0.0.1:{free_port()}/0")
    assert reply.text
    assert not reply.cached
    assert grown(before, "prompt_cache_operations_total", operation="get", result="error") == 1
    assert grown(before, "prompt_cache_operations_total", operation="put", result="error") == 1
    assert grown(before, "prompt_cache_operations_total") == 2


def test_savings_are_measured_against_the_baseline(use: Use) -> None:
    """A cheaper model saves, a dearer one costs extra, the baseline itself does neither."""
    before = recorded()
    bill = "[[usage:prompt=1000,cached=1000,completion=10]]"

    async def work(gateway: Questions) -> None:
        await gateway.ask(f"TSLA price {bill}")  # luna: 15,000 nano-dollars; the baseline, sol: 200,000
        await gateway.ask(f"should I buy TSLA {bill}")
        await gateway.ask(f"should I sell TSLA {bill} [[fault:404@gpt-6.1-sol]]")  # gpt-6-sol: 300,000

    use(work)
    assert round(grown(before, "cost_savings_usd_total", source="routing") * 1e9) == 185_000
    assert round(grown(before, "routing_extra_cost_usd_total", intent="portfolio_advice") * 1e9) == 100_000
