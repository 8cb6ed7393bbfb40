"""What the models cost, and what was saved."""

from collections.abc import Sequence

from fleetmeter_dashboards import chosen, first_row
from fleetmeter_dashboards.page import Page, Section
from fleetmeter_dashboards.panel import Panel, Target, Value, falling, rising
from fleetmeter_dashboards.panels import bars, pie, rows_of, series, stat_of
from fleetmeter_dashboards.queries import Expression, Queries, per_second, quotient, ratio

_LONG = (
    "Needs a retention of 31 days in Prometheus, and counts from the first of the month on: with less, or if counting "
    "began later, it is too low. The tile beside the month's end says since when there are data."
)
_CUMULATIVE = "Follows the variable model; not intent, which this long-lived family does not have."
_SAVERS = """\
**Nothing here unless the gateway routes, caches and keeps budgets.** A service of your own records savings by routing \
if it has a baseline: `instrument_openai(prices=PriceList(baseline="…"))`; those of a cache of its own with \
`record_cost_savings`.
"""


_HOURS_LEFT = "(24 * (days_in_month() - day_of_month() + 1) - time() % 86400 / 3600)"
"""PromQL's own functions tell the time in UTC."""


def page(labels: Sequence[str] = ()) -> Page:
    """The dashboard; `labels` are those of the user's own."""
    queries = chosen.queries(labels)
    return Page(
        "fleetmeter-cost",
        "Fleetmeter / Cost",
        "What the models cost the whole fleet, by model, intent and kind of token, and what routing and the "
        "cache save.",
        chosen.variables(labels),
        (
            Section("", _first_row(queries)),
            Section("Where the money goes", _money(queries)),
            Section("Price of the work", _price(queries)),
            *([Section("Who spends it", [_by_label(queries, label) for label in labels])] if labels else []),
            Section("Savings and budgets: with the gateway", _savings(queries), _SAVERS),
        ),
    )


def _first_row(queries: Queries) -> list[Panel]:
    money = "openai_total_cost_usd"
    spent, hour = queries.increase(money), queries.last_hour(money)
    since = queries.since("fleetmeter_up")
    return [
        first_row.trust(queries),
        first_row.last_hour(queries),
        stat_of(
            "Cost of today?", f"US dollars since midnight. {_CUMULATIVE}",
            spent, Value(none="no calls yet"), time_from="now/d",
        ),
        stat_of(
            "Cost of this month?", f"US dollars since the first of the month. {_LONG} {_CUMULATIVE}",
            spent, Value(none="no calls yet"), time_from="now/M",
        ),
        stat_of(
            "Cost at month's end?",
            "What this month has cost so far, and for each hour that is left of it (in UTC) what the last hour has "
            f"cost. {_LONG} {_CUMULATIVE}",
            Expression(f"{spent.text} + {hour.text} * {_HOURS_LEFT}", spent.unit, spent.families),
            Value(none="no calls yet"), time_from="now/M",
        ),
        stat_of(
            "Data since when?",
            "When Prometheus first saw the fleet within this month, to the minute. The sums of the month begin here, "
            "and need a retention of 31 days in Prometheus: if this is not the first of the month, either counting "
            "began later, or Prometheus keeps less.",
            Expression(f"1000 * {since.text}", "dateTimeAsIso", since.families),
            Value(none="never scraped"), time_from="now/M",
        ),
    ]  # fmt: skip


def _money(queries: Queries) -> list[Panel]:
    by_model = queries.rate("openai_cost_usd", "model", part="sum").per_hour()
    by_intent = queries.rate("openai_cost_usd", "intent", part="sum").per_hour()
    return [
        series(
            "How fast is money spent, and by which models?",
            "US dollars per hour; the ten models that cost most within the time shown.",
            [Target(queries.top(by_model, "openai_cost_usd", "model", part="sum"), "{{model}}")],
            Value(low=0), colour="model", stack=True,
        ),
        pie(
            "Which model costs the most?",
            "US dollars within the time shown.",
            Target(queries.increase("openai_cost_usd", "model", part="sum").largest(), "{{model}}"),
            "model",
        ),
        stat_of(
            "How many calls have no price?",
            "Answered calls within the time shown whose cost is missing from every figure here; the first one of a "
            "model that was new is not in it. The service's log says why: add the model's price to the "
            "configuration, or ask for the usage of streams.",
            queries.or_zero(queries.increase("openai_unpriced_calls")),
            Value(steps=rising(0.5, 10), decimals=0, none="no calls yet"), solid=True, height=8,
        ),
        series(
            "Which intents is the money spent on?",
            "US dollars per hour; the ten intents that cost most within the time shown.",
            [Target(queries.top(by_intent, "openai_cost_usd", "intent", part="sum"), "{{intent}}")],
            Value(low=0), colour="intent", stack=True,
        ),
        series(
            "Which kinds of tokens are used?",
            "Tokens per second. The kinds are disjoint: cached and written ones are not in prompt, reasoning is not in "
            "completion.",
            [Target(queries.rate("openai_tokens_used", "type", part="sum"), "{{type}}")],
            Value(unit=per_second("tokens"), low=0), colour="type", stack=True,
        ),
    ]  # fmt: skip


def _by_label(queries: Queries, label: str) -> Panel:
    spent = queries.rate("openai_cost_usd", label, part="sum").per_hour()
    return series(
        f"Which {label} spends the money?",
        f"US dollars per hour by {label}; the ten that cost most within the time shown.",
        [Target(queries.top(spent, "openai_cost_usd", label, part="sum"), f"{{{{{label}}}}}")],
        Value(low=0), stack=True, width=24,
    )  # fmt: skip


def _price(queries: Queries) -> list[Panel]:
    spent = queries.rate("openai_cost_usd", "model", part="sum")
    answers = queries.rate("openai_cost_usd", "model", part="count")
    tokens = queries.rate("openai_tokens_per_call", "model", part="sum")
    by_call = queries.top(quotient(spent.per_thousand("calls"), answers), "openai_cost_usd", "model", part="sum")
    by_token = queries.top(quotient(spent.per_thousand("tokens"), tokens), "openai_cost_usd", "model", part="sum")
    return [
        series(
            "What do 1,000 calls cost?",
            "US dollars per 1,000 answered calls; the ten models that cost most within the time shown.",
            [Target(by_call, "{{model}}")],
            Value(low=0), colour="model", calcs=["mean"],
        ),
        series(
            "What do 1,000 tokens cost?",
            "US dollars per 1,000 tokens of any kind; the ten models that cost most within the time shown.",
            [Target(by_token, "{{model}}")],
            Value(low=0), colour="model", calcs=["mean"],
        ),
        rows_of(
            "What did each model do for its money?",
            "Within the time shown; dearest first. Unpriced calls, of all intents, cost something that nobody knows.",
            {
                "cost": queries.increase("openai_cost_usd", "model", part="sum"),
                "answers": queries.increase("openai_cost_usd", "model", part="count"),
                "tokens": queries.increase("openai_tokens_per_call", "model", part="sum"),
                "unpriced": queries.increase("openai_unpriced_calls", "model"),
            },
            ["model"], width=24, sort_by="cost",
            units={
                "answers": Value(decimals=0), "tokens": Value(decimals=0),
                "unpriced": Value(decimals=0, steps=rising(0.5, 10)),
            },
        ),
    ]  # fmt: skip


def _savings(queries: Queries) -> list[Panel]:
    used = ratio(
        queries.value("budget_spent_usd", "budget", "window"), queries.value("budget_limit_usd", "budget", "window")
    )
    left = Expression(f"clamp_min(1 - {used.text}, 0)", used.unit, used.families)
    return [
        bars(
            "What do routing and the cache save?",
            "US dollars within the time shown that were not spent: routing against the price of the baseline "
            "model, the cache against the price of the calls it spared. Extra is what routing to dearer models has "
            "cost on top.",
            [
                Target(queries.increase("cost_savings_usd", "source"), "{{source}}"),
                Target(queries.increase("routing_extra_cost_usd"), "extra"),
            ],
            Value(low=0, none="nothing was saved"), colour="source", width=6,
        ),
        bars(
            "How much of each budget is left?",
            "Share of the budget's limit in its present window. Orange below 25 %, red below 10 %.",
            [Target(left, "{{budget}}, {{window}}")],
            Value(low=0, high=1, steps=falling(0.1, 0.25), decimals=0, none="no budget is set"), width=6,
        ),
        series(
            "Which budgets are met?",
            "Calls per second that met a used-up budget, by what followed: refused, sent to another tier, or told.",
            [Target(queries.rate("budget_rejections", "budget", "action"), "{{budget}}, {{action}}")],
            Value(unit=per_second("calls"), low=0, none="no budget is used up"), stack=True,
        ),
    ]  # fmt: skip
