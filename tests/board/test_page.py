"""The board in a real browser: every chart has data, figures are the exporter's, and it can be read by anybody."""

import re
import signal
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from playwright.sync_api import Browser, Page, expect

from fleetmeter.embedded import EmbeddedStore
from fleetmeter_board import charts
from fleetmeter_board.colours import contrast
from fleetmeter_board.sections import SECTIONS, span_text
from support.board import RunningBoard, running_board, running_service
from support.proxy import FaultProxy
from support.scraping import scrape
from support.store import StoreAddress, new_address

PATIENCE = 40_000
"""Milliseconds."""
CHARTS = [chart.key for chart in (*charts.FIRST, *(chart for section in SECTIONS for chart in section.charts))]


class Watched:
    """A board of a service, the proxy to its store, and what its page has said and asked for."""

    def __init__(self, board: RunningBoard, store: StoreAddress, proxy: FaultProxy, page: Page) -> None:
        self.board, self.store, self.proxy, self.page = board, store, proxy, page
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.hosts.add(request.url.partition("//")[2].partition("/")[0]))
        page.on("websocket", lambda socket: self.hosts.add(socket.url.partition("//")[2].partition("/")[0]))


@pytest.fixture(scope="module")
def watched(browser: Browser, server: EmbeddedStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A page that has been open until each chart was drawn; the service has ended by then, so that numbers stand."""
    store, folder = new_address(server), tmp_path_factory.mktemp("board")
    with FaultProxy(server.url) as proxy:
        seen = StoreAddress(proxy.url(), store.namespace)
        with running_board(seen, folder, "--interval", "0.5") as board:
            with running_service(store, folder) as service:
                page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
                page.set_default_timeout(PATIENCE)
                watched = Watched(board.ready(), store, proxy, page)
                page.goto(board.address)
                for key in CHARTS:
                    page.locator(f'[data-chart="{key}"] .legend li').first.wait_for(state="attached")
                service.send_signal(signal.SIGTERM)
                service.wait()
            page.wait_for_timeout(7000)  # tables and charts are drawn each 5 s
            yield watched
            page.close()


def tile(page: Page, key: str) -> str:
    """What a tile says."""
    return page.locator(f'[data-tile="{key}"]').inner_text()


def test_the_time_shown_is_in_its_largest_unit() -> None:
    """What tables and the source line call a span: a week is not 168 hours."""
    named = [span_text(seconds) for seconds in (300, 3600, 86_400, 604_800)]
    assert named == ["last 5 min", "last 60 min", "last 24 h", "last 7 d"]


def test_each_chart_has_data(watched: Watched) -> None:
    """Each chart has lines, a legend with as many names, and a table with the same numbers."""
    for key in CHARTS:
        card = watched.page.locator(f'[data-chart="{key}"]')
        names = card.locator(".legend li")
        assert names.count() > 0, key
        assert card.locator("details tbody tr").count() == names.count(), key
        assert card.locator(".chart svg path").count() > names.count(), key
        assert "NaN" not in card.inner_text(), key


def test_figures_are_the_exporters(watched: Watched) -> None:
    """Tiles and tables show what an exporter serves of the same namespace, to the last digit that they have."""
    samples = scrape(watched.store)

    def total(name: str, **labels: str) -> float:
        wanted = labels.items()
        return sum(value for (found, pairs), value in samples.items() if found == name and wanted <= set(pairs))

    page = watched.page
    requests = total("http_requests_total")
    expect(page.locator('[data-tile="requests"]')).to_contain_text(f"{requests:,.0f} since")
    failed = total("http_requests_total", status="500")
    assert f"{failed:,.0f} answered with 5xx" in tile(page, "errors")
    cost = total("openai_total_cost_usd_total")
    assert cost > 0
    for key in ("today", "month"):
        assert f"${cost:.{2 if cost >= 1 else 4 if cost >= 0.01 else 6}f}" in tile(page, key)
    calls = total("openai_api_calls_total")
    assert f"{calls:,.0f} since" in tile(page, "calls")
    fallbacks = page.get_by_role("region", name="Fallbacks").get_by_role("row", name="rate_limited")
    expect(fallbacks).to_have_text(re.compile(f"{total('model_fallbacks_total'):,.0f}$"))  # a table is drawn each 5 s
    for model in ("gpt-6-luna", "gpt-6.1-sol"):
        row = page.get_by_role("region", name="Cost by model").get_by_role("row", name=model)
        (shown,) = re.findall(r"\$([0-9.]+)$", row.inner_text())
        assert float(shown) == pytest.approx(total("openai_total_cost_usd_total", model=model), abs=5.01e-7)


def test_labels_of_the_users_own_are_shown_as_they_are(watched: Watched) -> None:
    """A team's name that looks like markup is text."""
    table = watched.page.get_by_role("region", name="Cost by team")
    assert "[ads] <b>&amp;" in table.inner_text()
    assert "search" in table.inner_text()


def test_it_asks_no_other_host_and_logs_no_error(watched: Watched) -> None:
    """Everything comes from the board itself, and the browser's console has no error."""
    assert watched.hosts == {watched.board.address.partition("//")[2]}
    assert watched.errors == []


def test_every_control_has_a_name_and_every_landmark_is_there(watched: Watched) -> None:
    """One main part, a banner, headings in order, a name for each control, chart and table, and a language."""
    page = watched.page
    assert page.locator("main").count() == 1
    assert page.get_by_role("banner").count() == 1
    assert page.locator("html").get_attribute("lang") == "en-US"
    assert page.locator("h1").count() == 1
    levels = page.eval_on_selector_all("h1,h2,h3", "all => all.map(one => +one.tagName[1])")
    assert all(after - before <= 1 for before, after in pairwise(levels))
    unnamed = page.eval_on_selector_all(
        "button, summary, a[href], [role=img], [role=region], [role=group], section, table",
        """all => all.filter(one => {
          const by = one.getAttribute("aria-labelledby"), caption = one.querySelector("caption, h3");
          const name = one.getAttribute("aria-label") || (by && document.getElementById(by)?.textContent) ||
            (caption && caption.textContent) || one.textContent;
          return !name.trim();
        }).map(one => one.outerHTML.slice(0, 120))""",
    )
    assert unnamed == []
    assert page.locator("td, th").count() == page.locator("td:not([role]), th[scope], td[role]").count()
    ids = page.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
    assert len(ids) == len(set(ids))
    live = page.locator("[aria-live=polite]")
    assert live.count() >= 1
    assert "Yes" in page.locator("#verdict").inner_text()


def test_the_keyboard_reaches_every_control_in_the_order_of_the_page(watched: Watched) -> None:
    """Tab goes from the skip link through the controls above to the parts below, and shows where it is."""
    page = watched.page
    page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    page.locator("body").focus()
    names = []
    for _ in range(12):
        page.keyboard.press("Tab")
        found = page.evaluate(
            "[document.activeElement.textContent.trim(), getComputedStyle(document.activeElement).outlineStyle]"
        )
        names.append(found[0])
        assert found[1] != "none" or found[0].startswith("Skip"), found
    assert names[:8] == ["Skip to the numbers", "5 min", "15 min", "1 h", "Pause", "System", "Light", "Dark"]
    page.keyboard.press("Shift+Tab")
    summary = page.locator("details#errors > summary")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.locator("details#errors")).not_to_have_attribute("open", "")
    page.keyboard.press("Enter")
    expect(page.locator("details#errors")).to_have_attribute("open", "")


_COLOURS = """() => {
  const parse = text => (text.match(/[0-9.]+/g) || []).map(Number);
  const behind = one => {
    for (; one; one = one.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(one).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const found = new Set(), walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const one = walk.currentNode.parentElement;
    const hidden = "script, style, .nicegui-error-popup, .unseen, .tip, #esm-fallback";
    if (!walk.currentNode.textContent.trim() || !one.checkVisibility() || one.closest(hidden)) continue;
    const style = getComputedStyle(one), ink = one.closest("svg") ? style.fill : style.color;
    found.add(JSON.stringify([parse(ink).slice(0, 3), behind(one), one.className.baseVal ?? one.className]));
  }
  return [...found].map(JSON.parse);
}"""


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_contrast_is_enough_in_both_themes(theme: str, watched: Watched) -> None:
    """The switch chooses the theme, and each text stands out from what is behind it by 4.5 at least."""
    page = watched.page
    page.get_by_role("button", name=theme).click()
    expect(page.get_by_role("button", name=theme)).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(400)  # until colours have changed
    found: list[Any] = page.evaluate(_COLOURS)
    assert len(found) > 5
    grounds = {tuple(ground) for _, ground, _ in found}
    pressed = {(28, 32, 38), (220, 221, 227)}  # the ink of each theme
    assert {sum(ground) > 380 for ground in grounds - pressed} == {theme == "Light"}
    weak = [one for one in found if contrast(_hex(one[0]), _hex(one[1])) < 4.5]
    assert weak == []
    page.get_by_role("button", name="System").click()


def _hex(parts: list[float]) -> str:
    return "#" + "".join(f"{round(part):02X}" for part in parts)


def test_the_system_chooses_the_theme_and_the_choice_is_kept(watched: Watched) -> None:
    """Without a choice the page follows the system; with one, the next visit has it, too."""
    page = watched.page

    def ground() -> str:
        page.wait_for_timeout(100)
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light = ground()
    page.emulate_media(color_scheme="dark")
    dark = ground()
    assert light != dark
    page.get_by_role("button", name="Light").click()
    assert ground() == light
    page.reload()
    assert ground() == light
    expect(page.get_by_role("button", name="Light")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="System").click()
    assert ground() == dark
    page.emulate_media(color_scheme="light")


def test_a_phone_needs_no_sideways_scrolling(watched: Watched, browser: Browser) -> None:
    """At 360 px the page is no wider than the screen; what lies below the first charts is folded, and opens."""
    page = browser.new_page(viewport={"width": 360, "height": 740}, has_touch=True)
    page.set_default_timeout(PATIENCE)
    page.goto(watched.board.address)
    expect(page.locator("details#money")).not_to_have_attribute("open", "")
    page.locator("details#money > summary").click()
    page.locator("details#health > summary").click()
    expect(page.locator("details#health")).to_have_attribute("open", "")
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    targets = page.eval_on_selector_all("button", "all => all.map(one => one.getBoundingClientRect().height)")
    assert min(targets) >= 24
    page.close()


def test_pause_stops_the_page_from_changing(watched: Watched) -> None:
    """While it is paused nothing on the page changes; going on, it does."""
    page = watched.page
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Pause")).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(300)
    before = page.locator("#board").inner_text()
    page.wait_for_timeout(2500)
    assert page.locator("#board").inner_text() == before
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Pause")).to_have_attribute("aria-pressed", "false")
    read = re.escape(re.findall(r"read at [0-9:]+", before)[0])
    expect(page.locator(".trust")).not_to_contain_text(re.compile(read))


def test_a_store_that_goes_away_is_said_in_words_and_comes_back(watched: Watched) -> None:
    """The verdict says it, with the reason; the numbers stay; and once the store is back, all is as before."""
    page = watched.page
    requests = tile(page, "requests").partition("since")[0].split()[-1]
    watched.proxy.refuse()
    expect(page.locator("#verdict")).to_contain_text("No: the store cannot be read")
    expect(page.locator(".trust")).to_contain_text("this page comes back by itself")
    assert requests in tile(page, "requests")
    watched.proxy.accept()
    expect(page.locator("#verdict")).to_contain_text("Yes")
    assert requests in tile(page, "requests")
    assert "the store cannot be read" in watched.board.log
    assert "the store is back" in watched.board.log
    assert watched.errors == []


def test_parts_without_data_are_folded_and_say_why(
    board: Callable[..., RunningBoard], browser: Browser, store: StoreAddress
) -> None:
    """A fleet that has recorded nothing has no chart and no figure, but a reason in each part."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(board().ready().address)
    expect(page.locator("#verdict")).to_contain_text("Nothing has been recorded yet")
    for section in SECTIONS:
        part = page.locator(f"details#{section.key}")
        if section.key != "health":
            expect(part).not_to_have_attribute("open", "")
            expect(part.locator("summary .why")).to_contain_text(re.compile("nobody|no process"))
    assert "$" not in page.locator(".tiles").inner_text()
    page.close()


def test_a_user_with_a_password_sees_it_live(
    board: Callable[..., RunningBoard], browser: Browser, tmp_path: Path
) -> None:
    """The browser gives the password for the page's live connection, too."""
    config = tmp_path / "web.yml"
    config.write_text(f"basic_auth_users: {{ann: '{bcrypt.hashpw(b'sesame', bcrypt.gensalt(4)).decode()}'}}\n")
    running = board("--web.config.file", str(config)).ready()
    page = browser.new_page(http_credentials={"username": "ann", "password": "sesame"})
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(running.address)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Pause")).to_have_attribute("aria-pressed", "true")
    assert errors == []
    page.close()


def test_signals_end_it_while_a_page_is_open(board: Callable[..., RunningBoard], browser: Browser) -> None:
    """SIGTERM and Ctrl-C end a board whose page is open, with status 0, and without a traceback."""
    for how in (signal.SIGTERM, signal.SIGINT):
        running = board().ready()
        page = browser.new_page()
        page.goto(running.address)
        page.locator(".tiles").wait_for(state="attached")
        began = time.monotonic()
        assert running.end(how) == 0
        assert time.monotonic() - began < 20, "it has a bound of 1.5 s of its own"
        assert "Traceback" not in running.log
        assert f"signal={how.name}" in running.log
        page.close()


def test_nothing_is_left_in_the_folder_it_was_started_in(board: Callable[..., RunningBoard], tmp_path: Path) -> None:
    """It writes no file."""
    running = board().ready()
    running.end()
    assert [path.suffix for path in tmp_path.iterdir()] == [".log"]
