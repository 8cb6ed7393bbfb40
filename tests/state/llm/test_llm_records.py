"""The record helpers, by what the stock client shows afterwards."""

import asyncio
import json
import logging
import math
import os
import random
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import httpx2
import openai
import pytest

from fleetmeter import llm
from fleetmeter.llm import Usage, amounts, catalogue, series, vocabulary
from fleetmeter.pricing import Cost, Unpriced, doubt, read_usage
from support.vocabulary import fresh_vocabulary

USAGE = Usage(prompt=10_000, cached=6_000, cache_write=2_000, completion=1_000, reasoning=400)
COST = Cost(20_200_000)

Value = Callable[..., float]


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has label sets and complaints of its own, and starts without series."""
    fresh_vocabulary(monkeypatch)
    monkeypatch.setattr(amounts, "_complained", set())
    monkeypatch.setattr(doubt, "_told", set())
    monkeypatch.setattr(vocabulary, "_complained", set())
    for name in dir(catalogue):
        metric = getattr(catalogue, name)
        if getattr(metric, "_labelnames", ()):
            metric.clear()
    catalogue.create_children()


def value(sample: str, **labels: str) -> float:
    """What the stock client shows; -1 where the series does not exist."""
    found = catalogue.REGISTRY.get_sample_value(sample, labels)
    return -1 if found is None else found


def record_call(**changes: object) -> None:
    """One answered call of gpt-6-sol, with some arguments changed."""
    arguments: dict[str, object] = {
        "model": "gpt-6-sol",
        "endpoint": "chat.completions",
        "intent": "analysis",
        "duration": 1.5,
        "usage": USAGE,
        "cost": COST,
    }
    llm.record_openai_call(**(arguments | changes))  # type: ignore[arg-type]  # wrong types are among the cases


def test_a_selection_is_counted_by_intent_model_and_tier() -> None:
    """One selection is one increment of its own series, without any configuration."""
    llm.record_model_selection("chat", "gpt-6-luna", "cheap")
    assert value("model_selections_total", intent="chat", model="gpt-6-luna", tier="cheap") == 1


def test_a_fallback_is_counted_by_reason() -> None:
    """A known reason is kept, an unknown one becomes other."""
    llm.record_model_fallback("chat", "rate_limited")
    llm.record_model_fallback("chat", "Error: quota of org-123 is used up")
    assert value("model_fallbacks_total", intent="chat", reason="rate_limited") == 1
    assert value("model_fallbacks_total", intent="chat", reason="other") == 1


def test_routing_durations_are_seconds() -> None:
    """Seven microseconds land in the bucket of 10 µs."""
    llm.record_model_routing_duration("chat", 7e-6)
    assert value("model_routing_duration_seconds_sum", intent="chat") == 7e-6
    assert value("model_routing_duration_seconds_bucket", intent="chat", le="5e-06") == 0
    assert value("model_routing_duration_seconds_bucket", intent="chat", le="1e-05") == 1


def test_cache_results_belong_to_their_operation() -> None:
    """A result of another operation is no result of this one."""
    llm.record_cache_operation("get", "hit")
    llm.record_cache_operation("put", "hit")
    llm.record_cache_operation("delete", "hit")
    assert value("prompt_cache_operations_total", operation="get", result="hit") == 1
    assert value("prompt_cache_operations_total", operation="put", result="other") == 1
    assert value("prompt_cache_operations_total", operation="other", result="other") == 1


def test_a_cache_of_the_service_itself() -> None:
    """Size and rate are replaced, evictions are added."""
    llm.update_cache_metrics(10, 0.5, 3)
    llm.update_cache_metrics(12, 0.75, 4)
    assert value("prompt_cache_size") == 12
    assert value("prompt_cache_hit_rate") == 0.75
    assert value("prompt_cache_evictions_total", reason="capacity") == 7


def test_a_rate_above_1_is_left_out() -> None:
    """A hit rate in percent is no share."""
    llm.update_cache_metrics(10, 0.5, 0)
    llm.update_cache_metrics(11, 50.0, 0)
    assert value("prompt_cache_hit_rate") == 0.5
    assert value("prompt_cache_size") == 11


def test_savings_are_counted_by_source() -> None:
    """Routing is the default source."""
    llm.record_cost_savings("chat", 0.25)
    llm.record_cost_savings("chat", 0.5, source="prompt_cache")
    assert value("cost_savings_usd_total", intent="chat", source="routing") == 0.25
    assert value("cost_savings_usd_total", intent="chat", source="prompt_cache") == 0.5


def test_a_dearer_model_is_extra_cost_and_no_saving() -> None:
    """A negative saving of routing grows another counter, and a negative one of the cache is left out."""
    llm.record_cost_savings("chat", -0.25)
    llm.record_cost_savings("chat", -0.5, source="prompt_cache")
    assert value("routing_extra_cost_usd_total", intent="chat") == 0.25
    assert value("cost_savings_usd_total", intent="chat", source="routing") == -1
    assert value("cost_savings_usd_total", intent="chat", source="prompt_cache") == -1


def test_an_answered_call_has_tokens_and_cost() -> None:
    """One call moves calls, duration, tokens by disjoint type, total and cost, each once."""
    record_call()
    labels = {"model": "gpt-6-sol", "intent": "analysis"}
    assert value("openai_api_calls_total", endpoint="chat.completions", stream="false", **labels) == 1
    assert value("openai_api_duration_seconds_sum", model="gpt-6-sol", endpoint="chat.completions") == 1.5
    tokens = {kind: value("openai_tokens_used_sum", type=kind, **labels) for kind in USAGE.disjoint()}
    assert tokens == {
        "prompt": 2000,
        "cached": 6000,
        "cache_write": 2000,
        "completion": 600,
        "reasoning": 400,
    }
    assert value("openai_tokens_per_call_sum", **labels) == sum(tokens.values()) == 11_000
    assert value("openai_tokens_per_call_count", **labels) == 1
    assert round(value("openai_cost_usd_sum", **labels) * 10**9) == 20_200_000
    assert value("openai_cost_usd_count", **labels) == 1
    assert round(value("openai_total_cost_usd_total", model="gpt-6-sol") * 10**9) == 20_200_000
    assert value("openai_unpriced_calls_total", model="gpt-6-sol") == 0


def test_an_unanswered_call_has_a_duration_and_neither_tokens_nor_cost() -> None:
    """A failed call counts, took time, and was not unpriced."""
    llm.record_openai_call(model="gpt-6-sol", endpoint="chat.completions", intent="analysis", duration=1.5)
    labels = {"model": "gpt-6-sol", "intent": "analysis"}
    assert value("openai_api_calls_total", endpoint="chat.completions", stream="false", **labels) == 1
    assert value("openai_api_duration_seconds_count", model="gpt-6-sol", endpoint="chat.completions") == 1
    assert value("openai_tokens_per_call_count", **labels) == -1
    assert value("openai_cost_usd_count", **labels) == -1
    assert value("openai_unpriced_calls_total", model="gpt-6-sol") == 0


def test_an_answer_that_told_no_usage_is_unpriced(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody knows what it cost: it counts, without tokens, and the log says why, once."""
    for _ in range(3):
        record_call(usage=None, cost=None)
    assert value("openai_unpriced_calls_total", model="gpt-6-sol") == 3
    assert value("openai_tokens_per_call_count", model="gpt-6-sol", intent="analysis") == -1
    assert value("openai_cost_usd_count", model="gpt-6-sol", intent="analysis") == -1
    (message,) = caplog.messages
    assert message.startswith("a call is counted without its price: the answer states no usage")


def failed(status: int, retries: str | None) -> openai.APIStatusError:
    """An error of the SDK whose request was sent again that often."""
    headers = {} if retries is None else {"x-stainless-retry-count": retries}
    request = httpx2.Request("POST", "https://api.openai.com/v1/responses", headers=headers)
    response = httpx2.Response(status, request=request)
    kind = openai.RateLimitError if status == 429 else openai.InternalServerError
    return kind("no", response=response, body=None)


def record_failure(error: Any, **more: Any) -> None:
    """A call that was not answered."""
    llm.record_openai_call(
        model="gpt-6-sol", endpoint="responses", intent="analysis", duration=1.5, error=error, **more
    )


def test_a_failed_call_tells_its_error_and_its_retries() -> None:
    """The upstream saw three requests: one call, two retries, one error by its class; nothing is unpriced."""
    record_failure(failed(429, "2"))
    record_failure(failed(500, None))
    assert value("openai_retries_total", model="gpt-6-sol") == 2
    assert value("openai_errors_total", model="gpt-6-sol", type="RateLimitError") == 1
    assert value("openai_errors_total", model="gpt-6-sol", type="InternalServerError") == 1
    assert value("openai_unpriced_calls_total", model="gpt-6-sol") == 0
    labels = {"model": "gpt-6-sol", "endpoint": "responses", "intent": "analysis", "stream": "false"}
    assert value("openai_api_calls_total", **labels) == 2


def test_retries_that_are_given_win_over_the_error() -> None:
    """Who counts attempts itself says so."""
    record_failure(failed(429, "2"), retries=5)
    record_failure("APITimeoutError", retries=1)
    assert value("openai_retries_total", model="gpt-6-sol") == 6
    assert value("openai_errors_total", model="gpt-6-sol", type="APITimeoutError") == 1


@pytest.mark.parametrize("count", ["", "two", "-1", "²", None])
def test_a_header_that_is_no_count_is_no_retry(count: str | None) -> None:
    """A proxy may have put anything there."""
    error = failed(429, None)
    error.request.headers["x-stainless-retry-count"] = count or ""
    record_failure(error)
    assert value("openai_retries_total", model="gpt-6-sol") == 0


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyboardInterrupt(), GeneratorExit()])
def test_a_call_that_was_given_up_is_no_error(error: BaseException) -> None:
    """The caller left; nothing failed."""
    record_failure(error)
    assert (
        value("openai_api_calls_total", model="gpt-6-sol", endpoint="responses", intent="analysis", stream="false") == 1
    )
    assert "openai_errors_total" not in {
        sample.name for family in catalogue.REGISTRY.collect() for sample in family.samples
    }


def test_an_answer_that_nobody_can_read_is_an_error_and_unpriced() -> None:
    """It was answered, so it was billed: an error, and a call of unknown price."""
    record_failure(json.JSONDecodeError("x", "y", 0), usage=None)
    assert value("openai_errors_total", model="gpt-6-sol", type="APIResponseValidationError") == 1
    assert value("openai_unpriced_calls_total", model="gpt-6-sol") == 1


def test_the_intent_is_that_in_force_if_none_is_given() -> None:
    """An argument wins; without either it is unspecified."""
    with llm.attributes(intent="search"):
        record_call(intent=None)
        record_call(intent="given")
    record_call(intent=None)
    calls = {"model": "gpt-6-sol", "endpoint": "chat.completions", "stream": "false"}
    for intent in ("search", "given", "unspecified"):
        assert value("openai_api_calls_total", intent=intent, **calls) == 1


def test_a_usage_may_be_the_api_s_own() -> None:
    """A dictionary counts as what `read_usage` makes of it."""
    record_call(usage={"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10})
    assert value("openai_tokens_per_call_sum", model="gpt-6-sol", intent="analysis") == 10
    assert value("openai_unpriced_calls_total", model="gpt-6-sol") == 0


@pytest.mark.parametrize("usage", ["120 tokens", 120, ["prompt", 100], object(), {}, {"prompt_tokens": -1}])
def test_a_usage_that_is_none_is_named_and_the_call_counts(usage: object, caplog: pytest.LogCaptureFixture) -> None:
    """One line says what was found; the call counts once, and as unpriced."""
    record_call(usage=usage, cost=None)
    assert value("openai_unpriced_calls_total", model="gpt-6-sol") == 1
    assert value("openai_api_duration_seconds_count", model="gpt-6-sol", endpoint="chat.completions") == 1
    (message,) = caplog.messages
    assert message.startswith("a call is counted without its price: usage: ")
    assert len(message) < 400


@pytest.mark.parametrize("cost", [0.02, "0.02", Decimal("0.02"), True])
def test_a_cost_that_is_none_is_named_and_the_call_is_unpriced(cost: object, caplog: pytest.LogCaptureFixture) -> None:
    """Money that is not in whole nano-dollars is never guessed at."""
    record_call(cost=cost)
    assert value("openai_unpriced_calls_total", model="gpt-6-sol") == 1
    assert value("openai_cost_usd_count", model="gpt-6-sol", intent="analysis") == -1
    assert f"its cost is a {type(cost).__name__}; expected a Cost" in caplog.text


def test_a_cost_below_0_is_named_and_the_call_is_unpriced(caplog: pytest.LogCaptureFixture) -> None:
    """A difference of two costs is no cost of a call."""
    record_call(cost=Cost(-5))
    assert value("openai_unpriced_calls_total", model="gpt-6-sol") == 1
    assert value("openai_cost_usd_count", model="gpt-6-sol", intent="analysis") == -1
    assert "openai_cost_usd: -5e-09 was left out" in caplog.text


def test_amounts_of_any_kind_of_number_are_taken() -> None:
    """A Decimal cannot be added to a float, and a fraction is no float: both are amounts all the same."""
    record_call(duration=Decimal("1.5"), time_to_first_token=Fraction(1, 4), retries=Decimal(2), stream=True)
    record_call(duration=1, retries=True)
    assert value("openai_api_duration_seconds_sum", model="gpt-6-sol", endpoint="chat.completions") == 2.5
    assert value("openai_time_to_first_token_seconds_sum", model="gpt-6-sol") == 0.25
    assert value("openai_retries_total", model="gpt-6-sol") == 3
    assert round(value("openai_total_cost_usd_total", model="gpt-6-sol") * 10**9) == 2 * COST.nanodollars


def test_a_call_is_recorded_again_after_its_series_were_removed() -> None:
    """Whatever was remembered of them, what comes after a removal is shown, and begins at 0."""
    family: Any = catalogue.OPENAI_TOTAL_COST_USD
    for name, arguments in (("remove", ("gpt-6-sol",)), ("remove_by_labels", ({"model": "gpt-6-sol"},)), ("clear", ())):
        record_call()
        record_call()
        getattr(family, name)(*arguments)
        record_call()
        assert round(value("openai_total_cost_usd_total", model="gpt-6-sol") * 10**9) == COST.nanodollars
        catalogue.OPENAI_TOTAL_COST_USD.clear()


def test_the_announced_end_is_shown_again_after_it_was_removed() -> None:
    """What was remembered of the gauge is forgotten with its series."""
    for name, arguments in (("remove", ("gpt-5",)), ("remove_by_labels", ({"model": "gpt-5"},)), ("clear", ())):
        record_call(model="gpt-5")
        getattr(catalogue.OPENAI_MODEL_SHUTDOWN_TIMESTAMP, name)(*arguments)
        assert value("openai_model_shutdown_timestamp_seconds", model="gpt-5") == -1
        record_call(model="gpt-5")
        assert value("openai_model_shutdown_timestamp_seconds", model="gpt-5") == 1_796_947_200


def test_what_was_admitted_before_the_sets_were_closed_is_other_after(monkeypatch: pytest.MonkeyPatch) -> None:
    """Series that are remembered of a model or an intent are not found any more once `configure` left it out."""
    own = fresh_vocabulary(monkeypatch)
    record_call()
    own.configure(models=["gpt-5"])
    record_call()
    own.configure(intents=["chat"])
    record_call()
    kinds = (("gpt-6-sol", "analysis"), ("other", "analysis"), ("other", "other"))
    same = {"endpoint": "chat.completions", "stream": "false"}
    assert [value("openai_api_calls_total", model=m, intent=i, **same) for m, i in kinds] == [1, 1, 1]


def test_a_call_without_a_price_is_never_silently_free() -> None:
    """Usage without cost counts as unpriced, and leaves the cost families alone."""
    record_call(cost=None)
    assert value("openai_unpriced_calls_total", model="gpt-6-sol") == 1
    assert value("openai_tokens_per_call_count", model="gpt-6-sol", intent="analysis") == 1
    assert value("openai_cost_usd_count", model="gpt-6-sol", intent="analysis") == -1


def test_a_call_that_costs_nothing_is_priced() -> None:
    """A price of 0 is a price."""
    record_call(cost=Cost(0))
    assert value("openai_unpriced_calls_total", model="gpt-6-sol") == 0
    assert value("openai_cost_usd_count", model="gpt-6-sol", intent="analysis") == 1


def test_streams_retries_and_aborts() -> None:
    """A stream has a time to its first token; retries are added; an abort says where its usage is from."""
    record_call(stream=True, time_to_first_token=0.25, retries=2, aborted="estimated")
    labels = {"model": "gpt-6-sol", "intent": "analysis"}
    assert value("openai_api_calls_total", endpoint="chat.completions", stream="true", **labels) == 1
    assert value("openai_time_to_first_token_seconds_sum", model="gpt-6-sol") == 0.25
    assert value("openai_retries_total", model="gpt-6-sol") == 2
    assert value("openai_stream_aborts_total", model="gpt-6-sol", usage="estimated") == 1


def test_a_plain_call_has_no_first_token_and_no_abort() -> None:
    """What did not happen leaves no series, but retries exist at 0 from the first call."""
    record_call()
    assert value("openai_time_to_first_token_seconds_count", model="gpt-6-sol") == -1
    assert value("openai_stream_aborts_total", model="gpt-6-sol", usage="reported") == -1
    assert value("openai_retries_total", model="gpt-6-sol") == 0


def test_the_announced_end_of_a_model_shows_once_it_is_used() -> None:
    """2026-12-11T00:00:00Z for gpt-5, nothing for a model without an announced end."""
    record_call(model="gpt-5")
    record_call(model="gpt-6-sol")
    assert value("openai_model_shutdown_timestamp_seconds", model="gpt-5") == 1_796_947_200
    assert value("openai_model_shutdown_timestamp_seconds", model="gpt-6-sol") == -1


def test_the_announced_end_is_stated_again_after_a_while_and_by_a_forked_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by each call, but by one of each second, as somebody may have removed it; and by a child's first call."""
    now = 1_000.0
    monkeypatch.setattr(series, "monotonic", lambda: now)
    gauge = catalogue.OPENAI_MODEL_SHUTDOWN_TIMESTAMP
    stated = []
    for pause in (0.0, 0.5, 1.0):
        now += pause
        record_call(model="gpt-5")
        stated.append(value("openai_model_shutdown_timestamp_seconds", model="gpt-5"))
        gauge.labels("gpt-5").set(7)
    assert stated == [1_796_947_200, 7, 1_796_947_200]
    read, write = os.pipe()
    child = os.fork()
    if not child:
        record_call(model="gpt-5")
        os.write(write, str(value("openai_model_shutdown_timestamp_seconds", model="gpt-5")).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 100) == b"1796947200.0"
    for end in (read, write):
        os.close(end)


def test_nano_dollars_survive_the_metric() -> None:
    """The float that a money metric is given leads back to the same whole number of nano-dollars."""
    digits = random.Random(7)
    for nanodollars in (0, 1, 3, 10**9, *(digits.randrange(2 * 10**15) for _ in range(20_000))):
        assert round(Cost(nanodollars).usd * 10**9) == nanodollars


def test_calls_outside_the_closed_sets_become_other() -> None:
    """No text that a caller passes in becomes a label."""
    record_call(endpoint="/v1/chat/completions?key=sk-1", intent="my secret plan", model="a model of mine")
    labels = {"model": "other", "endpoint": "other", "intent": "other", "stream": "false"}
    assert value("openai_api_calls_total", **labels) == 1


def test_errors_are_counted_by_type_and_endpoint() -> None:
    """An exception's class is a type, its text is not."""
    llm.record_error("ValueError", "/ask")
    llm.record_error("could not parse 'my secret'", "/ask")
    assert value("errors_total", type="ValueError", endpoint="/ask") == 1
    assert value("errors_total", type="other", endpoint="/ask") == 1


def test_errors_of_the_sdk_are_counted_by_exception_class() -> None:
    """The SDK's classes are kept, any other becomes other."""
    llm.record_openai_error("gpt-6-sol", "RateLimitError")
    llm.record_openai_error("gpt-6-sol", "KeyError")
    assert value("openai_errors_total", model="gpt-6-sol", type="RateLimitError") == 1
    assert value("openai_errors_total", model="gpt-6-sol", type="other") == 1


def test_tools_are_counted_and_timed() -> None:
    """One execution is one increment and one observation."""
    llm.record_tool_execution("get_price", "timeout", 30.0)
    assert value("tool_executions_total", tool_name="get_price", status="timeout") == 1
    assert value("tool_execution_duration_seconds_sum", tool_name="get_price") == 30


@pytest.mark.parametrize("amount", [-1.0, math.nan, math.inf, -math.inf])
def test_amounts_that_are_none_are_left_out_and_logged_once(amount: float, caplog: pytest.LogCaptureFixture) -> None:
    """The event counts, the amount does not, the caller sees no exception, the log one line a metric."""
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            record_call(duration=amount, time_to_first_token=amount, retries=amount)
            llm.record_tool_execution("get_price", "success", amount)
            llm.record_model_routing_duration("chat", amount)
            llm.record_cost_savings("chat", amount, source="prompt_cache")
            llm.update_cache_metrics(amount, amount, amount)  # type: ignore[arg-type]
    named = [str(record.args[0]) for record in caplog.records if isinstance(record.args, tuple)]
    assert sorted(named) == [
        "cost_savings_usd",
        "model_routing_duration_seconds",
        "openai_api_duration_seconds",
        "openai_retries_total",
        "openai_time_to_first_token_seconds",
        "prompt_cache_evictions_total",
        "prompt_cache_hit_rate",
        "prompt_cache_size",
        "tool_execution_duration_seconds",
    ]
    labels = {"model": "gpt-6-sol", "intent": "analysis", "endpoint": "chat.completions", "stream": "false"}
    assert value("openai_api_calls_total", **labels) == 2
    assert value("openai_api_duration_seconds_count", model="gpt-6-sol", endpoint="chat.completions") <= 0
    assert value("tool_executions_total", tool_name="get_price", status="success") == 2


def test_savings_that_are_no_number_are_left_out() -> None:
    """Neither counter of routing takes infinity or NaN."""
    for amount in (math.nan, math.inf, -math.inf):
        llm.record_cost_savings("chat", amount)
    assert value("cost_savings_usd_total", intent="chat", source="routing") <= 0
    assert value("routing_extra_cost_usd_total", intent="chat") <= 0


def test_a_wrong_call_is_a_type_error() -> None:
    """Missing and positional arguments of a call are mistakes of the program, and show at once."""
    with pytest.raises(TypeError):
        llm.record_openai_call("gpt-6-sol", "responses", "chat", duration=1.0)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        llm.record_openai_call(model="gpt-6-sol", endpoint="responses", intent="chat")  # type: ignore[call-arg]


def test_a_doubtful_usage_counts_as_far_as_it_is_certain(caplog: pytest.LogCaptureFixture) -> None:
    """Its certain tokens and its total count, the call has no price, and each shape is told once, whatever it holds."""
    prices = Unpriced("usage", "x", "x")
    for tokens in (4, 5, 6):
        stated = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12, "video_tokens": 0}
        found = read_usage({**stated, "prompt_tokens_details": {"video_tokens": tokens}})
        record_call(usage=found, cost=prices)
    assert value("openai_unpriced_calls_total", model="gpt-6-sol") == 3
    assert value("openai_tokens_used_sum", model="gpt-6-sol", intent="analysis", type="completion") == 9
    assert value("openai_tokens_used_sum", model="gpt-6-sol", intent="analysis", type="prompt") == -1
    assert value("openai_tokens_per_call_sum", model="gpt-6-sol", intent="analysis") == 36
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(
        "a call is counted without its price: usage: 'video_tokens' is 4, a kind of tokens that is not"
    )
    assert "(the usage has completion_tokens, prompt_tokens, prompt_tokens_details, total_tokens, video_tokens)" in line


def test_why_a_call_has_no_price_is_told_once_for_each_kind(caplog: pytest.LogCaptureFixture) -> None:
    """Two tiers are two lines, however many calls there are; a usage that nobody stated counts as unpriced too."""
    for _ in range(3):
        record_call(cost=Unpriced("tier", "scale", "the tier is 'scale'"))
        record_call(cost=Unpriced("tier", "auto", "the tier is 'auto'"))
        record_call(usage=None, cost=Unpriced("usage", "none", "the answer states no usage"))
    assert len(caplog.records) == 3
    assert value("openai_unpriced_calls_total", model="gpt-6-sol") == 9
    assert value("openai_total_cost_usd_total", model="gpt-6-sol") == -1


def test_the_log_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """What callers send decides how many kinds there are: after 256 lines, one more says that it is enough."""
    for number in range(1_000):
        record_call(cost=Unpriced("model", f"gpt-{number}", "no price"))
    assert len(caplog.records) == 257
    assert value("openai_unpriced_calls_total", model="gpt-6-sol") == 1_000


def test_audio_and_images_are_types_of_their_own() -> None:
    """They have series where an answer states such tokens, and the types still add up to the total."""
    record_call(usage=Usage(prompt=10, audio_in=4, completion=8, image_out=5))
    for kind, tokens in {"prompt": 6, "audio_in": 4, "completion": 3, "image_out": 5}.items():
        assert value("openai_tokens_used_sum", model="gpt-6-sol", intent="analysis", type=kind) == tokens
    assert value("openai_tokens_used_sum", model="gpt-6-sol", intent="analysis", type="audio_out") == -1


def test_embeddings_have_no_reasoning() -> None:
    """A call that has no such types makes no series of them."""
    record_call(model="text-embedding-3-small", endpoint="embeddings", usage=Usage(prompt=7), cost=Cost(140))
    labels = {"model": "text-embedding-3-small", "intent": "analysis"}
    assert value("openai_tokens_used_sum", type="prompt", **labels) == 7
    assert value("openai_tokens_used_sum", type="completion", **labels) == 0
    for kind in ("reasoning", "cached", "cache_write"):
        assert value("openai_tokens_used_sum", type=kind, **labels) == -1


def test_a_misspelt_value_of_a_fixed_set_is_told_once_for_each_label(caplog: pytest.LogCaptureFixture) -> None:
    """The line names the label and what it may be, and never the value, which may be anybody's text."""
    with caplog.at_level(logging.WARNING, "fleetmeter"):
        for _ in range(3):
            record_call(endpoint="chat.completion sk-secret")
            llm.record_cache_operation("fetch", "hit")
            llm.record_cache_operation("get", "hitt")
            llm.record_tool_execution("get_price", "ok", 1)
            record_call(endpoint="other")
    assert value("openai_api_calls_total", model="gpt-6-sol", endpoint="other", intent="analysis", stream="false") == 6
    assert [message.partition(" is unknown")[0] for message in caplog.messages] == [
        "a value of endpoint of OpenAI calls",
        "a value of operation of the prompt cache",
        "a value of result of the prompt cache's get",
        "a value of status of tools",
    ]
    assert "expected one of: chat.completions, responses" in caplog.messages[0]
    assert "secret" not in caplog.text


@pytest.mark.parametrize("duration", ["5", None, Decimal("NaN"), -(10**400)], ids=["text", "none", "nan", "large"])
def test_a_duration_that_is_no_number_is_left_out(duration: object, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is raised, the call counts, and the line stays short."""
    record_call(duration=duration)
    assert value("openai_api_duration_seconds_count", model="gpt-6-sol", endpoint="chat.completions") in (-1, 0)
    assert value("openai_total_cost_usd_total", model="gpt-6-sol") == COST.usd
    (message,) = caplog.messages
    assert len(message) < 250
