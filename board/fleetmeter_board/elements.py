"""What the page is made of: elements that are made once, and changed when what they show has changed."""

import time
from collections.abc import Callable
from html import escape

from nicegui import ui

from fleetmeter.watching.shown import Shown
from fleetmeter.watching.totals import Totals
from fleetmeter_board import charts, tables
from fleetmeter_board.charts import Chart
from fleetmeter_board.lookout import Lookout
from fleetmeter_board.sections import Section, span_text


def tag(name: str, classes: str = "") -> ui.element:
    """An empty element of this name."""
    element = ui.element(name)
    return element.classes(classes) if classes else element


def button(text: str, pressed: Callable[[], object], classes: str = "") -> ui.element:
    """A button that says in `aria-pressed` whether it is pressed: it is not, at first."""
    made = tag("button", classes).props('type="button" aria-pressed="false"')
    made.on("click", pressed)
    with made:
        ui.html(escape(text), sanitize=False, tag="span")
    return made


class Html:
    """An element whose content is replaced if it has changed."""

    def __init__(self, name: str, classes: str, props: str = "") -> None:
        self._element = ui.html("", sanitize=False, tag=name).classes(classes)
        if props:
            self._element.props(props)

    def show(self, content: str) -> None:
        """Have this HTML in it."""
        if self._element.content != content:
            self._element.set_content(content)


class ChartCard:
    """A chart with its title, its legend and its table; one line of text while there is nothing to draw."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self._card = tag("section", "card")
        with self._card.props(f'aria-labelledby="chart-{chart.key}" data-chart="{chart.key}"'):
            title = (
                f'<h3 id="chart-{chart.key}">{escape(chart.title)}</h3><span class="unit">{escape(chart.unit)}</span>'
            )
            ui.html(title, sanitize=False).classes("head")
            self._none = Html("p", "none")
            self._picture = ui.echart(charts.options(chart, Shown(900), time.time()), renderer="svg").classes("chart")
            self._picture.props(f'role="img" aria-label="{escape(chart.title)} The numbers are in the table below."')
            self._legend = Html("div", "")
            with tag("details", "numbers") as self._details:
                ui.html("As a table", sanitize=False, tag="summary").props(
                    f'aria-label="{escape(chart.title)} As a table"'
                )
                self._numbers = Html("div", "")

    def draw(self, shown: Shown) -> None:
        """Show the lines, or that there are none."""
        there = any(value is not None for line in self._chart.lines(shown).values() for value in line)
        for element in (self._picture, self._details):
            element.set_visibility(there)
        self._card.classes(remove="empty" if there else "", add="" if there else "empty")
        self._none.show("" if there else f"Nothing of this within the {span_text(shown.seconds)}.")
        if not there:
            self._legend.show("")
            return
        end = max(shown.times[-1], time.time()) if shown.seconds > 3600 else shown.times[-1]
        self._picture.options.clear()
        self._picture.options.update(charts.options(self._chart, shown, end))
        self._picture.update()
        self._legend.show(tables.legend(self._chart, shown))
        self._numbers.show(tables.numbers(self._chart, shown))


class SectionPart:
    """A part that can be folded; it is if there is nothing in it, and says why."""

    def __init__(self, section: Section) -> None:
        self._section = section
        self._open: bool | None = None
        with tag("details", "part").props(f'id="{section.key}"') as self._details:
            with tag("summary"):
                ui.html(escape(section.title), sanitize=False, tag="h2")
                self._why = Html("span", "why")
            with tag("div", "inside"):
                with tag("div", "charts"):
                    self._cards = [ChartCard(chart) for chart in section.charts]
                self._tables = Html("div", "tables")

    def draw(self, lookout: Lookout, totals: Totals, shown: Shown) -> None:
        """Show the part, or say why it is empty."""
        empty = self._section.empty(lookout, totals)
        self._why.show(escape(empty))
        if self._open != (not empty):
            self._open = not empty
            self._details.props("open" if self._open else "", remove="" if self._open else "open")
        if empty:
            return
        for card in self._cards:
            card.draw(shown)
        self._tables.show(self._section.tables(lookout, totals, shown))
