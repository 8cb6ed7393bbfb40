"""The view of a running demo: tables for a terminal, and one line of text for anything else."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fleetmeter.cli.top.panels import counts, dollars, facts, panel, side_by_side
from fleetmeter.watching.totals import Totals
from fleetmeter_app.demo.comparison.sides import TOKEN_TYPES
from fleetmeter_app.demo.traffic.tally import Tally

_REQUESTS = "http_requests_total"
_HINTS = ("Ctrl-C ends the load and compares the counts", "the load has ended; waiting for the last replies and counts")


@dataclass
class Moment:
    """The state that is shown: `totals` is the last scrape, None before the first.

    `limit` is in seconds; `started` and `ended` are readings of `time.monotonic()`.
    """

    tally: Tally
    limit: float | None
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None
    totals: Totals | None = None

    @property
    def clock(self) -> str:
        """The time that has passed, and the limit if there is one: `0:12 of 0:30`."""
        passed = _minutes((self.ended or time.monotonic()) - self.started)
        return passed if self.limit is None else f"{passed} of {_minutes(self.limit)}"


def view(moment: Moment) -> RenderableType:
    """The view for a terminal: 18 lines, at least 80 columns."""
    totals = moment.totals
    head = Text.assemble((moment.clock, "bold"), ("   " + _HINTS[moment.ended is not None], "dim"))
    if totals is None:
        return Group(head, Text("no scrape yet", style="dim"))
    tokens = totals.by("type", "openai_tokens_used_sum")
    return Group(
        head,
        side_by_side(
            (9, panel("HTTP requests", _requests(moment.tally, totals))),
            (11, panel("the fleet, by the exporter", _fleet(totals))),
        ),
        side_by_side(
            (1, panel("calls by model", counts(totals.by("model", "openai_api_calls_total").most_common()))),
            (1, panel("tokens by type", counts((kind, tokens[kind]) for kind in TOKEN_TYPES))),
            (1, panel("fallbacks by reason", counts(totals.by("reason", "model_fallbacks_total").most_common()))),
        ),
    )


def line(moment: Moment) -> str:
    """The state in one line of plain text."""
    totals = moment.totals
    client = f"{moment.clock}: client {moment.tally.requests:,} replies"
    if totals is None:
        return f"{client}; no scrape yet"
    statuses = ", ".join(f"{status}: {count:,}" for status, count in sorted(totals.by("status", _REQUESTS).items()))
    return (
        f"{client}; exporter {totals.total(_REQUESTS):,} requests ({statuses}), "
        f"{dollars(totals, 'openai_total_cost_usd_total')}, tokens {totals.total('openai_tokens_used_sum'):,}, "
        f"cache hit rate {totals.value('prompt_cache_hit_rate'):.0%}, "
        f"fallbacks {totals.total('model_fallbacks_total'):,}, replicas alive {totals.total('fleetmeter_replicas')}"
    )


def _requests(tally: Tally, totals: Totals) -> Table:
    shown = totals.replica_requests()
    classes, counted = _by_class(totals.by("status", _REQUESTS)), _by_class(tally.statuses)
    table = Table(box=None, pad_edge=False, expand=True, header_style="dim")
    table.add_column("", no_wrap=True)
    table.add_column("client", justify="right", no_wrap=True)
    table.add_column("exporter", justify="right", no_wrap=True)
    for name in sorted({*shown, *tally.replicas}):
        table.add_row(name, f"{tally.replicas[name]:,}", f"{shown.get(name, 0):,}")
    table.add_row("all", f"{tally.requests:,}", f"{totals.total(_REQUESTS):,}", style="bold")
    for name, first_digit in (("answered, 2xx", "2"), ("refused, 4xx", "4"), ("failed, 5xx", "5")):
        table.add_row(name, f"{counted[first_digit]:,}", f"{classes[first_digit]:,}")
    return table


def _fleet(totals: Totals) -> Table:
    saved = "cost_savings_usd_total"
    up = totals.value("fleetmeter_up") == 1
    return facts(
        ("in progress", f"{totals.total('http_requests_in_progress'):,} requests"),
        ("cost", dollars(totals, "openai_total_cost_usd_total")),
        ("saved", f"{dollars(totals, saved, source='routing')} by routing"),
        ("", f"{dollars(totals, saved, source='prompt_cache')} by the cache"),
        ("cache", f"{totals.value('prompt_cache_hit_rate'):.1%} hits"),
        ("", f"{totals.total('prompt_cache_size'):,} entries"),
        ("replicas", f"{totals.total('fleetmeter_replicas'):,} alive" if up else "unknown: the store is away"),
        ("scrape", f"{totals.value('fleetmeter_scrape_duration_seconds') * 1000:.1f} ms"),
    )


def _by_class(statuses: Mapping[str, int] | Mapping[int, int]) -> Counter[str]:
    """Counts by the first digit of the status."""
    classes: Counter[str] = Counter()
    for status, count in statuses.items():
        classes[str(status)[0]] += count
    return classes


def _minutes(seconds: float) -> str:
    return f"{round(seconds) // 60}:{round(seconds) % 60:02}"
