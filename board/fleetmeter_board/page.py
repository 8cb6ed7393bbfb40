"""The page: its frame, and the parts that are filled anew while somebody looks."""

import time
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
from fleetmeter_board import charts, parts
from fleetmeter_board.colours import style_sheet
from fleetmeter_board.elements import ChartCard, Html, SectionPart, button, tag
from fleetmeter_board.lookout import Lookout
from fleetmeter_board.sections import SECTIONS, span_text

_SPANS = {300.0: "5 min", 900.0: "15 min", 3600.0: "1 h"}
_LONG_SPANS = {6 * 3600.0: "6 h", 24 * 3600.0: "24 h", 7 * 24 * 3600.0: "7 d"}
"""Seconds that can be shown, and their buttons; the long ones need a Prometheus."""
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
        self._charts: list[ChartCard] = []
        self._sections: list[SectionPart] = []
        self._build()

    def _build(self) -> None:
        ui.add_head_html(head())
        ui.add_body_html('<a class="skip" href="#board">Skip to the numbers</a>')
        with ui.header(fixed=False, elevated=False).props('aria-label="Fleetmeter board"'), tag("div", "bar"):
            ui.html(self._title(), sanitize=False, tag="div").classes("place")
            with tag("div", "choices").props('role="group" aria-label="Time shown in charts"'):
                for seconds, name in (_SPANS | (_LONG_SPANS if self._lookout.prometheus else {})).items():
                    self._spans[seconds] = button(name, partial(self._show, seconds))
            self._pause = button("Pause", self._toggle, "plain")
            themes = "".join(
                f'<button type="button" data-choice="{choice}" aria-pressed="false" onclick="fmTheme(\'{choice}\')">'
                f"{name}</button>"
                for choice, name in (("", "System"), ("light", "Light"), ("dark", "Dark"))
            )
            ui.html(themes, sanitize=False).classes("choices").props('role="group" aria-label="Colours"')
        with tag("div", "board").props('id="board" tabindex="-1"'):
            self._trust = tag("section", "trust").props('aria-labelledby="trust-title"')
            with self._trust:
                ui.html("Can these numbers be trusted?", sanitize=False, tag="h2").props('id="trust-title"')
                self._verdict = Html("p", "verdict", 'role="status" aria-live="polite" id="verdict"')
                self._reasons = Html("div", "reasons")
            ui.html("Now", sanitize=False, tag="h2").classes("unseen")
            self._tiles = Html("div", "tiles")
            ui.html("Over time", sanitize=False, tag="h2").classes("unseen")
            self._source = Html("p", "none source")
            with tag("div", "charts"):
                self._charts += [ChartCard(chart) for chart in charts.FIRST]
            self._sections += [SectionPart(section) for section in SECTIONS]
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
        for seconds, choice in self._spans.items():
            choice.props(f'aria-pressed="{str(seconds == self._span).lower()}"')


def _foot() -> str:
    zone = time.strftime("%Z")
    return (
        f"<p>fleetmeter {fleetmeter.__version__}. Times are those of the machine that runs the board ({escape(zone)}), "
        "in charts those of this browser. The tiles show the last minute; money is exact to the nano-dollar, latency "
        "is interpolated inside the histogram's buckets. This page only reads.</p>"
    )
