"""The first row of every dashboard, which says whether anything is wrong and what it costs now."""

from fleetmeter_board.colours import BAD, GOOD, WARNING
from fleetmeter_dashboards.panel import Panel, Value, rising
from fleetmeter_dashboards.panels import stat_of
from fleetmeter_dashboards.queries import Expression, Queries, per_second, ratio

_TRUST = {
    "1": ("yes", GOOD), "0.5": ("not all cost is known", WARNING), "0.4": ("series were dropped", WARNING),
    "0.3": ("values were refused", WARNING), "0.2": ("counts were lost", BAD), "0": ("not all was read", BAD),
    "-1": ("exporter is down", BAD),
}  # fmt: skip
_DOUBTS = (
    (0.2, "fleetmeter_lost_batches"),
    (0.5, "openai_unpriced_calls"),
    (0.3, "fleetmeter_rejected_values"),
    (0.4, "fleetmeter_dropped_series"),
)
"""What takes the trust away if one was counted within the time shown, the worst first."""


def trust(queries: Queries) -> Panel:
    """Whether the numbers below are the fleet's."""
    up = queries.value("fleetmeter_up", how="min")
    counted = [(word, queries.added(family)) for word, family in _DOUBTS]
    doubts = " or ".join(f"({word} * ({up.text} == 1) and on () {added.text} > 0)" for word, added in counted)
    # Prometheus' own `up` is there when the exporter is not.
    text = f'(count(up{{job="$job"}}) > 1) or {doubts} or {up.text} or min(up{{job="$job"}}) - 1'
    expression = Expression(text, up.unit, (*up.families, *(family for _, each in counted for family in each.families)))
    return stat_of(
        "Can these numbers be trusted?",
        "No: the store, or a part of it, cannot be read, or Prometheus cannot reach the exporter; counts go on in the "
        "replicas meanwhile. Or Prometheus scrapes the fleet more than once, so that every sum here is a "
        "multiple of the truth: scrape one address. Or the store lost counts within the time shown. "
        "Orange: within the time shown, models answered calls whose cost nobody knows, as "
        "that of a stream that told no usage, so that all sums of money are too low; or values were refused; or a "
        "family had no place for new series, so that sums are right and their parts are not. The dashboard Fleet has "
        "more.",
        expression,
        Value(unit="none", words=_TRUST, beyond=(2, "scraped twice", BAD), none="never scraped"),
        solid=True,
    )


def last_hour(queries: Queries) -> Panel:
    """Money of the last hour."""
    return stat_of(
        "What did the last hour cost?",
        "US dollars within the last hour, whatever time is shown; in the first hour of counting, since it began.",
        queries.last_hour("openai_total_cost_usd"),
        Value(none="no calls yet"),
    )


def calls_per_second(queries: Queries) -> Panel:
    """How much models are called."""
    return stat_of(
        "How many calls are made?",
        "Calls of models per second, those that failed included.",
        queries.rate("openai_api_calls"),
        Value(unit=per_second("calls"), none="no calls"),
    )


def failing_requests(queries: Queries) -> Panel:
    """Share of requests that the service itself failed."""
    return stat_of(
        "What share of requests fails?",
        "HTTP requests that were answered with a status of 500 or above. Orange from 1 %, red from 5 %.",
        ratio(queries.rate("http_requests", status="~5.."), queries.rate("http_requests")),
        Value(steps=rising(0.01, 0.05), decimals=1, none="no traffic"),
        solid=True,
    )


def failing_calls(queries: Queries) -> Panel:
    """Share of calls that models did not answer."""
    queries = queries.only("model")
    return stat_of(
        "What share of model calls fails?",
        "Calls that ended in an error, the SDK's own retries not counted. A fallback may still have answered the "
        "question. A call that failed counts under the model that was asked, an answered one under the model that "
        "answered: where these names differ, only the share of all models is right. "
        "Orange from 5 %, red from 20 %.",
        ratio(queries.rate("openai_errors"), queries.rate("openai_api_calls")),
        Value(steps=rising(0.05, 0.2), decimals=1, none="no calls"),
        solid=True,
    )
