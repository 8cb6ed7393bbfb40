"""Which model gets which call, and what the router has to do with it."""

from collections.abc import Sequence

from fleetmeter_board.colours import BAD, GOOD, WARNING
from fleetmeter_dashboards import chosen, first_row
from fleetmeter_dashboards.page import Page, Section
from fleetmeter_dashboards.panel import Panel, Target, Value, falling, rising
from fleetmeter_dashboards.panels import heat, pie, rows_of, series, stat_of
from fleetmeter_dashboards.queries import Expression, Queries, per_second, ratio

_DAY = 86_400
_CIRCUIT = {"0": ("closed", GOOD), "1": ("half-open", WARNING), "2": ("open", BAD)}


_ROUTER = """\
**Nothing here unless the gateway routes**, or a service counts the choices of a router of its own with \
`record_model_selection`, `record_model_fallback` and `record_model_routing_duration`. Circuit breakers are the \
gateway's.
"""


def page(labels: Sequence[str] = ()) -> Page:
    """The dashboard; `labels` are those of the user's own."""
    queries = chosen.queries(labels)
    return Page(
        "fleetmeter-routing",
        "Fleetmeter / Routing",
        "Which models get which calls, and, with the gateway: which ones the router chooses, how often it has to fall "
        "back, and what stands in its way.",
        chosen.variables(labels),
        (
            Section("", _first_row(queries)),
            Section("Calls", _calls(queries)),
            Section("The router's choices: with the gateway", _decisions(queries), _ROUTER),
        ),
    )


def _left(queries: Queries, *by: str) -> Expression:
    """Seconds until models end."""
    end = queries.value("openai_model_shutdown_timestamp_seconds", *by, how="max" if by else "min")
    return Expression(f"{end.text} - time()", "s", end.families)


def _first_row(queries: Queries) -> list[Panel]:
    answered = queries.increase("openai_cost_usd", "model", part="count").occurred()
    return [
        first_row.trust(queries),
        first_row.last_hour(queries),
        first_row.failing_calls(queries),
        first_row.calls_per_second(queries),
        stat_of(
            "How many models answer?",
            "Models that answered at least one call within the time shown.",
            Expression(f"count({answered.text})", "short", answered.families),
            Value(decimals=0, none="no calls"),
        ),
        stat_of(
            "How long until a model in use ends?",
            "Time until the first announced end of a model that was called. Orange below 60 days, red below 14.",
            _left(queries),
            Value(steps=falling(14 * _DAY, 60 * _DAY), decimals=1, none="none announced"),
        ),
    ]


def _calls(queries: Queries) -> list[Panel]:
    calls = queries.rate("openai_api_calls", "intent")
    return [
        series(
            "Which intents are models called for?",
            "Calls per second by intent; the ten that call most.",
            [Target(queries.top(calls, "openai_api_calls", "intent"), "{{intent}}")],
            Value(unit=per_second("calls"), low=0), colour="intent", stack=True, width=8, calcs=["mean"],
        ),
        pie(
            "What are the calls about?",
            "Calls within the time shown, by intent.",
            Target(queries.increase("openai_api_calls", "intent").largest(), "{{intent}}"),
            "intent", Value(decimals=0), donut=True,
        ),
        rows_of(
            "When do models in use end?",
            "Time until the announced end of each model that was called.",
            {"left": _left(queries, "model")},
            ["model"], width=8, sort_by="left", none="no end is announced",
            units={"left": Value(decimals=1, steps=falling(14 * _DAY, 60 * _DAY))},
        ),
    ]  # fmt: skip


def _decisions(queries: Queries) -> list[Panel]:
    chosen, by_intent = "model_selections", queries.only("intent")
    return [
        stat_of(
            "How often is another model asked?",
            "Fallbacks per question. Orange from 5 %, red from 10 %.",
            ratio(by_intent.rate("model_fallbacks"), by_intent.rate("model_selections")),
            Value(steps=rising(0.05, 0.1), decimals=1, none="no questions"),
            solid=True, height=8,
        ),
        stat_of(
            "Is a circuit open?",
            "The worst state of any model's circuit breaker.",
            queries.value("model_circuit_state"),
            Value(unit="none", words=_CIRCUIT, none="no breaker"),
            solid=True, height=8,
        ),
        pie(
            "Which models are chosen?",
            "Questions within the time shown, by the model of the router's first choice.",
            Target(queries.increase(chosen, "model").largest(), "{{model}}"),
            "model", Value(decimals=0),
        ),
        series(
            "Which tiers are chosen over time?",
            "Questions per second by the tier of the router's first choice.",
            [Target(queries.rate(chosen, "tier"), "{{tier}}")],
            Value(unit=per_second("questions"), low=0), colour="tier", stack=True, width=8, calcs=["mean"],
        ),
        series(
            "Why is another model asked?",
            "Fallbacks per second by the reason for which the model before did not answer.",
            [Target(queries.rate("model_fallbacks", "reason"), "{{reason}}")],
            Value(unit=per_second("fallbacks"), low=0), colour="reason", stack=True,
        ),
        series(
            "How often do circuits open and close?",
            "Changes of circuit breakers per second, by the state that they went into.",
            [Target(queries.rate("model_circuit_changes", "state"), "{{state}}")],
            Value(unit=per_second("changes"), low=0, none="no circuit has changed"),
            colour="state", stack=True,
        ),
        stat_of(
            "Which circuits are open?",
            "State of each model's circuit breaker: closed, calls pass; half-open, one tries; open, none pass.",
            queries.value("model_circuit_state", "model"),
            Value(unit="none", words=_CIRCUIT, none="no circuit breaker reports"),
            legend="{{model}}", width=24,
        ),
        heat(
            "How long does it take to choose?",
            "Choices of a model per second by the time that they took, for the intents that the variable intent names.",
            queries.buckets("model_routing_duration_seconds"), "s", "choices",
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
