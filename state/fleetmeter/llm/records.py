"""The record helpers: one function for each thing that happens to an LLM service.

They never raise for what they are given: a label value that is not admitted becomes `other`, and an amount
that is no finite number of 0 or more is left out and logged once for each metric. Only a call with missing
or unknown arguments is a `TypeError`, as always.
"""

import logging
from math import inf
from typing import TYPE_CHECKING

from fleetmeter.excerpt import quoted
from fleetmeter.keywords import names_its_arguments
from fleetmeter.llm import catalogue
from fleetmeter.llm.vocabulary import (
    ABORT_USAGES,
    API_ENDPOINTS,
    CACHE_RESULTS,
    FALLBACK_REASONS,
    OPENAI_ERROR_TYPES,
    OTHER,
    SAVINGS_SOURCES,
    TOOL_STATUSES,
    VOCABULARY,
    member,
)
from fleetmeter.pricing.doubt import Doubt, Unpriced, tell_once
from fleetmeter.pricing.shutdowns import shutdown_timestamp
from fleetmeter.process.transaction import atomic

if TYPE_CHECKING:
    from fleetmeter.pricing import Cost
    from fleetmeter.pricing.usage import Usage

_log = logging.getLogger(__name__)
_complained: set[str] = set()
_TYPES_OF_EMBEDDINGS = ("prompt", "completion")
"""Embeddings have no series of the other types unless such tokens come."""


def record_model_selection(intent: str, model: str, tier: str) -> None:
    """The router chose a model."""
    catalogue.MODEL_SELECTIONS.labels(
        VOCABULARY.intents.admit(intent), VOCABULARY.model(model), VOCABULARY.tiers.admit(tier)
    ).inc()


def record_model_fallback(intent: str, reason: str) -> None:
    """The router went on to the next model of a chain; `reason` is one of `FALLBACK_REASONS`."""
    catalogue.MODEL_FALLBACKS.labels(
        VOCABULARY.intents.admit(intent), member(reason, FALLBACK_REASONS, "reason of fallbacks")
    ).inc()


def record_model_routing_duration(intent: str, seconds: float) -> None:
    """Choosing a model took this long."""
    if _usable("model_routing_duration_seconds", seconds):
        catalogue.MODEL_ROUTING_DURATION.labels(VOCABULARY.intents.admit(intent)).observe(seconds)


def record_cache_operation(operation: str, result: str) -> None:
    """The prompt cache was asked; the operations and their results are in `CACHE_RESULTS`."""
    operation = member(operation, CACHE_RESULTS, "operation of the prompt cache")
    results = CACHE_RESULTS.get(operation)
    result = OTHER if results is None else member(result, results, f"result of the prompt cache's {operation}")
    catalogue.PROMPT_CACHE_OPERATIONS.labels(operation, result).inc()


def update_cache_metrics(size: int, hit_rate: float, evictions: int) -> None:
    """The state of a cache that the service keeps itself.

    `size` is the entries now, `hit_rate` hits / gets from 0 to 1, `evictions` the entries that were evicted
    for lack of room since the last call: a difference, not a total.
    """
    with atomic():
        if _usable("prompt_cache_size", size):
            catalogue.PROMPT_CACHE_SIZE.set(size)
        if _usable("prompt_cache_hit_rate", hit_rate, most=1.0):
            catalogue.PROMPT_CACHE_HIT_RATE.set(hit_rate)
        if _usable("prompt_cache_evictions_total", evictions):
            catalogue.PROMPT_CACHE_EVICTIONS.labels("capacity").inc(evictions)


def record_cost_savings(intent: str, savings_usd: float, source: str = "routing") -> None:
    """Money that was not spent, in US dollars; `source` is `routing` or `prompt_cache`.

    Savings of routing may be below 0, where a dearer model than the baseline was chosen: they are counted in
    `routing_extra_cost_usd`, because a counter cannot fall.
    """
    intent = VOCABULARY.intents.admit(intent)
    source = member(source, SAVINGS_SOURCES, "source of savings")
    if source == "routing" and savings_usd < 0:
        if _usable("routing_extra_cost_usd", -savings_usd):
            catalogue.ROUTING_EXTRA_COST_USD.labels(intent).inc(-savings_usd)
    elif _usable("cost_savings_usd", savings_usd):
        catalogue.COST_SAVINGS_USD.labels(intent, source).inc(savings_usd)


@names_its_arguments
def record_openai_call(
    *,
    model: str,
    endpoint: str,
    intent: str,
    stream: bool = False,
    duration: float,
    usage: "Usage | Doubt | None" = None,
    cost: "Cost | Unpriced | None" = None,
    retries: int = 0,
    time_to_first_token: float | None = None,
    aborted: str | None = None,
) -> None:
    """One call of the SDK with its final outcome, in one atomic record.

    `model` is the model that answered, or the one asked if none answered; `endpoint` one of
    `API_ENDPOINTS`; `duration` and `time_to_first_token` are seconds; `retries` are those inside the SDK.
    An unanswered call has neither usage nor cost. A call with usage and without cost counts as unpriced, and so does
    one whose cost is `Unpriced`; why is logged once for each kind. Of a `Doubt`, the certain tokens count.
    `aborted` is for streams that were left before their end: `reported` or `estimated`, which is where
    their usage is from.
    """
    model = VOCABULARY.model(model)
    intent = VOCABULARY.intents.admit(intent)
    endpoint = member(endpoint, API_ENDPOINTS, "endpoint of OpenAI calls")
    with atomic():
        catalogue.OPENAI_API_CALLS.labels(model, endpoint, intent, "true" if stream else "false").inc()
        if _usable("openai_api_duration_seconds", duration):
            catalogue.OPENAI_API_DURATION.labels(model, endpoint).observe(duration)
        if time_to_first_token is not None and _usable("openai_time_to_first_token_seconds", time_to_first_token):
            catalogue.OPENAI_TIME_TO_FIRST_TOKEN.labels(model).observe(time_to_first_token)
        retried = catalogue.OPENAI_RETRIES.labels(model)  # exists at 0 from the model's first call
        if _usable("openai_retries_total", retries):
            retried.inc(retries)
        if aborted is not None:
            catalogue.OPENAI_STREAM_ABORTS.labels(model, member(aborted, ABORT_USAGES, "usage of stream aborts")).inc()
        _record_tokens(model, intent, endpoint, usage)
        _record_cost(model, intent, usage, cost)
        end = shutdown_timestamp(model)
        if end is not None:
            catalogue.OPENAI_MODEL_SHUTDOWN_TIMESTAMP.labels(model).set(end)


def _record_tokens(model: str, intent: str, endpoint: str, usage: "Usage | Doubt | None") -> None:
    if usage is None:
        return
    for token_type, tokens in usage.disjoint().items():
        if tokens or token_type in _TYPES_OF_EMBEDDINGS or endpoint != "embeddings":
            catalogue.OPENAI_TOKENS_USED.labels(model, intent, token_type).observe(tokens)
    if usage.total is not None:
        catalogue.OPENAI_TOKENS_PER_CALL.labels(model, intent).observe(usage.total)


def _record_cost(model: str, intent: str, usage: "Usage | Doubt | None", cost: "Cost | Unpriced | None") -> None:
    unpriced = catalogue.OPENAI_UNPRICED_CALLS.labels(model)  # exists at 0 from the model's first call
    for problem in (usage, cost):
        if isinstance(problem, Doubt | Unpriced):
            tell_once(problem)
            break
    if cost is None or isinstance(cost, Unpriced):
        if usage is not None or cost is not None:
            unpriced.inc()
    elif _usable("openai_cost_usd", cost.usd):
        catalogue.OPENAI_COST_USD.labels(model, intent).observe(cost.usd)
        catalogue.OPENAI_TOTAL_COST_USD.labels(model).inc(cost.usd)


def record_error(error_type: str, endpoint: str) -> None:
    """The service ended a request in an error.

    `error_type` is a name such as an exception's class, never its text; `endpoint` is a route's template.
    """
    error_type = VOCABULARY.error_types.admit(error_type)
    catalogue.ERRORS.labels(error_type, VOCABULARY.endpoints.admit(endpoint)).inc()


def record_openai_error(model: str, error_type: str) -> None:
    """A call ended in an error; `error_type` is the SDK's exception class (`OPENAI_ERROR_TYPES`)."""
    catalogue.OPENAI_ERRORS.labels(
        VOCABULARY.model(model), member(error_type, OPENAI_ERROR_TYPES, "type of OpenAI errors")
    ).inc()


def record_tool_execution(tool_name: str, status: str, seconds: float) -> None:
    """A tool was run for this many seconds; `status` is one of `TOOL_STATUSES`."""
    tool_name = VOCABULARY.tools.admit(tool_name)
    with atomic():
        catalogue.TOOL_EXECUTIONS.labels(tool_name, member(status, TOOL_STATUSES, "status of tools")).inc()
        if _usable("tool_execution_duration_seconds", seconds):
            catalogue.TOOL_EXECUTION_DURATION.labels(tool_name).observe(seconds)


def _usable(metric: str, amount: float, most: float = inf) -> bool:
    """Whether an amount is finite, 0 or more, and not above `most`; complains once for each metric."""
    try:
        if 0 <= amount <= most and amount != inf:
            return True
    except (TypeError, ArithmeticError):  # no number, or a Decimal NaN, which cannot be compared
        pass
    if metric not in _complained:
        _complained.add(metric)
        _log.warning(
            "%s: %s was left out; expected a finite number from 0 to %g. Further ones are left out silently",
            metric,
            quoted(amount),
            most,
        )
    return False
