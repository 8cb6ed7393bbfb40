"""What a history keeps of a sighting: the totals whose growth views show, each by one label."""

from collections.abc import Iterator
from dataclasses import dataclass

from fleetmeter.watching import figures as names
from fleetmeter.watching.totals import Totals

COST_BY_CALL = "openai_cost_usd_sum"
"""The family that says for whom and for what money was spent; `openai_total_cost_usd` has only the model."""
OTHERS = "all others"
"""Stands for the values of a label that came when a measure had `MOST` of them already."""
MOST = 40
"""Values of one label that are kept apart, so that memory has a bound whatever a label takes for values."""

REQUEST_SECONDS, CALL_SECONDS = "http_request_duration_seconds", "openai_api_duration_seconds"
FIRST_TOKEN_SECONDS, FLUSH_SECONDS = "openai_time_to_first_token_seconds", "fleetmeter_flush_duration_seconds"
DURATIONS = (REQUEST_SECONDS, CALL_SECONDS, FIRST_TOKEN_SECONDS, FLUSH_SECONDS)
"""Histograms of seconds whose buckets are kept."""


@dataclass(frozen=True)
class Measure:
    """A sample's name and the label by which it is kept; an empty `label` keeps the whole sum. Money: nano-dollars.

    `where` has values of labels that a series must have.
    """

    sample: str
    label: str = ""
    money: bool = False
    where: tuple[tuple[str, str], ...] = ()

    def of(self, totals: Totals) -> dict[str, int]:
        """The sum for each value of the label, empty if nothing of it is recorded."""
        if self.money:
            return dict(totals.nanodollars_by(self.label, self.sample))
        return dict(totals.by(self.label, self.sample, **dict(self.where)))


FIXED: dict[str, Measure] = {
    "requests": Measure(names.REQUESTS, "status"),
    "errors": Measure(names.ERRORS, "type"),
    "cost": Measure(names.COST, "model", money=True),
    "cost_by_intent": Measure(COST_BY_CALL, "intent", money=True),
    "savings": Measure("cost_savings_usd_total", "source", money=True),
    "calls": Measure(names.CALLS, "model"),
    "call_errors": Measure("openai_errors_total", "type"),
    "unpriced": Measure(names.UNPRICED, "model"),
    "tokens": Measure(names.TOKENS, "type"),
    "cache": Measure(names.CACHE, "result", where=(("operation", "get"),)),
    "selections": Measure("model_selections_total", "tier"),
    "selections_by_model": Measure("model_selections_total", "model"),
    "fallbacks": Measure(names.FALLBACKS, "reason"),
    "circuit_changes": Measure("model_circuit_changes_total", "state"),
    "budget_rejections": Measure("budget_rejections_total", "action"),
    "flushes": Measure(names.FLUSHES),
    "flush_errors": Measure(names.FLUSH_ERRORS, "reason"),
}
"""The measures by their names. Those of the user's own labels come on top, see `own_labels`."""

_CATALOGUE = {"model", "intent", "le", "quantile", "replica"}


def own_labels(totals: Totals) -> tuple[str, ...]:
    """The labels of the user's own that money is recorded by, such as `team`."""
    return tuple(sorted(totals.labels(COST_BY_CALL) - _CATALOGUE))


def measured(totals: Totals) -> Iterator[tuple[str, dict[str, int]]]:
    """Each measure of a sighting, by its name; buckets by their upper bound."""
    for name, measure in FIXED.items():
        yield name, measure.of(totals)
    for label in own_labels(totals):
        yield f"cost_by_{label}", Measure(COST_BY_CALL, label, money=True).of(totals)
    for family in DURATIONS:
        yield family, dict(totals.by("le", f"{family}_bucket"))
