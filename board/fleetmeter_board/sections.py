"""What lies below the first screen: each part with its charts and tables, or why there is nothing to see."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fleetmeter.cli.printing import NOTHING, bytes_text, counted, seconds_text
from fleetmeter.watching import figures as names
from fleetmeter.watching.measures import COST_BY_CALL, FIXED, Measure, own_labels
from fleetmeter.watching.shown import Shown
from fleetmeter.watching.totals import Totals
from fleetmeter_board import charts, tables
from fleetmeter_board.charts import Chart
from fleetmeter_board.lookout import Lookout
from fleetmeter_board.numbers import duration, since, whole


@dataclass(frozen=True)
class Section:
    """A part of the page. `empty` says why there is nothing to see; it is empty if there is."""

    key: str
    title: str
    charts: Sequence[Chart]
    empty: Callable[[Lookout, Totals], str]
    tables: Callable[[Lookout, Totals, Shown], str] = lambda _lookout, _totals, _shown: ""


def _without(*families: str, instead: str) -> Callable[[Lookout, Totals], str]:
    return lambda _lookout, totals: "" if any(map(totals.has, families)) else instead


def span_text(seconds: float) -> str:
    """The time shown: `last 15 min`, `last 24 h`."""
    return f"last {seconds / 60:.0f} min" if seconds <= 3600 else f"last {seconds / 3600:.0f} h"


def _began(lookout: Lookout) -> str:
    now = lookout.overview.watch.now
    if now is None or now.snapshot.epoch is None:
        return "in all"
    return f"since {since(now.snapshot.epoch.birth_us / 1e6, now.snapshot.taken_us / 1e6)}"


def _money(lookout: Lookout, totals: Totals, shown: Shown) -> str:
    span, began = span_text(shown.seconds), _began(lookout)
    found = [
        tables.amounts("Cost by model", "model", shown, "cost", FIXED["cost"].of(totals), span, began),
        tables.amounts(
            "Cost by intent", "intent", shown, "cost_by_intent", FIXED["cost_by_intent"].of(totals), span, began
        ),
    ]
    for label in own_labels(totals):
        total = Measure(COST_BY_CALL, label, money=True).of(totals)
        found.append(tables.amounts(f"Cost by {label}", label, shown, f"cost_by_{label}", total, span, began))
    if totals.has(FIXED["savings"].sample):
        total = FIXED["savings"].of(totals)
        found.append(tables.amounts("Saved", "source", shown, "savings", total, span, began))
    return "".join(found)


def _errors(lookout: Lookout, totals: Totals, shown: Shown) -> str:
    span, began = span_text(shown.seconds), _began(lookout)
    found = [
        tables.amounts(title, label, shown, measure, FIXED[measure].of(totals), span, began, whole)
        for title, label, measure in (
            ("Requests by status", "status", "requests"),
            ("Errors of the service", "error", "errors"),
            ("Errors of models", "error", "call_errors"),
            ("Answered calls without a price", "model", "unpriced"),
        )
        if totals.has(FIXED[measure].sample) and (FIXED[measure].of(totals) or shown.amounts.get(measure))
    ]
    return "".join(found)


def _routing(lookout: Lookout, totals: Totals, shown: Shown) -> str:
    span, began = span_text(shown.seconds), _began(lookout)
    found = [
        tables.amounts(title, label, shown, measure, FIXED[measure].of(totals), span, began, whole)
        for title, label, measure in (
            ("Models chosen", "model", "selections_by_model"),
            ("Fallbacks", "reason", "fallbacks"),
            ("Changes of circuits", "state", "circuit_changes"),
            ("Calls that met a used-up budget", "action", "budget_rejections"),
        )
        if FIXED[measure].of(totals)
    ]
    if totals.has("model_circuit_state"):
        found.append(tables.circuits(totals))
    if totals.has("budget_spent_usd"):
        found.append(tables.budgets(totals))
    return "".join(found)


def _replicas(lookout: Lookout, _totals: Totals, _shown: Shown) -> str:
    found = lookout.overview.figures
    return "" if found is None else tables.replicas(found.replicas)


def _health(lookout: Lookout, totals: Totals, _shown: Shown) -> str:
    found, now = lookout.overview.figures, lookout.overview.watch.now
    if found is None or now is None:
        return ""
    errors = found.flush_errors
    trouble = NOTHING if errors is None else ", ".join(f"{name} {count:,}" for name, count in errors.items()) or "0"
    flushes = tables.facts(
        "Flushes: from the replicas into the store",
        (
            ("batches", whole(found.flushes)),
            ("calls that failed, and were sent again", trouble),
            ("batches lost", whole(found.lost_batches)),
            ("series without a place", whole(totals.total("fleetmeter_dropped_series_total"))),
            ("could be sent again", NOTHING if found.retained_bytes is None else bytes_text(found.retained_bytes)),
            ("longest silence", NOTHING if found.oldest_write is None else seconds_text(found.oldest_write)),
        ),
    )
    return (
        flushes
        + tables.facts("Reads: from the store", _reads(lookout, now.took, len(totals.samples)))
        + (tables.findings(lookout.checks) if lookout.checks else "")
    )


def _reads(lookout: Lookout, took: float, samples: int) -> list[tuple[str, str]]:
    pairs = [("this board's last read took", duration(took)), ("samples", whole(samples))]
    if lookout.prometheus is None:
        return [*pairs, ("scrapes by a Prometheus", "not known; name one with --prometheus URL")]
    if lookout.prometheus_problem:
        return [*pairs, ("scrapes by a Prometheus", lookout.prometheus_problem)]
    found = lookout.scrapes
    up = f"{found.get('up', 0):.0f} of {counted(round(found.get('scraped', 0)), 'target')} up"
    return [*pairs, ("exporters scraped", up), ("the last scrape took", duration(found.get("seconds")))]


def _nobody(lookout: Lookout, _totals: Totals) -> str:
    found = lookout.overview.figures
    return "" if found is not None and found.replicas else "no process records now"


_GATEWAY = "the gateway records it, or the helpers of fleetmeter.llm do"

SECTIONS = (
    Section(
        "money", "Where the money goes", charts.MONEY,
        _without(names.COST, COST_BY_CALL, instead=f"nobody records what calls cost; {_GATEWAY}"),
        _money,
    ),
    Section(
        "errors", "Errors", charts.ERRORS,
        _without(
            names.REQUESTS, names.ERRORS, "openai_errors_total",
            instead="nobody records requests or errors; instrument_fastapi() does",
        ),
        _errors,
    ),
    Section(
        "models", "Model calls", charts.MODELS,
        _without("openai_api_duration_seconds_count", instead=f"nobody records model calls; {_GATEWAY}"),
    ),
    Section(
        "routing", "Routing, fallbacks, breakers, budgets", charts.ROUTING,
        _without(
            "model_selections_total", names.FALLBACKS, "model_circuit_state", "budget_spent_usd",
            instead=f"nobody chooses models here; {_GATEWAY}",
        ),
        _routing,
    ),
    Section(
        "cache", "Prompt cache", charts.CACHE,
        _without(names.CACHE, names.CACHE_SIZE, instead=f"nobody records a prompt cache; {_GATEWAY}"),
    ),
    Section(
        "replicas", "Replicas", (),
        _nobody,
        _replicas,
    ),
    Section("health", "Flushes and reads", charts.HEALTH, lambda _lookout, _totals: "", _health),
)  # fmt: skip
"""The parts, in the order of the page."""
