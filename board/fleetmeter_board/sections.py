"""What lies below the first screen: each part with its charts and tables, or why there is nothing to see."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from fleetmeter.cli.printing import NOTHING, bytes_text, counted, seconds_text
from fleetmeter.watching import figures as names
from fleetmeter.watching.measures import COST_BY_CALL, FIXED, Measure, own_labels
from fleetmeter.watching.shown import Shown
from fleetmeter.watching.totals import Totals
from fleetmeter_board import charts, tables
from fleetmeter_board.charts import Chart
from fleetmeter_board.lookout import Lookout
from fleetmeter_board.numbers import dollars, duration, since, whole


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
    """The time shown: `last 15 min`, `last 24 h`, `last 7 d`."""
    return f"last {seconds_text(seconds)}"


def _began(lookout: Lookout) -> str:
    now, birth = lookout.overview.watch.now, lookout.overview.birth
    return "in all" if now is None or birth is None else f"since {since(birth, now.snapshot.taken_us / 1e6)}"


def _amounts(
    lookout: Lookout, totals: Totals, shown: Shown, wanted: Iterable[tuple[str, str, str]],
    write: Callable[[float | None], str] = whole, measures: Mapping[str, Measure] = FIXED,
) -> str:  # fmt: skip
    """A table for each title, heading of the first column, and name of a measure."""
    span, began = span_text(shown.seconds), _began(lookout)
    return "".join(
        tables.amounts(title, head, shown, name, measures[name].of(totals), span, began, write)
        for title, head, name in wanted
    )


def _money(lookout: Lookout, totals: Totals, shown: Shown) -> str:
    labels = own_labels(totals)
    wanted = [("Cost by model", "model", "cost"), ("Cost by intent", "intent", "cost_by_intent")]
    wanted += [(f"Cost by {label}", label, f"cost_by_{label}") for label in labels]
    if totals.has(FIXED["savings"].sample):
        wanted.append(("Saved", "source", "savings"))
    own = {f"cost_by_{label}": Measure(COST_BY_CALL, label, money=True) for label in labels}
    return _amounts(lookout, totals, shown, wanted, dollars, {**FIXED, **own})


def _errors(lookout: Lookout, totals: Totals, shown: Shown) -> str:
    wanted = [
        (title, head, name)
        for title, head, name in (
            ("Requests by status", "status", "requests"),
            ("Errors of the service", "error", "errors"),
            ("Errors of models", "error", "call_errors"),
            ("Answered calls without a price", "model", "unpriced"),
        )
        if totals.has(FIXED[name].sample) and (FIXED[name].of(totals) or shown.amounts.get(name))
    ]
    return _amounts(lookout, totals, shown, wanted)


def _routing(lookout: Lookout, totals: Totals, shown: Shown) -> str:
    wanted = [
        (title, head, name)
        for title, head, name in (
            ("Models chosen", "model", "selections_by_model"),
            ("Fallbacks", "reason", "fallbacks"),
            ("Changes of circuits", "state", "circuit_changes"),
            ("Calls that met a used-up budget", "action", "budget_rejections"),
        )
        if FIXED[name].of(totals)
    ]
    return (
        _amounts(lookout, totals, shown, wanted)
        + (tables.circuits(totals) if totals.has("model_circuit_state") else "")
        + (tables.budgets(totals) if totals.has("budget_spent_usd") else "")
    )


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
