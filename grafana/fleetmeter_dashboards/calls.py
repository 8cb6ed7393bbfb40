"""What happens around calls: retries, streams that were left, sizes, the prompt cache, tools, refusals."""

from collections.abc import Sequence

from fleetmeter_dashboards import chosen, first_row
from fleetmeter_dashboards.page import Page, Section
from fleetmeter_dashboards.panel import Panel, Target, Value, falling, rising
from fleetmeter_dashboards.panels import dial, series, stat_of
from fleetmeter_dashboards.queries import Queries, per_second, quotient, ratio

_CACHE = """\
**Nothing here unless the gateway caches answers**, or a service counts a cache of its own with \
`record_cache_operation` and `update_cache_metrics`.
"""
_TOOLS = """\
**Nothing here unless the gateway runs tools for models**, or a service counts its own with `record_tool_execution`.
"""
_REFUSALS = """\
**Nothing here unless the gateway asks for API keys**, or a service names its errors with `record_error`. Errors of \
every service, by HTTP status, are on the dashboard Performance.
"""


def page(labels: Sequence[str] = ()) -> Page:
    """The dashboard; `labels` are those of the user's own."""
    queries = chosen.queries(labels)
    return Page(
        "fleetmeter-calls",
        "Fleetmeter / Calls",
        "What happens around the calls of models: retries, streams that were left, sizes; and the prompt cache, tools "
        "and refusals of those who have them.",
        chosen.variables(labels),
        (
            Section("", _first_row(queries)),
            Section("Retries, streams and sizes", _calls(queries)),
            Section("Prompt cache: with the gateway", _cache(queries), _CACHE),
            Section("Tools: with the gateway", _tools(queries), _TOOLS),
            Section("Refusals and named errors: with the gateway", _refusals(queries), _REFUSALS),
        ),
    )


def _first_row(queries: Queries) -> list[Panel]:
    by_model, answered = queries.only("model"), queries.rate("openai_tokens_per_call", part="count")
    return [
        first_row.trust(queries),
        first_row.last_hour(queries),
        first_row.failing_calls(queries),
        first_row.calls_per_second(queries),
        stat_of(
            "How many tokens does a call take?",
            "Tokens of all kinds per answered call, on the mean.",
            quotient(queries.rate("openai_tokens_per_call", part="sum"), answered),
            Value(unit="count:tokens", none="no calls"),
        ),
        stat_of(
            "How often is a call sent again?",
            "Requests that were sent again inside a call, per call. Orange from 5 %, red from 20 %.",
            ratio(by_model.rate("openai_retries"), by_model.rate("openai_api_calls")),
            Value(steps=rising(0.05, 0.2), decimals=1, none="no calls"),
            solid=True,
        ),
    ]


def _calls(queries: Queries) -> list[Panel]:
    aborts = queries.or_zero(queries.rate("openai_stream_aborts", "usage"), "usage")
    return [
        series(
            "How often is a request sent again?",
            "Requests per second: by model, those sent again inside a call, which the upstream saw as well; those that "
            "clients sent again to this service; and calls of a second deployment, because the first was slow.",
            [
                Target(queries.top(queries.rate("openai_retries", "model"), "openai_retries", "model"), "{{model}}"),
                Target(queries.or_zero(queries.rate("client_retries")), "by clients"),
                Target(queries.or_zero(queries.rate("model_hedges")), "second deployment"),
            ],
            Value(unit="reqps", low=0), colour="model", stack=True, width=10, calcs=["mean"],
        ),
        series(
            "How often are streams left before their end?",
            "Streams per second, by whether their usage was reported or had to be estimated.",
            [Target(aborts, "{{usage}}")],
            Value(unit=per_second("streams"), low=0, none="no stream was left"), colour="usage", stack=True, width=7,
            calcs=["mean"],
        ),
        series(
            "How large are requests and responses?",
            "95 of 100 bodies have at most this many bytes.",
            [
                Target(queries.quantile(0.95, "http_request_size_bytes"), "request"),
                Target(queries.quantile(0.95, "http_response_size_bytes"), "response"),
            ],
            Value(low=0), width=7,
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
            Value(unit=per_second("entries"), low=0), colour="reason", stack=True, width=24,
        ),
    ]  # fmt: skip


def _tools(queries: Queries) -> list[Panel]:
    ends = queries.rate("tool_executions", "tool_name", "status")
    duration = queries.quantile(0.95, "tool_execution_duration_seconds", "tool_name")
    return [
        series(
            "How do tools end?",
            "Executions per second by tool and outcome.",
            [Target(queries.top(ends, "tool_executions", "tool_name", "status"), "{{tool_name}}, {{status}}")],
            Value(unit=per_second("runs"), low=0, none="no tool was run"), stack=True,
        ),
        series(
            "How long do tools take?",
            "95 of 100 executions take at most this long, by tool.",
            [Target(queries.top(duration, "tool_executions", "tool_name"), "{{tool_name}}")],
            Value(low=0, none="no tool was run"),
        ),
    ]  # fmt: skip


def _refusals(queries: Queries) -> list[Panel]:
    return [
        series(
            "Which callers are turned away?",
            "Requests per second that were refused for their API key, by reason.",
            [Target(queries.rate("gateway_key_rejections", "reason"), "{{reason}}")],
            Value(unit="reqps", low=0, none="nobody was refused"), colour="reason", stack=True,
        ),
        series(
            "Which errors does the service name?",
            "Errors per second by type; the ten that come most.",
            [Target(queries.top(queries.rate("errors", "type"), "errors", "type"), "{{type}}")],
            Value(unit=per_second("errors"), low=0, none="no error was named"), stack=True,
        ),
    ]  # fmt: skip
