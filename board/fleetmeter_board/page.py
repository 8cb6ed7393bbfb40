"""The page: its frame, and the parts that are filled anew while somebody looks."""

import time
from collections.abc import Callable
from functools import cache, partial
from html import escape
from importlib import resources

from nicegui import ui

import fleetmeter
from fleetmeter.cli.printing import counted, seconds_text
from fleetmeter.settings import without_password
from fleetmeter.watching.shown import Shown
from fleetmeter.watching.totals import Totals
from fleetmeter.watching.trust import clock
from fleetmeter_board import charts, parts, tables
from fleetmeter_board.charts import Chart
from fleetmeter_board.colours import style_sheet
from fleetmeter_board.lookout import Lookout
from fleetmeter_board.sections import SECTIONS, Section, span_text

_SPANS = (300.0, 900.0, 3600.0)
_LONG_SPANS = (6 * 3600.0, 24 * 3600.0, 7 * 24 * 3600.0)
"""Seconds that can be shown; the long ones need a Prometheus."""
_REDRAWN = 5.0
"""Seconds between two pictures of a chart."""


@cache
def head() -> str:
    """Style and scripts; nothing is loaded from elsewhere."""
    files = resources.files("fleetmeter_board")
    style = (files / "style.css").read_text(encoding="utf-8")
    style = style.replace("LIGHT", style_sheet("light")).replace("DARK", style_sheet("dark"))
    script = (files / "page.js").read_text(encoding="utf-8")
    return f"<style>{style}</style><script>{script}</script>"


class Page:
    """One open page. Its elements are made once; `refresh` changes those whose content has changed."""

    def __init__(self, lookout: Lookout) -> None:
        self._lookout = lookout
        self._span = 900.0
        self._paused = False
        self._drawn_at = 0.0
        self._spans: dict[float, ui.element] = {}
        self._charts: list[_ChartCard] = []
        self._sections: list[_SectionPart] = []
        self._build()

    def _build(self) -> None:
        ui.add_head_html(head())
        ui.add_body_html('<a class="skip" href="#board">Skip to the numbers</a>')
        with ui.header(fixed=False, elevated=False).props('aria-label="Fleetmeter board"'), _tag("div", "bar"):
            ui.html(self._title(), sanitize=False, tag="div").classes("place")
            with _tag("div", "choices").props('role="group" aria-label="Time shown in charts"'):
                for seconds in (*_SPANS, *(_LONG_SPANS if self._lookout.prometheus else ())):
                    self._spans[seconds] = _button(_short_span(seconds), partial(self._show, seconds))
            self._pause = _tag("button", "plain").props('type="button" aria-pressed="false"')
            self._pause.on("click", self._toggle)
            with self._pause:
                ui.html("Pause", sanitize=False, tag="span")
            themes = "".join(
                f'<button type="button" data-choice="{choice}" aria-pressed="false" onclick="fmTheme(\'{choice}\')">'
                f"{name}</button>"
                for choice, name in (("", "System"), ("light", "Light"), ("dark", "Dark"))
            )
            ui.html(themes, sanitize=False).classes("choices").props('role="group" aria-label="Colours"')
        with _tag("div", "board").props('id="board" tabindex="-1"'):
            self._trust = _tag("section", "trust").props('aria-labelledby="trust-title"')
            with self._trust:
                ui.html("Can these numbers be trusted?", sanitize=False, tag="h2").props('id="trust-title"')
                self._verdict = _Html("p", "verdict", 'role="status" aria-live="polite" id="verdict"')
                self._reasons = _Html("div", "reasons")
            ui.html("Now", sanitize=False, tag="h2").classes("unseen")
            self._tiles = _Html("div", "tiles")
            ui.html("Over time", sanitize=False, tag="h2").classes("unseen")
            self._source = _Html("p", "none source")
            with _tag("div", "charts"):
                self._charts += [_ChartCard(chart) for chart in charts.FIRST]
            self._sections += [_SectionPart(section) for section in SECTIONS]
            ui.html(_foot(), sanitize=False, tag="div").classes("foot")
        self._mark()
        ui.run_javascript("fmMark(); fmFold()")

    async def refresh(self) -> None:
        """Fill everything anew that has changed, unless the reader has paused it."""
        if self._paused:
            return
        lookout, overview = self._lookout, self._lookout.overview
        trust = overview.trust
        self._trust.classes(replace=f"trust {trust.level}")
        self._verdict.show(parts.verdict(trust))
        self._reasons.show(parts.reasons(trust, self._notes()))
        self._tiles.show(parts.tiles(lookout))
        if time.monotonic() - self._drawn_at >= _REDRAWN or lookout.looks < 4:
            self._drawn_at = time.monotonic()
            await self._draw()

    async def _draw(self) -> None:
        span = self._span
        shown = await self._lookout.shown(span)
        if span != self._span:  # another one was chosen while a Prometheus answered
            return
        watch = self._lookout.overview.watch
        totals = Totals(()) if watch.now is None else watch.now.totals
        self._source.show(self._source_text(shown))
        for card in self._charts:
            card.draw(shown)
        for section in self._sections:
            section.draw(self._lookout, totals, shown)

    def _source_text(self, shown: Shown) -> str:
        if shown.problem:
            return f'<span class="bad">{escape(shown.problem)}</span>'
        known = self._lookout.overview.history.seconds
        if shown.seconds > 3600 or known >= shown.seconds - 5:
            return f"Charts: {span_text(shown.seconds)}, {escape(shown.source)}."
        longer = "" if self._lookout.prometheus else " A Prometheus knows more: start the board with --prometheus URL."
        return f"Charts: {span_text(shown.seconds)}; this board has watched for {seconds_text(known)}.{longer}"

    def _notes(self) -> list[str]:
        """What is worth knowing, and no reason for doubt."""
        now = self._lookout.overview.watch.now
        if self._lookout.prometheus_problem:
            return [f"History: {self._lookout.prometheus_problem}."]
        if now is None or self._lookout.overview.watch.trouble is not None:
            return []
        alive = counted(len(now.snapshot.alive), "replica")
        return [f"{alive} alive; read at {clock(now.snapshot.taken_us / 1e6)}.", *self._scraped()]

    def _scraped(self) -> list[str]:
        """What is wrong with a Prometheus' scrapes; it concerns the history, and not the numbers of the store."""
        found = self._lookout.scrapes
        targets, up, copies = found.get("scraped", 1.0), found.get("up", 1.0), found.get("copies", 1.0)
        if copies > 1:
            problem = f"the Prometheus scrapes the fleet {copies:.0f} times, so its sums are multiples of the truth"
            return [f"History: {problem}; scrape one address."]
        return ["History: the Prometheus cannot reach the exporter, so it has gaps."] if up < targets else []

    def _title(self) -> str:
        settings = self._lookout.target.settings
        return f"<h1>Fleetmeter: {escape(settings.namespace)}</h1>{escape(without_password(settings.url))}"

    async def _show(self, seconds: float) -> None:
        self._span = seconds
        self._mark()
        await self._draw()

    def _toggle(self) -> None:
        self._paused = not self._paused
        self._pause.props(f'aria-pressed="{str(self._paused).lower()}"')

    def _mark(self) -> None:
        for seconds, button in self._spans.items():
            button.props(f'aria-pressed="{str(seconds == self._span).lower()}"')


class _Html:
    """An element whose content is replaced if it has changed."""

    def __init__(self, tag: str, classes: str, props: str = "") -> None:
        self._element = ui.html("", sanitize=False, tag=tag).classes(classes)
        if props:
            self._element.props(props)

    def show(self, content: str) -> None:
        if self._element.content != content:
            self._element.set_content(content)


class _ChartCard:
    """A chart with its title, its legend and its table; one line of text while there is nothing to draw."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self._card = _tag("section", "card")
        with self._card.props(f'aria-labelledby="chart-{chart.key}" data-chart="{chart.key}"'):
            title = (
                f'<h3 id="chart-{chart.key}">{escape(chart.title)}</h3><span class="unit">{escape(chart.unit)}</span>'
            )
            ui.html(title, sanitize=False).classes("head")
            self._none = _Html("p", "none")
            self._picture = ui.echart(charts.options(chart, Shown(900), time.time()), renderer="svg").classes("chart")
            self._picture.props(f'role="img" aria-label="{escape(chart.title)} The numbers are in the table below."')
            self._legend = _Html("div", "")
            with _tag("details", "numbers") as self._details:
                ui.html("As a table", sanitize=False, tag="summary").props(
                    f'aria-label="{escape(chart.title)} As a table"'
                )
                self._numbers = _Html("div", "")

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


class _SectionPart:
    """A part that can be folded; it is if there is nothing in it, and says why."""

    def __init__(self, section: Section) -> None:
        self._section = section
        self._open: bool | None = None
        with _tag("details", "part").props(f'id="{section.key}"') as self._details:
            with _tag("summary", ""):
                ui.html(escape(section.title), sanitize=False, tag="h2")
                self._why = _Html("span", "why")
            with _tag("div", "inside"):
                with _tag("div", "charts"):
                    self._cards = [_ChartCard(chart) for chart in section.charts]
                self._tables = _Html("div", "tables")

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


def _tag(name: str, classes: str) -> ui.element:
    element = ui.element(name)
    return element.classes(classes) if classes else element


def _button(text: str, pressed: Callable[[], object]) -> ui.element:
    button = _tag("button", "").props('type="button" aria-pressed="false"')
    button.on("click", pressed)
    with button:
        ui.html(escape(text), sanitize=False, tag="span")
    return button


def _short_span(seconds: float) -> str:
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds <= 86_400 else f"{seconds / 86_400:.0f} d"


def _foot() -> str:
    zone = time.strftime("%Z")
    return (
        f"<p>fleetmeter {fleetmeter.__version__}. Times are those of the machine that runs the board ({escape(zone)}), "
        "in charts those of this browser. The tiles show the last minute; money is exact to the nano-dollar, latency "
        "is interpolated inside the histogram's buckets. This page only reads.</p>"
    )
