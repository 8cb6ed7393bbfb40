"""How fast and how reliably the fleet answers."""

from collections.abc import Sequence

from fleetmeter_dashboards import first_row
from fleetmeter_dashboards.cost import INTENT, MODEL, own
from fleetmeter_dashboards.families import declared
from fleetmeter_dashboards.page import Page
from fleetmeter_dashboards.panel import Panel, Target, Value, falling, quantiles, rising
from fleetmeter_dashboards.panels import dial, series, stat_of
from fleetmeter_dashboards.queries import Expression, Queries, ratio


def page(labels: Sequence[str] = ()) -> Page:
    """The dashboard; `labels` are those of the user's own."""
    queries = Queries("model", "intent", labels=labels, families=declared(labels))
    return Page(
        "fleetmeter-performance",
        "Fleetmeter / Performance",
        "Latency, throughput and errors of the whole fleet's requests, of the models behind it, of the prompt "
        "cache and tools.",
        (MODEL, INTENT, *own(labels)),
        (
            ("", _first_row(queries)),
            ("Requests", _requests(queries)),
            ("Models", _models(queries)),
            ("Prompt cache and routing", _cache(queries)),
            ("Errors", _errors(queries)),
            ("Tools", _tools(queries)),
        ),
    )


def _first_row(queries: Queries) -> list[Panel]:
    return [
        first_row.trust(queries),
        first_row.spend_now(queries),
        first_row.failing_requests(queries),
        first_row.failing_calls(queries),
        stat_of(
            "How slow are 5 of 100 requests?",
            "95 of 100 requests take less than this, to the last byte of the response. Orange from 5 s, red from 10 s.",
            queries.quantile(0.95, "http_request_duration_seconds"),
            Value(steps=rising(5, 10), none="no traffic"),
        ),
        stat_of(
            "How many requests are under way?",
            "Requests that living replicas are answering at this moment.",
            queries.amount("http_requests_in_progress"),
            Value(decimals=0),
        ),
    ]


def _requests(queries: Queries) -> list[Panel]:
    return [
        series(
            "How long do requests take?",
            "Half, 95 and 99 of 100 requests take at most this long, to the last byte. The line is the alert's 10 s.",
            quantiles(queries, "http_request_duration_seconds"),
            Value(low=0, steps=((None, "transparent"), (10, "red"))), colour="quantile", lines="dashed",
        ),
        series(
            "How many requests come in, and how are they answered?",
            "Requests per second by status code.",
            [Target(queries.rate("http_requests", "status"), "{{status}}")],
            Value(unit="reqps", low=0), colour="status", stack=True,
        ),
        series(
            "What share of requests fails over time?",
            "Answered with a status of 500 or above. The line is the alert's 5 %.",
            [Target(ratio(queries.rate("http_requests", status="~5.."), queries.rate("http_requests")), "failed")],
            Value(low=0, steps=((None, "transparent"), (0.05, "red"))), lines="dashed+area", width=8,
        ),
        series(
            "Which callers are turned away?",
            "Requests per second that were refused for their API key, by reason.",
            [Target(queries.rate("gateway_key_rejections", "reason"), "{{reason}}")],
            Value(unit="reqps", low=0, none="nobody was refused"), colour="reason", stack=True, width=8,
        ),
        series(
            "How large are requests and responses?",
            "95 of 100 bodies have at most this many bytes.",
            [
                Target(queries.quantile(0.95, "http_request_size_bytes"), "request"),
                Target(queries.quantile(0.95, "http_response_size_bytes"), "response"),
            ],
            Value(low=0), width=8,
        ),
    ]  # fmt: skip


def _models(queries: Queries) -> list[Panel]:
    latency = queries.quantile(0.95, "openai_api_duration_seconds", "model")
    return [
        series(
            "How long do models take?",
            "95 of 100 calls take at most this long, retries included; the ten models that are called most.",
            [Target(queries.top(latency, "openai_api_calls", "model"), "{{model}}")],
            Value(low=0), colour="model",
        ),
        series(
            "How long until the first token?",
            "Half, 95 and 99 of 100 streamed calls have their first content after at most this long.",
            quantiles(queries, "openai_time_to_first_token_seconds"),
            Value(low=0, none="no streamed calls"), colour="quantile",
        ),
        series(
            "How often is a request sent again?",
            "Requests per second: by model, those sent again inside a call, which the upstream saw as well; those that "
            "clients sent again to this service; and calls of a second deployment, because the first was slow.",
            [
                Target(queries.top(queries.rate("openai_retries", "model"), "openai_retries", "model"), "{{model}}"),
                Target(queries.rate("client_retries"), "by clients"),
                Target(queries.rate("model_hedges"), "second deployment"),
            ],
            Value(unit="reqps", low=0), colour="model", stack=True,
        ),
        series(
            "How often are streams left before their end?",
            "Streams per second, by whether their usage was reported or had to be estimated.",
            [Target(queries.rate("openai_stream_aborts", "usage"), "{{usage}}")],
            Value(unit="ops", low=0, none="no stream was left"), colour="usage", stack=True,
        ),
    ]  # fmt: skip


def _cache(queries: Queries) -> list[Panel]:
    gets = "prompt_cache_operations"
    return [
        dial(
            "What share of questions does the cache answer?",
            "Hits per get within the time shown. Red below 10 %, orange below 30 %: what is usual depends on the "
            "questions.",
            ratio(queries.increase(gets, operation="get", result="hit"), queries.increase(gets, operation="get")),
            Value(low=0, high=1, steps=falling(0.1, 0.3), decimals=0, none="no gets"),
        ),
        series(
            "Does the cache answer more or less than ever?",
            "Hits per get now, beside the share over the cache's whole life.",
            [
                Target(
                    ratio(queries.rate(gets, operation="get", result="hit"), queries.rate(gets, operation="get")), "now"
                ),
                Target(queries.value("prompt_cache_hit_rate"), "whole life"),
            ],
            Value(unit="percentunit", low=0, high=1, decimals=0), width=9,
        ),
        series(
            "How full is the cache?",
            "Entries that are alive in the store.",
            [Target(queries.amount("prompt_cache_size"), "entries")],
            Value(low=0, decimals=0), width=9,
        ),
        series(
            "Why do entries leave the cache?",
            "Entries per second, by reason.",
            [Target(queries.rate("prompt_cache_evictions", "reason"), "{{reason}}")],
            Value(unit="ops", low=0), colour="reason", stack=True,
        ),
        series(
            "How long does routing take?",
            "95 of 100 questions get their model within this time, by intent; the ten that are asked most.",
            [
                Target(
                    queries.top(
                        queries.quantile(0.95, "model_routing_duration_seconds", "intent"), "model_selections", "intent"
                    ),
                    "{{intent}}",
                )
            ],
            colour="intent", logarithmic=True,
        ),
    ]  # fmt: skip


def _errors(queries: Queries) -> list[Panel]:
    return [
        series(
            "Which errors does the service answer?",
            "Errors per second by type; for a service that records no types, the 5xx that HTTP counted.",
            _answered_errors(queries),
            Value(unit="ops", low=0), stack=True,
        ),
        series(
            "Which errors do models answer?",
            "Calls per second that ended in an error, by the SDK's exception class.",
            [Target(_types(queries, "openai_errors"), "{{type}}")],
            Value(unit="ops", low=0), colour="error", stack=True,
        ),
    ]  # fmt: skip


def _answered_errors(queries: Queries) -> list[Target]:
    """Errors by type, and if a service records none, what HTTP counted: never both, as they are the same events."""
    recorded = queries.rate("errors", "type")
    http = queries.or_zero(queries.rate("http_requests", "status", status="~5.."), "status")
    return [
        Target(queries.top(recorded, "errors", "type"), "{{type}}"),
        Target(queries.unless(http, recorded), "{{status}}"),
    ]


def _types(queries: Queries, family: str) -> Expression:
    return queries.or_zero(queries.top(queries.rate(family, "type"), family, "type"), "type")


def _tools(queries: Queries) -> list[Panel]:
    ends = queries.rate("tool_executions", "tool_name", "status")
    duration = queries.quantile(0.95, "tool_execution_duration_seconds", "tool_name")
    return [
        series(
            "How do tools end?",
            "Executions per second by tool and outcome.",
            [Target(queries.top(ends, "tool_executions", "tool_name", "status"), "{{tool_name}}, {{status}}")],
            Value(unit="ops", low=0, none="no tool was run"), stack=True,
        ),
        series(
            "How long do tools take?",
            "95 of 100 executions take at most this long, by tool.",
            [Target(queries.top(duration, "tool_executions", "tool_name"), "{{tool_name}}")],
            Value(low=0, none="no tool was run"),
        ),
    ]  # fmt: skip
