"""Which model gets which question, and why."""

from collections.abc import Sequence

from fleetmeter_board.colours import BAD, GOOD, WARNING
from fleetmeter_dashboards import first_row
from fleetmeter_dashboards.cost import INTENT, MODEL, own
from fleetmeter_dashboards.families import declared
from fleetmeter_dashboards.page import Page
from fleetmeter_dashboards.panel import Panel, Target, Value, falling, rising
from fleetmeter_dashboards.panels import heat, pie, rows_of, series, stat_of
from fleetmeter_dashboards.queries import Expression, Queries, ratio

_DAY = 86_400
_CIRCUIT = {"0": ("closed", GOOD), "1": ("half-open", WARNING), "2": ("open", BAD)}


def page(labels: Sequence[str] = ()) -> Page:
    """The dashboard; `labels` are those of the user's own."""
    queries = Queries("model", "intent", labels=labels, families=declared(labels))
    return Page(
        "fleetmeter-routing",
        "Fleetmeter / Routing",
        "Which models the router chooses for which intents, how often it has to fall back, and what stands in its way.",
        (MODEL, INTENT, *own(labels)),
        (
            ("", _first_row(queries)),
            ("Decisions", _decisions(queries)),
            ("Health of the ways", _health(queries)),
        ),
    )


def _left(queries: Queries, *by: str) -> Expression:
    """Seconds until models end."""
    end = queries.value("openai_model_shutdown_timestamp_seconds", *by, how="max" if by else "min")
    return Expression(f"{end.text} - time()", "s", end.families)


def _first_row(queries: Queries) -> list[Panel]:
    by_intent = queries.only("intent")
    return [
        first_row.trust(queries),
        first_row.spend_now(queries),
        first_row.failing_calls(queries),
        stat_of(
            "How often is another model asked?",
            "Fallbacks per question. Orange from 5 %, red from 10 %.",
            ratio(by_intent.rate("model_fallbacks"), by_intent.rate("model_selections")),
            Value(steps=rising(0.05, 0.1), decimals=1, none="no questions"),
            solid=True,
        ),
        stat_of(
            "Is a circuit open?",
            "The worst state of any model's circuit breaker.",
            queries.value("model_circuit_state"),
            Value(unit="none", words=_CIRCUIT, none="no breaker"),
            solid=True,
        ),
        stat_of(
            "How long until a model in use ends?",
            "Time until the first announced end of a model that was called. Orange below 60 days, red below 14.",
            _left(queries),
            Value(steps=falling(14 * _DAY, 60 * _DAY), decimals=1, none="none announced"),
        ),
    ]


def _decisions(queries: Queries) -> list[Panel]:
    chosen = "model_selections"
    return [
        pie(
            "Which models are chosen?",
            "Questions within the time shown, by the model of the router's first choice.",
            Target(queries.increase(chosen, "model").largest(), "{{model}}"),
            "model", Value(decimals=0),
        ),
        pie(
            "Which tiers are chosen?",
            "Questions within the time shown, by tier.",
            Target(queries.increase(chosen, "tier").largest(), "{{tier}}"),
            "tier", Value(decimals=0),
        ),
        pie(
            "What are the questions about?",
            "Questions within the time shown, by intent.",
            Target(queries.increase(chosen, "intent").largest(), "{{intent}}"),
            "intent", Value(decimals=0), donut=True,
        ),
        series(
            "Which models are chosen over time?",
            "Questions per second by model; the ten that are chosen most.",
            [Target(queries.top(queries.rate(chosen, "model"), chosen, "model"), "{{model}}")],
            Value(unit="reqps", low=0), colour="model", stack=True,
        ),
        series(
            "Why is another model asked?",
            "Fallbacks per second by the reason for which the model before did not answer.",
            [Target(queries.rate("model_fallbacks", "reason"), "{{reason}}")],
            Value(unit="ops", low=0), colour="reason", stack=True,
        ),
    ]  # fmt: skip


def _health(queries: Queries) -> list[Panel]:
    return [
        heat(
            "How long does it take to choose?",
            "Choices of a model per second by the time that they took, for the intents that the variable intent names.",
            queries.buckets("model_routing_duration_seconds"), "s",
        ),
        series(
            "How often do circuits open and close?",
            "Changes of circuit breakers per second, by the state that they went into.",
            [Target(queries.rate("model_circuit_changes", "state"), "{{state}}")],
            Value(unit="ops", low=0, none="no circuit has changed"), colour="state", stack=True,
        ),
        stat_of(
            "Which circuits are open?",
            "State of each model's circuit breaker: closed, calls pass; half-open, one tries; open, none pass.",
            queries.value("model_circuit_state", "model"),
            Value(unit="none", words=_CIRCUIT, none="no circuit breaker reports"),
            legend="{{model}}", width=12, height=8,
        ),
        rows_of(
            "When do models in use end?",
            "Time until the announced end of each model that was called.",
            {"left": _left(queries, "model")},
            ["model"], width=12, sort_by="left", none="no end is announced",
            units={"left": Value(decimals=1, steps=falling(14 * _DAY, 60 * _DAY))},
        ),
    ]  # fmt: skip
