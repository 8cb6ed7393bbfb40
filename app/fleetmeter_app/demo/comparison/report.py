"""The summary that a demo ends with: the table, the verdict, and what is to be known beside."""

from rich import box
from rich.table import Table

from fleetmeter_app.demo.comparison.bills import added, untold
from fleetmeter_app.demo.comparison.row import dollars
from fleetmeter_app.demo.comparison.sides import Comparison
from fleetmeter_app.demo.gateway_toml import UNSTABLE
from fleetmeter_app.demo.teams import TRIAL
from fleetmeter_app.upstream.ledger import Outcomes


def summary_table(comparison: Comparison) -> Table:
    """The rows as a table. A row whose numbers differ is marked."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    for party in ("client", "ledger", "exporter"):
        table.add_column(party, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for section in comparison.sections:
        table.add_row(section.title, style="bold")
        for row in section.rows:
            mark, style = ("", "") if row.agrees else ("DIFFERS", "bold red")
            table.add_row(f"  {row.name}", *row.cells, mark, style=style)
    return table


def verdict(comparison: Comparison) -> str:
    """The result in a sentence or two, and what is to be known of it."""
    tally, rows = comparison.tally, comparison.rows
    parties = "client and exporter" if comparison.ledger is None else "client, ledger and exporter"
    wrong = comparison.wrong
    if wrong:
        text = f"{parties} DISAGREE in {len(wrong)} of {len(rows)} rows: {'; '.join(wrong)}."
        if all(row.has_more for row in wrong.values()):
            text += " The exporter has more, as if somebody else had asked these gateways, too."
    else:
        text = f"{parties} agree in all {len(rows)} rows."
    if tally.unknown:
        text += f" Not compared: {tally.unknown} requests whose outcome the client does not know."
    if tally.untold:
        text += f" {tally.untold} replies did not say how many models had been asked."
    return text


def remarks(comparison: Comparison) -> list[str]:
    """What the numbers alone do not say, a sentence or two for each."""
    tally, ledger = comparison.tally, comparison.ledger
    found = []
    if ledger is not None and (estimated := added(tally.estimated)).requests:
        bill = untold(ledger)
        found.append(
            f"{estimated.requests} streams were left before the upstream had told their usage. It billed "
            f"{_amount(bill)} for them, which nobody else can know; the gateway estimates a token for 4 bytes, "
            f"{_amount(estimated)}. The ledger's column has the estimate, too."
        )
    if over := tally.refusals["budget"]:
        found.append(
            f"Team {TRIAL.name} has used up its budget of {TRIAL.limit_usd:g} dollars: {over} of its requests got "
            "status 429, and the others went on."
        )
    if spared := tally.refusals["circuit"]:
        found.append(f"{UNSTABLE} was down for a while: its circuit breaker kept {spared} requests from it.")
    return found


def _amount(outcomes: Outcomes) -> str:
    return f"{outcomes.usage.total:,} tokens or {dollars(outcomes.nanodollars)} dollars"
