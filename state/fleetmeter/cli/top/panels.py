"""The pieces that live views are put together from."""

from collections.abc import Iterable

from rich import box
from rich.console import RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from fleetmeter.cli.printing import shown
from fleetmeter.cli.top.totals import Totals

LINES = 5
"""Lines of a list of counts: two rows of panels and a head then fit a terminal of 24 lines."""


def panel(title: str, content: RenderableType) -> Panel:
    """Something in a thin frame."""
    return Panel(content, title=title, title_align="left", box=box.ROUNDED, border_style="dim", padding=(0, 1))


def plain(text: str) -> Text:
    """Text from anywhere, which is neither markup nor anything else to a terminal."""
    return Text(shown(text))


def side_by_side(*parts: tuple[int, RenderableType]) -> Table:
    """Parts beside each other over the whole width, each with its share of it."""
    grid = Table.grid(expand=True)
    for share, _ in parts:
        grid.add_column(ratio=share)
    grid.add_row(*(part for _, part in parts))
    return grid


def facts(*pairs: tuple[str, str]) -> Table:
    """Names and texts, one pair a line."""
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    for pair in pairs:
        table.add_row(*map(plain, pair))
    return table


def counts(counted: Iterable[tuple[str, int]]) -> Table:
    """Names and numbers, as many as there is room for; the last line adds up what does not fit."""
    pairs = list(counted)
    if len(pairs) > LINES:
        pairs = [*pairs[: LINES - 1], ("others", sum(count for _, count in pairs[LINES - 1 :]))]
    table = Table.grid(expand=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for name, count in pairs:
        table.add_row(plain(name), f"{count:,}")
    for _ in range(LINES - len(pairs)):
        table.add_row("", "")
    return table


def dollars(totals: Totals, name: str, **labels: str) -> str:
    """What a family in dollars adds up to, to the micro-dollar."""
    return f"${totals.nanodollars(name, **labels) / 1e9:,.6f}"
