"""How fast and how reliably the fleet answers: first what fails, then how long it takes."""

from collections.abc import Sequence

from fleetmeter_dashboards import chosen, first_row
from fleetmeter_dashboards.page import Page, Section
from fleetmeter_dashboards.panel import Panel, Target, Value, quantiles, rising
from fleetmeter_dashboards.panels import series, stat_of
from fleetmeter_dashboards.queries import Queries, per_second, ratio


def page(labels: Sequence[str] = ()) -> Page:
    """The dashboard; `labels` are those of the user's own."""
    queries = chosen.queries(labels)
    return Page(
        "fleetmeter-performance",
        "Fleetmeter / Performance",
        "Errors, latency and throughput of the whole fleet's requests, and of the models behind it. What is behind "
        "them, as retries, tools and the prompt cache, is on the dashboard Calls.",
        chosen.variables(labels),
        (
            Section("", _first_row(queries)),
            Section("Errors", _errors(queries)),
            Section("Requests", _requests(queries)),
            Section("Models", _models(queries)),
        ),
    )


def _first_row(queries: Queries) -> list[Panel]:
    return [
        first_row.trust(queries),
        first_row.last_hour(queries),
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


def _errors(queries: Queries) -> list[Panel]:
    failed = queries.rate("http_requests", "status", status="~5..")
    types = queries.top(queries.rate("openai_errors", "type"), "openai_errors", "type")
    return [
        series(
            "What share of requests fails over time?",
            "Answered with a status of 500 or above. The line is the alert's 5 %.",
            [Target(ratio(queries.rate("http_requests", status="~5.."), queries.rate("http_requests")), "failed")],
            Value(low=0, steps=((None, "transparent"), (0.05, "red"))), lines="dashed+area", width=7,
        ),
        series(
            "Which errors does the service answer?",
            "Requests per second that were answered with a status of 500 or above, by status.",
            [Target(queries.or_zero(failed, "status"), "{{status}}")],
            Value(unit=per_second("errors"), low=0), colour="status", stack=True, width=7, calcs=["mean"],
        ),
        series(
            "Which errors do models answer?",
            "Calls per second that ended in an error, by the SDK's exception class.",
            [Target(queries.or_zero(types, "type"), "{{type}}")],
            Value(unit=per_second("errors"), low=0), colour="error", stack=True, width=10, calcs=["mean"],
        ),
    ]  # fmt: skip


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
    ]  # fmt: skip


def _models(queries: Queries) -> list[Panel]:
    latency = queries.quantile(0.95, "openai_api_duration_seconds", "model")
    calls = queries.rate("openai_api_calls", "model")
    return [
        series(
            "How long do models take?",
            "95 of 100 calls take at most this long, retries included; the ten models that are called most.",
            [Target(queries.top(latency, "openai_api_calls", "model"), "{{model}}")],
            Value(low=0), colour="model", width=9, calcs=["mean"],
        ),
        series(
            "How long until the first token?",
            "Half, 95 and 99 of 100 streamed calls have their first content after at most this long.",
            quantiles(queries, "openai_time_to_first_token_seconds"),
            Value(low=0, none="no streamed calls"), colour="quantile", width=6,
        ),
        series(
            "How often are models called?",
            "Calls per second, those that failed included; the ten models that are called most.",
            [Target(queries.top(calls, "openai_api_calls", "model"), "{{model}}")],
            Value(unit=per_second("calls"), low=0), colour="model", stack=True, width=9, calcs=["mean"],
        ),
    ]  # fmt: skip
