"""The LLM catalogue: every family that the record helpers fill, declared once, in a registry of its own.

The objects are ordinary `prometheus_client` metrics. A registry of their own means that importing the
catalogue can never clash with another library's families. Label values come from
`fleetmeter.llm.vocabulary`. What `counter` and `histogram` make has the labels of the user's own, too
(`configure(labels=…)`); gauges state facts about models, which belong to nobody.
"""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Info

from fleetmeter.attribution.families import NotedGauge, counter, histogram
from fleetmeter.attribution.overflows import overflows
from fleetmeter.llm.buckets import (
    CALL_SECONDS,
    COST_USD,
    FIRST_TOKEN_SECONDS,
    ROUTING_SECONDS,
    TOKENS,
    TOOL_SECONDS,
)
from fleetmeter.llm.vocabulary import (
    CACHE_RESULTS,
    EVICTION_REASONS,
    FALLBACK_REASONS,
    KEY_REJECTIONS,
    SAVINGS_SOURCES,
    TOOL_STATUSES,
)

REGISTRY = CollectorRegistry()

# The user's own labels

LABEL_OVERFLOWS = overflows()
REGISTRY.register(LABEL_OVERFLOWS)

# The service

SERVICE = Info("service", "Name and version of the running services, one series for each version.", registry=REGISTRY)

# Routing

MODEL_SELECTIONS = counter(
    "model_selections_total",
    "Requests for which the router chose a model, by intent, model and tier.",
    ["intent", "model", "tier"],
    registry=REGISTRY,
)
MODEL_FALLBACKS = counter(
    "model_fallbacks_total",
    "Times the router went on to the next model of a fallback chain, by intent and by the reason.",
    ["intent", "reason"],
    registry=REGISTRY,
)
MODEL_ROUTING_DURATION = histogram(
    "model_routing_duration_seconds",
    "Time that it took to choose a model, in seconds.",
    ["intent"],
    unit="seconds",
    buckets=ROUTING_SECONDS,
    registry=REGISTRY,
)
MODEL_CIRCUIT_STATE = Gauge(
    "model_circuit_state",
    "State of a model's circuit breaker: 0 closed (calls pass), 1 half-open (one tries), 2 open (none pass).",
    ["model"],
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)

MODEL_CIRCUIT_CHANGES = Counter(
    "model_circuit_changes_total",
    "Times a circuit breaker of one of the model's deployments went into a state: closed, half_open or open.",
    ["model", "state"],
    registry=REGISTRY,
)
MODEL_HEDGES = counter(
    "model_hedges_total",
    "Calls for which a second deployment of the model was asked because the first was slow, by which answered: first, "
    "second or none.",
    ["model", "answered"],
    registry=REGISTRY,
)

# Prompt cache

PROMPT_CACHE_OPERATIONS = Counter(
    "prompt_cache_operations_total",
    "Operations on the prompt cache, by operation and result; gets are the sum over the results of get.",
    ["operation", "result"],
    registry=REGISTRY,
)
PROMPT_CACHE_SIZE = Gauge(
    "prompt_cache_size",
    "Entries that are alive in the prompt cache now.",
    registry=REGISTRY,
    multiprocess_mode="max",
)
PROMPT_CACHE_HIT_RATE = Gauge(
    "prompt_cache_hit_rate",
    "Share of the prompt cache's gets that were hits, from 0 to 1, over its whole life.",
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
PROMPT_CACHE_EVICTIONS = Counter(
    "prompt_cache_evictions_total",
    "Entries that left the prompt cache, by reason: no room, too old, or removed on purpose.",
    ["reason"],
    registry=REGISTRY,
)

# Calls

OPENAI_API_CALLS = counter(
    "openai_api_calls_total",
    "Calls made through the SDK that came to an end, answered or not; retries inside the SDK not included.",
    ["model", "endpoint", "intent", "stream"],
    registry=REGISTRY,
)
OPENAI_API_DURATION = histogram(
    "openai_api_duration_seconds",
    "Time from the start of a call to its end, to the last chunk for streams, retries included, in seconds.",
    ["model", "endpoint"],
    unit="seconds",
    buckets=CALL_SECONDS,
    registry=REGISTRY,
)
OPENAI_TIME_TO_FIRST_TOKEN = histogram(
    "openai_time_to_first_token_seconds",
    "Time from the start of a streamed call to its first content, in seconds.",
    ["model"],
    unit="seconds",
    buckets=FIRST_TOKEN_SECONDS,
    registry=REGISTRY,
)
OPENAI_RETRIES = counter(
    "openai_retries_total",
    "Requests that the SDK sent again inside a call; calls plus retries are what the upstream saw.",
    ["model"],
    registry=REGISTRY,
)
OPENAI_STREAM_ABORTS = counter(
    "openai_stream_aborts_total",
    "Streams that were left before their end, by whether their usage was reported or had to be estimated.",
    ["model", "usage"],
    registry=REGISTRY,
)
OPENAI_MODEL_SHUTDOWN_TIMESTAMP = NotedGauge(
    "openai_model_shutdown_timestamp_seconds",
    "Announced end of a model that is in use, as a Unix time in seconds.",
    ["model"],
    unit="seconds",
    registry=REGISTRY,
    multiprocess_mode="max",
)

# Tokens

OPENAI_TOKENS_USED = histogram(
    "openai_tokens_used",
    "Tokens of an answered call by disjoint type (prompt not cached, cached, cache_write, completion without "
    "reasoning, reasoning, audio and image in and out where stated); the sum over the types is the call's total.",
    ["model", "intent", "type"],
    buckets=TOKENS,
    registry=REGISTRY,
)
OPENAI_TOKENS_PER_CALL = histogram(
    "openai_tokens_per_call",
    "Tokens of an answered call, all types together.",
    ["model", "intent"],
    buckets=TOKENS,
    registry=REGISTRY,
)

# Money

OPENAI_COST_USD = histogram(
    "openai_cost_usd",
    "Cost of an answered call in US dollars, rounded to the nano-dollar.",
    ["model", "intent"],
    unit="usd",
    buckets=COST_USD,
    registry=REGISTRY,
)
OPENAI_TOTAL_COST_USD = counter(
    "openai_total_cost_usd",
    "Cost of all answered calls in US dollars.",
    ["model"],
    unit="usd",
    registry=REGISTRY,
)
OPENAI_UNPRICED_CALLS = counter(
    "openai_unpriced_calls_total",
    "Answered calls whose price is not known; their cost is missing from every cost family.",
    ["model"],
    registry=REGISTRY,
)
COST_SAVINGS_USD = counter(
    "cost_savings_usd",
    "US dollars that were not spent, by source: routing below the baseline model, or prompt_cache.",
    ["intent", "source"],
    unit="usd",
    registry=REGISTRY,
)
ROUTING_EXTRA_COST_USD = counter(
    "routing_extra_cost_usd",
    "US dollars that were spent on top of the baseline model's price, where routing chose a dearer model.",
    ["intent"],
    unit="usd",
    registry=REGISTRY,
)
BUDGET_LIMIT_USD = Gauge(
    "budget_limit_usd",
    "Upper limit of a budget in US dollars, by its window.",
    ["budget", "window"],
    unit="usd",
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
BUDGET_SPENT_USD = Gauge(
    "budget_spent_usd",
    "US dollars that were spent from a budget in its present window.",
    ["budget", "window"],
    unit="usd",
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
BUDGET_REJECTIONS = Counter(
    "budget_rejections_total",
    "Calls that met a used-up budget, by what followed: reject, downgrade to another tier, or alert only.",
    ["budget", "action"],
    registry=REGISTRY,
)

# Callers

GATEWAY_KEY_REJECTIONS = Counter(
    "gateway_key_rejections_total",
    "Requests that the gateway refused for their API key, by reason.",
    ["reason"],
    registry=REGISTRY,
)

# Errors and tools

ERRORS = Counter(
    "errors_total",
    "Errors that the service answered or swallowed, by type and endpoint.",
    ["type", "endpoint"],
    registry=REGISTRY,
)
CLIENT_RETRIES = Counter(
    "client_retries_total",
    "Requests that a client's SDK sent again to this service, by endpoint.",
    ["endpoint"],
    registry=REGISTRY,
)
OPENAI_ERRORS = counter(
    "openai_errors_total",
    "Calls that ended in an error, by model and by the SDK's exception class.",
    ["model", "type"],
    registry=REGISTRY,
)
TOOL_EXECUTIONS = counter(
    "tool_executions_total",
    "Tools that were run for a model, by tool and outcome.",
    ["tool_name", "status"],
    registry=REGISTRY,
)
TOOL_EXECUTION_DURATION = histogram(
    "tool_execution_duration_seconds",
    "Time that a tool ran for, whatever its outcome, in seconds.",
    ["tool_name"],
    unit="seconds",
    buckets=TOOL_SECONDS,
    registry=REGISTRY,
)


def create_children(intents: Iterable[str] = (), tools: Iterable[str] = ()) -> None:
    """Make the series that can be foreseen exist at 0, so that a first event is an increase and not a birth.

    It is one if Prometheus has scraped the 0 before: the series reach the store with the process's first record.
    Those of fixed sets always; those that multiply with intents or tools for the ones that are given.
    """
    for operation, results in CACHE_RESULTS.items():
        for result in results:
            PROMPT_CACHE_OPERATIONS.labels(operation, result)
    for reason in EVICTION_REASONS:
        PROMPT_CACHE_EVICTIONS.labels(reason)
    for reason in KEY_REJECTIONS:
        GATEWAY_KEY_REJECTIONS.labels(reason)
    for intent in intents:
        ROUTING_EXTRA_COST_USD.labels(intent)
        for reason in FALLBACK_REASONS:
            MODEL_FALLBACKS.labels(intent, reason)
        for source in SAVINGS_SOURCES:
            COST_SAVINGS_USD.labels(intent, source)
    for tool in tools:
        for status in TOOL_STATUSES:
            TOOL_EXECUTIONS.labels(tool, status)


create_children()
