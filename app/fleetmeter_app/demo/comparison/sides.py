"""What the client got, what the upstream billed and what the exporter shows, side by side."""

from dataclasses import dataclass
from datetime import UTC, datetime

from fleetmeter.watching.totals import Totals
from fleetmeter_app.demo.comparison.bills import added, bills
from fleetmeter_app.demo.comparison.row import SummaryRow
from fleetmeter_app.demo.gateway_toml import EMBEDDING
from fleetmeter_app.demo.traffic.tally import ASK, Tally
from fleetmeter_app.upstream.ledger import Ledger, Outcomes

TOKEN_TYPES = ("prompt", "cached", "cache_write", "completion", "reasoning")

_REQUESTS = "http_requests_total"
_CALLS = "openai_api_calls_total"
_ABORTS = "openai_stream_aborts_total"


@dataclass(frozen=True)
class Section:
    """Rows that belong together."""

    title: str
    rows: list[SummaryRow]


@dataclass(frozen=True)
class Comparison:
    """All numbers side by side. Without a ledger, because real models answered, its column stays empty."""

    sections: list[Section]
    tally: Tally
    ledger: Ledger | None

    @property
    def rows(self) -> list[SummaryRow]:
        """The rows of all sections."""
        return [row for section in self.sections for row in section.rows]

    @property
    def agrees(self) -> bool:
        """Whether all numbers do."""
        return not self.wrong

    @property
    def wrong(self) -> dict[str, SummaryRow]:
        """The rows whose numbers differ, by their names."""
        return {
            f"{section.title}, {row.name}": row for section in self.sections for row in section.rows if not row.agrees
        }


def compare(tally: Tally, ledger: Ledger | None, totals: Totals) -> Comparison:
    """Put the three side by side."""
    told = not tally.unknown
    exact = told and not tally.untold
    billed = None if ledger is None else added(bills(ledger, tally.estimated))
    sections = [
        Section("HTTP requests", _requests(tally, totals, told)),
        Section("cache and routing", _routing(tally, totals, exact)),
        Section("calls of models", _calls(tally, ledger, billed, totals, exact)),
        Section("tokens", _tokens(tally, ledger, billed, totals, exact)),
        Section("US dollars", _money(tally, billed, totals, exact)),
    ]
    if ledger is not None:
        sections.append(Section("refused", _refusals(tally, totals, exact)))
    sections = [Section(each.title, [row for row in each.rows if row.shown]) for each in sections]
    return Comparison(sections, tally, ledger)


def _requests(tally: Tally, totals: Totals, exact: bool) -> list[SummaryRow]:
    statuses, paths = totals.by("status", _REQUESTS), totals.by("endpoint", _REQUESTS)
    replicas = totals.replica_requests()
    return [
        SummaryRow("all", tally.requests, None, totals.total(_REQUESTS), exact),
        *(
            SummaryRow(f"to {path}", tally.paths[path], None, paths[path], exact)
            for path in sorted({ASK, *paths, *tally.paths})
        ),
        *(
            SummaryRow(f"by {name}", tally.replicas[name], None, replicas.get(name, 0), exact)
            for name in sorted({*replicas, *tally.replicas})
        ),
        *(
            SummaryRow(f"status {status}", tally.statuses[int(status)], None, statuses[status], exact)
            for status in sorted({*statuses, *map(str, +tally.statuses)})
        ),
        SummaryRow(
            "sent again by the SDK", tally.repeated, None, totals.total("client_retries_total"), exact, optional=True
        ),
    ]


def _routing(tally: Tally, totals: Totals, exact: bool) -> list[SummaryRow]:
    operations = "prompt_cache_operations_total"
    hits = totals.total(operations, operation="get", result="hit")
    return [
        SummaryRow("model chosen", tally.selections, None, totals.total("model_selections_total"), exact),
        SummaryRow("fallbacks", tally.fallbacks, None, totals.total("model_fallbacks_total"), exact),
        SummaryRow("cache hits", tally.hits, None, hits, exact),
        SummaryRow("cache misses", tally.misses, None, totals.total(operations, operation="get") - hits, exact),
        SummaryRow("cache puts", tally.puts, None, totals.total(operations, operation="put"), exact),
    ]


def _calls(
    tally: Tally, ledger: Ledger | None, billed: Outcomes | None, totals: Totals, exact: bool
) -> list[SummaryRow]:
    shown = totals.by("endpoint", _CALLS)
    sent = totals.total(_CALLS) + totals.total("openai_retries_total")
    streams = totals.total(_CALLS, stream="true") - totals.total(_ABORTS)
    answered = totals.total("openai_tokens_per_call_count")
    tools = totals.by("status", "tool_executions_total")
    return [
        SummaryRow("all", tally.calls.total(), None, totals.total(_CALLS), exact),
        *(
            SummaryRow(endpoint, tally.calls[endpoint], None, shown[endpoint], exact)
            for endpoint in sorted({*shown, *tally.calls})
        ),
        *([] if ledger is None else [SummaryRow("with retries", None, ledger.total().received, sent)]),
        SummaryRow("answered", tally.paid_answers, None if billed is None else billed.answered, answered, exact),
        SummaryRow("streams, to the end", tally.streams, None, streams, exact, optional=True),
        *(
            SummaryRow(
                f"streams left, {usage}", tally.left[usage], None, totals.total(_ABORTS, usage=usage), exact,
                optional=True,
            )
            for usage in ("reported", "estimated", "unknown")
        ),
        SummaryRow(
            "first tokens timed", tally.first_tokens, None, totals.total("openai_time_to_first_token_seconds_count"),
            exact, optional=True,
        ),
        *(
            SummaryRow(f"tools run, {status}", tally.tools[status], None, tools[status], exact)
            for status in sorted({*tools, *tally.tools})
        ),
    ]  # fmt: skip


def _tokens(
    tally: Tally, ledger: Ledger | None, billed: Outcomes | None, totals: Totals, exact: bool
) -> list[SummaryRow]:
    tokens = totals.by("type", "openai_tokens_used_sum")
    embedded = None if ledger is None else ledger.account(EMBEDDING).delivered.usage.total
    return [
        *(
            SummaryRow(
                kind, tally.tokens[kind], None if billed is None else getattr(billed.usage, kind), tokens[kind], exact
            )
            for kind in TOKEN_TYPES
        ),
        SummaryRow(
            "of these, for embeddings", tally.embedding_tokens, embedded,
            totals.total("openai_tokens_used_sum", model=EMBEDDING), exact, optional=True,
        ),
    ]  # fmt: skip


def _money(tally: Tally, billed: Outcomes | None, totals: Totals, exact: bool) -> list[SummaryRow]:
    paid = None if billed is None else billed.nanodollars
    families = {"spent in total": "openai_total_cost_usd_total", "spent, call by call": "openai_cost_usd_sum"}
    now = datetime.now(UTC)
    # A budget begins anew with the month: a demo that goes on into the next one has no number for all of it.
    teams = sorted(tally.spent) if (now.year, now.month) == (tally.began.year, tally.began.month) else []
    return [
        *(
            SummaryRow(name, tally.nanodollars, paid, totals.nanodollars(family), exact, money=True)
            for name, family in families.items()
        ),
        *(
            SummaryRow(
                f"by team {team}", tally.spent[team], None, totals.nanodollars("budget_spent_usd", budget=team), exact,
                money=True,
            )
            for team in teams
            if billed is not None
        ),
        SummaryRow(
            "saved by the cache", tally.saved_nanodollars, None,
            totals.nanodollars("cost_savings_usd_total", source="prompt_cache"), exact and tally.savings_are_exact,
            money=True,
        ),
    ]  # fmt: skip


def _refusals(tally: Tally, totals: Totals, exact: bool) -> list[SummaryRow]:
    opened = totals.total("errors_total", type="CircuitOpenError")
    return [
        SummaryRow("over budget", tally.refusals["budget"], None, totals.total("budget_rejections_total"), exact),
        SummaryRow("unknown key", tally.refusals["key"], None, totals.total("gateway_key_rejections_total"), exact),
        SummaryRow("circuit open", tally.refusals["circuit"], None, opened, exact),
    ]
