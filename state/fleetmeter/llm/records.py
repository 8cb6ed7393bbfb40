"""The record helpers: one function for each thing that happens to an LLM service.

They never raise for what they are given: a label value that is not admitted becomes `other`, and an amount
that is no finite number of 0 or more is left out and logged once for each metric. Only a call with missing
or unknown arguments is a `TypeError`, as always.
"""

import logging
from math import nan
from typing import Any, Final

from fleetmeter.attribution.context import Attributes, current_attributes
from fleetmeter.excerpt import quoted
from fleetmeter.keywords import names_its_arguments
from fleetmeter.llm import catalogue
from fleetmeter.llm.outcomes import error_type_of, retries_of
from fleetmeter.llm.series import SERIES, CallKind, CallSeries
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
from fleetmeter.pricing.cost import Cost
from fleetmeter.pricing.doubt import NO_USAGE, Doubt, Unpriced, tell_once
from fleetmeter.pricing.shutdowns import shutdown_timestamp
from fleetmeter.pricing.usage import Usage, read_usage
from fleetmeter.process.transaction import Addition, add_together, atomic


class _NoAnswer:
    """The usage of a call that was not answered: nobody could tell one."""

    def __repr__(self) -> str:
        return "NO_ANSWER"


NO_ANSWER: Final = _NoAnswer()
_log = logging.getLogger(__name__)
_complained: set[str] = set()
_MOST = 1e18
"""Above this nothing here is an amount that anybody has measured, in whatever unit."""
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
    intent: str | None = None,
    stream: bool = False,
    duration: float,
    usage: object = NO_ANSWER,
    cost: Cost | Unpriced | None = None,
    retries: int | None = None,
    time_to_first_token: float | None = None,
    aborted: str | None = None,
    error: BaseException | str | None = None,
    saving: Cost | None = None,
) -> None:
    """One call of the SDK with its final outcome, in one atomic record.

    `model` is the model that answered, or the one asked if none answered; `endpoint` one of `API_ENDPOINTS`; `intent`
    is that of `attributes()` if it is not given. `duration` and `time_to_first_token` are seconds.

    Leave `usage` out for a call that was not answered. None says that it was answered, and told no usage: what it cost
    is unknown, and it counts as unpriced. Anything else is a usage, or what `read_usage` reads; of a `Doubt`, the
    certain tokens count. An answered call whose `cost` is left out or `Unpriced` counts as unpriced, too; why is logged
    once for each kind.

    `error` is the exception that the call ended in, or the name of its class (`OPENAI_ERROR_TYPES`). A call that was
    cancelled is no error. `retries` are those inside the SDK; if they are left out, the error's request tells them.
    `aborted` is for streams that were left before their end, and says where their usage is from: `reported`,
    `estimated` or `unknown`. `saving` is what routing saved, as `PriceList.saving` gives it; below 0 it is extra cost.
    """
    attributes = current_attributes()
    seconds: Any = duration
    failure = error_type_of(error) if isinstance(error, BaseException) else error
    record_outcome(
        attributes,
        model=model,
        endpoint=endpoint,
        intent=attributes.intent if intent is None else intent,
        stream=bool(stream),
        duration=nan if seconds is None else seconds,  # None would say that nobody has timed it
        usage=usage if usage is NO_ANSWER else _as_usage(usage, endpoint),
        cost=cost,
        retries=retries_of(error) if retries is None else retries,
        time_to_first_token=time_to_first_token,
        aborted=aborted,
        error=failure,
        saving=saving,
    )


def record_outcome(
    attributes: Attributes,
    *,
    model: str,
    endpoint: str,
    intent: str,
    stream: bool,
    duration: float | None,
    usage: Any,
    cost: Cost | Unpriced | None,
    retries: int,
    time_to_first_token: float | None,
    aborted: str | None,
    error: str | None,
    saving: Cost | None = None,
) -> None:
    """What `record_openai_call` records, for values in force that the caller names; `saving` is that of routing.

    `usage` is a `Usage`, a `Doubt`, None or `NO_ANSWER`. A call that nobody has timed has the duration None.
    """
    kind = CallKind(
        VOCABULARY.model(model),
        member(endpoint, API_ENDPOINTS, "endpoint of OpenAI calls"),
        VOCABULARY.intents.admit(intent),
        stream,
    )
    series = SERIES.find(kind, attributes)
    additions: list[Addition] = [(series.calls.inc, 1)]
    if duration is not None and _usable("openai_api_duration_seconds", duration):
        additions.append((series.duration.observe, _number(duration)))
    if time_to_first_token is not None and _usable("openai_time_to_first_token_seconds", time_to_first_token):
        additions.append((series.first_token.observe, _number(time_to_first_token)))
    if retries and _usable("openai_retries_total", retries):
        additions.append((series.retries.inc, _number(retries)))
    if aborted is not None:
        additions.append((series.aborts(member(aborted, ABORT_USAGES, "usage of stream aborts")).inc, 1))
    if error is not None:
        additions.append((series.errors(member(error, OPENAI_ERROR_TYPES, "type of OpenAI errors")).inc, 1))
    if usage is not None and usage is not NO_ANSWER:
        _add_tokens(additions, series, usage, is_embedding=kind.endpoint == "embeddings")
    _add_cost(additions, series, usage, cost)
    if isinstance(saving, Cost):
        savings = series.saved if saving.nanodollars >= 0 else series.extra
        additions.append((savings.inc, abs(saving.usd)))
    end = shutdown_timestamp(kind.model)
    if end is not None:
        additions.append((catalogue.OPENAI_MODEL_SHUTDOWN_TIMESTAMP.labels(kind.model).set, end))
    add_together(additions)


def _number(amount: float) -> float:
    """A usable amount as a number that can be added to any other: a Decimal cannot be added to a float."""
    return amount if type(amount) is float or type(amount) is int else float(amount)


def _as_usage(usage: object, endpoint: str) -> Usage | Doubt | None:
    return usage if usage is None or isinstance(usage, Usage | Doubt) else read_usage(usage, endpoint=endpoint)


def _add_tokens(additions: list[Addition], series: CallSeries, usage: Usage | Doubt, *, is_embedding: bool) -> None:
    for token_type, tokens in usage.disjoint().items():
        if tokens or not is_embedding or token_type in _TYPES_OF_EMBEDDINGS:
            additions.append((series.tokens(token_type).observe, tokens))
    if usage.total is not None:
        additions.append((series.tokens_per_call.observe, usage.total))


def _add_cost(additions: list[Addition], series: CallSeries, usage: Any, cost: Any) -> None:
    if isinstance(cost, Cost) and _usable("openai_cost_usd", cost.usd):
        additions.append((series.cost.observe, cost.usd))
        additions.append((series.total_cost.inc, cost.usd))
        return
    if cost is None and usage is NO_ANSWER:
        return
    additions.append((series.unpriced.inc, 1))
    if isinstance(usage, Doubt):
        tell_once(usage)
    elif isinstance(cost, Unpriced):
        tell_once(cost)
    elif cost is not None and not isinstance(cost, Cost):
        kind = type(cost).__name__
        tell_once(Unpriced("cost", kind, f"its cost is a {kind}; expected a Cost, as PriceList.price() gives it"))
    elif usage is None:
        tell_once(NO_USAGE)


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


def _usable(metric: str, amount: float, most: float = _MOST) -> bool:
    """Whether an amount is a number of 0 or more, and not above `most`; complains once for each metric."""
    try:
        if 0 <= amount <= most:
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
