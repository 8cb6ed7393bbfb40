"""The record helpers: one function for each thing that happens to an LLM service; `calls.py` has those for calls.

They never raise for what they are given: a label value that is not admitted becomes `other`, and an amount
that is no finite number of 0 or more is left out and logged once for each metric. Only a call with missing
or unknown arguments is a `TypeError`, as always.
"""

from fleetmeter.llm import catalogue
from fleetmeter.llm.amounts import usable
from fleetmeter.llm.vocabulary import (
    CACHE_RESULTS,
    FALLBACK_REASONS,
    OPENAI_ERROR_TYPES,
    OTHER,
    SAVINGS_SOURCES,
    TOOL_STATUSES,
    VOCABULARY,
    member,
)
from fleetmeter.process.transaction import atomic


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
    if usable("model_routing_duration_seconds", seconds):
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
        if usable("prompt_cache_size", size):
            catalogue.PROMPT_CACHE_SIZE.set(size)
        if usable("prompt_cache_hit_rate", hit_rate, most=1.0):
            catalogue.PROMPT_CACHE_HIT_RATE.set(hit_rate)
        if usable("prompt_cache_evictions_total", evictions):
            catalogue.PROMPT_CACHE_EVICTIONS.labels("capacity").inc(evictions)


def record_cost_savings(intent: str, savings_usd: float, source: str = "routing") -> None:
    """Money that was not spent, in US dollars; `source` is `routing` or `prompt_cache`.

    Savings of routing may be below 0, where a dearer model than the baseline was chosen: they are counted in
    `routing_extra_cost_usd`, because a counter cannot fall.
    """
    intent = VOCABULARY.intents.admit(intent)
    source = member(source, SAVINGS_SOURCES, "source of savings")
    if source == "routing" and savings_usd < 0:
        if usable("routing_extra_cost_usd", -savings_usd):
            catalogue.ROUTING_EXTRA_COST_USD.labels(intent).inc(-savings_usd)
    elif usable("cost_savings_usd", savings_usd):
        catalogue.COST_SAVINGS_USD.labels(intent, source).inc(savings_usd)


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
        if usable("tool_execution_duration_seconds", seconds):
            catalogue.TOOL_EXECUTION_DURATION.labels(tool_name).observe(seconds)
