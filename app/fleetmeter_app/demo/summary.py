"""The summary: what the client got, what the upstream billed and what the exporter shows, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table

from fleetmeter.watching.totals import Totals
from fleetmeter_app.demo.tally import Tally
from fleetmeter_app.upstream.ledger import Account, Outcomes

TOKEN_TYPES = ("prompt", "cached", "cache_write", "completion", "reasoning")


@dataclass(frozen=True)
class SummaryRow:
    """One number, as each party knows it; None if a party cannot know it.

    If `exact` is false, the true number may be larger than the client's.
    """

    name: str
    client: int | None
    ledger: int | None
    exporter: int
    exact: bool = True

    @property
    def agrees(self) -> bool:
        """Whether no party contradicts the exporter."""
        if self.ledger not in (None, self.exporter):
            return False
        if self.client is None:
            return True
        return self.client == self.exporter if self.exact else self.client <= self.exporter


def compare(tally: Tally, ledger: Account | None, totals: Totals) -> list[SummaryRow]:
    """All rows. Without a ledger, because real models answered, its column stays empty."""
    told = not tally.unknown
    billed = _billed(ledger)
    return [*_http_rows(tally, totals, told), *_question_rows(tally, ledger, billed, totals, told and not tally.untold)]


def _http_rows(tally: Tally, totals: Totals, exact: bool) -> list[SummaryRow]:
    shown = totals.by("status", "http_requests_total")
    statuses = sorted({*shown, *map(str, tally.statuses)})
    replicas = totals.replica_requests()
    return [
        SummaryRow("HTTP requests", tally.requests, None, totals.total("http_requests_total"), exact),
        *(
            SummaryRow(f"  status {status}", tally.statuses[int(status)], None, shown[status], exact)
            for status in statuses
        ),
        *(
            SummaryRow(f"  {name}", tally.replicas[name], None, replicas.get(name, 0), exact)
            for name in sorted({*replicas, *tally.replicas})
        ),
    ]


def _question_rows(
    tally: Tally, ledger: Account | None, billed: Outcomes | None, totals: Totals, exact: bool
) -> list[SummaryRow]:
    operations = "prompt_cache_operations_total"
    hits = totals.total(operations, operation="get", result="hit")
    calls = totals.total("openai_api_calls_total")
    sent = calls + totals.total("openai_retries_total")
    tokens = totals.by("type", "openai_tokens_used_sum")
    return [
        SummaryRow("model selections", tally.selections, None, totals.total("model_selections_total"), exact),
        SummaryRow("cache hits", tally.hits, None, hits, exact),
        SummaryRow("cache misses", tally.misses, None, totals.total(operations, operation="get") - hits, exact),
        SummaryRow("cache puts", tally.paid_answers, None, totals.total(operations, operation="put"), exact),
        SummaryRow("fallbacks", tally.fallbacks, None, totals.total("model_fallbacks_total"), exact),
        SummaryRow("calls", tally.calls, None, calls, exact),
        *([] if ledger is None else [SummaryRow("calls and the SDK's retries", None, ledger.received, sent)]),
        SummaryRow(
            "answered calls",
            tally.paid_answers,
            None if billed is None else billed.answered,
            totals.total("openai_tokens_per_call_count"),
            exact,
        ),
        *(
            SummaryRow(
                f"tokens, {kind}",
                tally.tokens[kind],
                None if billed is None else getattr(billed.usage, kind),
                tokens[kind],
                exact,
            )
            for kind in TOKEN_TYPES
        ),
        *(
            SummaryRow(
                name,
                tally.nanodollars,
                None if billed is None else billed.nanodollars,
                totals.nanodollars(family),
                exact,
            )
            for name, family in (
                ("cost of the calls, nano-dollars", "openai_cost_usd_sum"),
                ("cost in total, nano-dollars", "openai_total_cost_usd_total"),
            )
        ),
        SummaryRow(
            "saved by the cache, nano-dollars",
            tally.saved_nanodollars,
            None,
            totals.nanodollars("cost_savings_usd_total", source="prompt_cache"),
            exact and tally.savings_are_exact,
        ),
    ]


def _billed(ledger: Account | None) -> Outcomes | None:
    """All answers that cost something, whether or not the client waited for them."""
    if ledger is None:
        return None
    billed = Outcomes()
    billed.add(ledger.delivered)
    billed.add(ledger.abandoned)
    return billed


def summary_table(rows: Sequence[SummaryRow]) -> Table:
    """The rows as a table. A row whose numbers differ is marked."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    for party in ("client", "ledger", "exporter"):
        table.add_column(party, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for row in rows:
        client = _number(row.client)
        table.add_row(
            row.name,
            client if row.exact or row.client is None else f"at least {client}",
            _number(row.ledger),
            _number(row.exporter),
            "" if row.agrees else "DIFFERS",
            style="" if row.agrees else "bold red",
        )
    return table


def verdict(rows: Sequence[SummaryRow], tally: Tally, *, with_ledger: bool) -> str:
    """The result in a sentence or two."""
    parties = "client, ledger and exporter" if with_ledger else "client and exporter"
    wrong = [row.name.strip() for row in rows if not row.agrees]
    if wrong:
        text = f"{parties} DISAGREE in {len(wrong)} of {len(rows)} rows: {', '.join(wrong)}."
    else:
        text = f"{parties} agree in all {len(rows)} rows."
    if tally.unknown:
        text += f" Not compared: {tally.unknown} requests whose outcome the client does not know."
    if tally.untold:
        text += f" {tally.untold} replies did not say how many models had been asked."
    return text


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
