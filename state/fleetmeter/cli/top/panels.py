"""The parts from which live views are built."""

from collections.abc import Iterable

from rich import box
from rich.console import RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from fleetmeter.cli.printing import shown
from fleetmeter.watching.totals import Totals

LINES = 5
"""Lines of a list of counts; so two rows of panels and a head fit a terminal of 24 lines."""


def panel(title: str, content: RenderableType) -> Panel:
    """A part in a thin frame with a title."""
    return Panel(content, title=title, title_align="left", box=box.ROUNDED, border_style="dim", padding=(0, 1))


def plain(text: str) -> Text:
    """Text that is shown as it is: rich reads no markup in it, and it cannot control the terminal."""
    return Text(shown(text))


def side_by_side(*parts: tuple[int, RenderableType]) -> Table:
    """Parts beside each other over the whole width; a part with share 2 is twice as wide as one with 1."""
    grid = Table.grid(expand=True)
    for share, _ in parts:
        grid.add_column(ratio=share)
    grid.add_row(*(part for _, part in parts))
    return grid


def facts(*pairs: tuple[str, str]) -> Table:
    """Pairs of name and text, one on each line."""
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    for pair in pairs:
        table.add_row(*map(plain, pair))
    return table


def counts(counted: Iterable[tuple[str, int]]) -> Table:
    """Names and numbers in `LINES` lines. If there are more, the last line adds up the others."""
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
    """The sum of a family in dollars, as text, to the micro-dollar."""
    return money(totals.nanodollars(name, **labels))


def money(nanodollars: int) -> str:
    """An amount in dollars, as text, to the micro-dollar."""
    return f"${nanodollars / 1e9:,.6f}"
