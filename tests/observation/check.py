"""The live check: what every panel shows of a run, beside what the upstream's ledger and the clients' tally say.

Three things are held: the raw totals in Prometheus equal ledger and tally to the last nano-dollar; every total on a
panel is what PromQL makes of the raw samples by its rules (`arithmetic`); and every query has data, of a size that its
unit allows.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from fleetmeter_app.demo.gateway_toml import EMBEDDING
from observation import arithmetic
from observation.dashboards import Panel, Query, Window, panels
from observation.fleet import Fleet, Witness, window
from observation.prometheus import Prometheus

WARM_UP = ((40.0, 5.0),)
"""Long enough that every series exists: its first value would be no increase to PromQL."""
_MORE_WARM_UPS = 5
"""As many as a busy machine may need."""
_EXACT = 1e-6
"""Relative: Prometheus answers with milliseconds, and 17 digits."""
_NEAR = 0.06
_EDGES = 4.0
"""How near a total has to be to the witness, relative: PromQL carries an increase on to the edges of its window, and
from a birth towards 0, by some scrapes (seconds here) out of all that the window holds."""
_MAGNITUDE = 0.5
"""Relative: a rate is taken over 20 s, part of which lies before and behind the load."""
_SIZES: Mapping[str, tuple[float, float]] = {
    "percentunit": (0, 1), "currencyUSD": (0, 1e4), "s": (0, 600), "bytes": (0, 1e9), "reqps": (0, 500),
    "short": (0, 1e6), "locale": (0, 1e6), "none": (0, 2),
    "count": (0, 1e6), "suffix": (0, 1e4),
}  # fmt: skip
"""What values of each unit can be here; of a unit of our own, by its kind."""
_FAR_OFF = ("How long until a model in use ends?", "When do models in use end?")
_YEAR = 366 * 86_400.0

Numbers = Mapping[str, float]
Figure = Callable[[Witness], Numbers]


@dataclass(frozen=True)
class Row:
    """One line of the table: a total as the panel shows it, as the rules make it, and as the witness knows it.

    `born` is what PromQL cannot see of it, as the first values of series that came to be within the panel's time.
    """

    panel: str
    query: str
    series: str
    shown: float
    computed: float | None
    witness: float | None
    born: float = 0.0


@dataclass
class Report:
    """What was found."""

    raw: list[tuple[str, str, int, int]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    answered: int = 0
    complaints: list[str] = field(default_factory=list)


def observe(fleet: Fleet, phases: Sequence[tuple[float, float]]) -> Report:
    """Run the load and compare everything that the dashboards show of it."""
    report = Report()
    before = fleet.load(WARM_UP)
    for _ in range(_MORE_WARM_UPS):
        if before.tally.refusals["budget"]:
            break
        # The team on trial has two calls that cost more than many others: at a window's edge, one would weigh too much.
        before = fleet.load(WARM_UP)
    start = time.time()
    after = fleet.load(phases)
    shown = window(start, time.time())
    _compare_raw(report, fleet.prometheus, after, shown.end)
    for panel in panels():
        for query in panel.queries:
            _check(report, fleet.prometheus, panel, query, shown, before, after)
    _check_magnitudes(report, fleet, shown, sum(seconds for _, seconds in phases), before, after)
    return report


def table(report: Report) -> Iterator[str]:
    """The report's lines: raw totals first, then each total of a panel."""
    yield f"{'raw total':<38} {'query':<62} {'Prometheus':>14} {'witness':>14}"
    for name, query, found, known in report.raw:
        yield f"{name:<38} {query:<62} {found:>14,} {known:>14,}"
    yield ""
    yield f"{'panel':<53} {'series':<20} {'Prometheus':>14} {'by the rules':>14} {'witness':>12} {'births':>10}  query"
    for row in report.rows:
        cells = [f"{number:>14.9g}" if number is not None else f"{'-':>14}" for number in (row.shown, row.computed)]
        witness = f"{row.witness:>12.7g}" if row.witness is not None else f"{'-':>12}"
        yield f"{row.panel:<53} {row.series:<20} {' '.join(cells)} {witness} {row.born:>10.4g}  {row.query}"


def _compare_raw(report: Report, prometheus: Prometheus, after: Witness, moment: float) -> None:
    nano, plain = 10**9, 1
    usage, tally, ledger = after.billed.usage, after.tally, after.ledger.total()
    routing = 'sum(cost_savings_usd_total{source="routing"}) - sum(routing_extra_cost_usd_total)'
    hits = 'sum(prompt_cache_operations_total{operation="get", result="hit"})'
    requests = "sum(openai_api_calls_total) + sum(openai_retries_total)"
    totals = [
        ("cost, nano-dollars", "sum(openai_total_cost_usd_total)", nano, after.billed.nanodollars),
        ("cost of the calls, nano-dollars", "sum(openai_cost_usd_sum)", nano, after.billed.nanodollars),
        ("saved by routing, nano-dollars", routing, nano, after.routing_nanodollars),
        (
            "saved by the cache, nano-dollars",
            'sum(cost_savings_usd_total{source="prompt_cache"})',
            nano,
            tally.saved_nanodollars,
        ),
        ("requests that the upstream got", requests, plain, ledger.received),
        ("answered calls", "sum(openai_cost_usd_count)", plain, after.billed.answered),
        ("tokens", "sum(openai_tokens_per_call_sum)", plain, usage.total),
        *(
            (f"tokens, {kind}", f'sum(openai_tokens_used_sum{{type="{kind}"}})', plain, getattr(usage, kind))
            for kind in ("prompt", "cached", "cache_write", "completion", "reasoning")
        ),
        ("HTTP requests", "sum(http_requests_total)", plain, tally.requests),
        ("questions", "sum(model_selections_total)", plain, tally.selections),
        ("cache hits", hits, plain, tally.hits),
        ("fallbacks", "sum(model_fallbacks_total)", plain, tally.fallbacks),
        ("calls", "sum(openai_api_calls_total)", plain, tally.calls.total()),
        ("first tokens", "sum(openai_time_to_first_token_seconds_count)", plain, tally.first_tokens),
        *(
            (f"streams left, {usage}", f'sum(openai_stream_aborts_total{{usage="{usage}"}})', plain, tally.left[usage])
            for usage in ("reported", "estimated")
        ),
        ("tools", "sum(tool_executions_total)", plain, tally.tools.total()),
        ("embeddings", f'sum(openai_tokens_per_call_sum{{model="{EMBEDDING}"}})', plain, tally.embedding_tokens),
        ("over budget", 'sum(budget_rejections_total{action="reject"})', plain, tally.refusals["budget"]),
        ("unknown keys", "sum(gateway_key_rejections_total)", plain, tally.refusals["key"]),
        ("circuit open", 'sum(errors_total{type="CircuitOpenError"})', plain, tally.refusals["circuit"]),
        *(
            (f"spent by {team}", f'sum(budget_spent_usd{{budget="{team}"}})', nano, spent)
            for team, spent in sorted(tally.spent.items())
        ),
    ]
    for name, query, scale, known in totals:
        found = round((prometheus.number(query, moment) or 0.0) * scale)
        report.raw.append((name, query, found, known))
        if found != known:
            report.complaints.append(f"{name}: Prometheus has {found}, the witness {known}")


_MAY_BE_EMPTY = (" unless on () ", "label_overflows_total")
"""Marks of queries that show something only if another one of their panel shows nothing, or if something is wrong."""


def _check(
    report: Report, prometheus: Prometheus, panel: Panel, query: Query, shown: Window, before: Witness, after: Witness
) -> None:
    place = f"{panel.dashboard}: {panel.title} ({query.ref})"
    own = shown.of(panel.time_from)
    expression = own.fill(query.expression)
    if query.instant:
        found = [(labels, [value]) for labels, value in prometheus.vector(expression, own.end)]
    else:
        series = prometheus.matrix(expression, own.start, own.end, own.step)
        found = [(labels, [value for _, value in points]) for labels, points in series]
    if not found and any(mark in expression for mark in _MAY_BE_EMPTY):
        report.answered += 1
        return
    if not found:
        report.complaints.append(f"{place}: no data for {expression}")
        return
    report.answered += 1
    values = [value for _, each in found for value in each if not math.isnan(value)]
    low, high = _SIZES.get(panel.unit.partition(":")[0], (0, math.inf))
    if panel.title in _FAR_OFF:
        high = _YEAR
    if not values or not low <= min(values) <= max(values) <= high:
        report.complaints.append(f"{place}: {values[:5]} are no values in {panel.unit}")
    if arithmetic.is_total(expression):
        _check_total(report, prometheus, panel, query, expression, own, found, before, after)


def _check_total(
    report: Report, prometheus: Prometheus, panel: Panel, query: Query, expression: str, own: Window,
    found: Sequence[tuple[Mapping[str, str], Sequence[float]]], before: Witness, after: Witness,
) -> None:  # fmt: skip
    computed = arithmetic.totals(prometheus, expression, own.end)
    born = arithmetic.born(prometheus, expression, own.end)
    near = _NEAR + _EDGES / own.seconds
    known = _known(panel, query, before, after)
    for labels, (value,) in found:
        name = next(iter(labels.values()), "")
        must = computed.get(name, 0.0)
        witness = None if known is None else known.get(name, 0.0)
        report.rows.append(Row(panel.title, query.expression, name, value, must, witness, born.get(name, 0.0)))
        if not math.isclose(value, must, rel_tol=_EXACT, abs_tol=1e-12):
            report.complaints.append(f"{panel.title} {name}: shows {value!r}, by PromQL's rules it is {must!r}")
        if witness is not None and abs(value - (witness - born.get(name, 0.0))) > near * witness:
            report.complaints.append(f"{panel.title} {name}: shows {value!r}, the witness knows {witness!r}")
    if panel.title in _QUESTIONS:
        shown = sum(value for _, (value,) in found)
        asked = after.tally.selections - before.tally.selections
        report.rows.append(Row(panel.title, query.expression, "(sum)", shown, None, asked, sum(born.values())))
        if abs(shown - (asked - sum(born.values()))) > near * asked:
            report.complaints.append(f"{panel.title}: {shown!r} in all, the clients asked {asked}")


def _known(panel: Panel, query: Query, before: Witness, after: Witness) -> Numbers | None:
    """What the witness knows about a total within the panel's time; None where it knows nothing."""
    figure = _FIGURES.get((panel.title, query.ref))
    if figure is None:
        return None
    now = figure(after)
    if panel.time_from or "[1h]" in query.expression:  # all of the run
        return now
    then = figure(before)
    return {name: number - then.get(name, 0.0) for name, number in now.items()}


def _by_model(read: Callable[..., float]) -> Figure:
    return lambda witness: {model: read(each) for model, each in witness.by_model.items()}


_SPENT: Figure = lambda witness: {"": witness.billed.nanodollars / 1e9}  # noqa: E731
_TABLE = "What did each model do for its money?"
_FIGURES: Mapping[tuple[str, str], Figure] = {
    ("What did the last hour cost?", "A"): _SPENT,
    ("Cost of today?", "A"): _SPENT,
    ("Cost of this month?", "A"): _SPENT,
    ("Which model costs the most?", "A"): _by_model(lambda each: each.nanodollars / 1e9),
    ("What do routing and the cache save?", "A"): lambda witness: {
        "routing": witness.saved_by_routing / 1e9,
        "prompt_cache": witness.tally.saved_nanodollars / 1e9,
    },
    (_TABLE, "A"): _by_model(lambda each: each.nanodollars / 1e9),
    (_TABLE, "B"): _by_model(lambda each: each.answered),
    (_TABLE, "C"): _by_model(lambda each: each.usage.total),
    ("How many calls have no price?", "A"): lambda _: {"": 0.0},
    ("How many batches were lost?", "A"): lambda _: {"": 0.0},
}
"""Totals by panel and query, as functions of a witness."""
_QUESTIONS = ("Which models are chosen?",)
"""Panels whose parts only the gateways know, and whose sum the clients know too."""


def _check_magnitudes(
    report: Report, fleet: Fleet, shown: Window, seconds: float, before: Witness, after: Witness
) -> None:
    """Means over the time of the load, beside what happened in it."""
    prometheus = fleet.prometheus
    spent = (after.billed.nanodollars - before.billed.nanodollars) / 1e9
    tokens = after.billed.usage.total - before.billed.usage.total
    answered = after.billed.answered - before.billed.answered
    selections = after.tally.selections - before.tally.selections
    hits, misses = (getattr(after.tally, name) - getattr(before.tally, name) for name in ("hits", "misses"))
    per_second = {
        "How fast is money spent, and by which models?": 3600 * spent,
        "Which intents is the money spent on?": 3600 * spent,
        "Which kinds of tokens are used?": tokens,
        "How many requests come in, and how are they answered?": after.tally.requests - before.tally.requests,
        "Which tiers are chosen over time?": selections,
        "Why is another model asked?": after.tally.fallbacks - before.tally.fallbacks,
    }
    single = {
        "What share of questions does the cache answer?": hits / (hits + misses),
        "How many replicas live?": len(fleet.gateways) + 1,
        "What do 1,000 calls cost?": 1000 * spent / answered,
        "What do 1,000 tokens cost?": 1000 * spent / tokens,
    }
    for panel in panels():
        (query, *_) = panel.queries
        expression = shown.fill(query.expression)
        if panel.title in per_second:
            step = shown.step
            points = [
                point for _, each in prometheus.matrix(expression, shown.start, shown.end, step) for point in each
            ]
            _near(report, panel, sum(value for _, value in points) * step / seconds, per_second[panel.title] / seconds)
        elif panel.title in single and query.instant:
            _near(report, panel, prometheus.number(expression, shown.end) or 0.0, single[panel.title])
        elif panel.title in single:
            found = prometheus.matrix(expression, shown.start, shown.end, shown.step)
            means = [sum(value for _, value in points) / len(points) for _, points in found]
            if not min(means) <= single[panel.title] <= max(means):
                report.complaints.append(f"{panel.title}: {means} do not lie about {single[panel.title]}")


def _near(report: Report, panel: Panel, found: float, known: float) -> None:
    report.rows.append(Row(panel.title, panel.queries[0].expression, "(mean)", found, None, known))
    if abs(found - known) > _MAGNITUDE * known:
        report.complaints.append(f"{panel.title}: {found!r} on the mean, the witness knows {known!r}")
