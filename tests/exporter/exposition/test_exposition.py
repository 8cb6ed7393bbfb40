"""The exposition as text: golden files for both formats, both official parsers, promtool, any label value."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

import fleetmeter
from fleetmeter.schema.definition import Definition
from fleetmeter_exporter import get_metrics, get_metrics_content_type
from fleetmeter_exporter.exposition.exposition import Exposition
from fleetmeter_exporter.exposition.formats import TEXT as TEXT_FORMAT
from fleetmeter_exporter.exposition.formats import negotiated
from fleetmeter_exporter.scraper import Scraper
from fleetmeter_exporter.text import _scraper_of
from support.scraping import BIRTH_US, FixedState
from support.store import StoreAddress

GOLDEN = Path(__file__).parent / "golden"
TEXT, OPENMETRICS = "text/plain", "application/openmetrics-text; version=1.0.0"
STRANGE = [
    "",
    'quote " and \\ backslash',
    "line\nfeed, carriage\rreturn, tab\t",
    "\\n is no line feed",
    "emoji 🚀, € and e\u0301",
    '{a="b"} 1 # EOF',
    "\u2028\u0085 separators",
    "\0 zero",
    " " + "x" * 4096 + " ",
]


@pytest.fixture
def state(store: StoreAddress) -> StoreAddress:
    """A namespace with every type of family, and fixed times."""
    with FixedState(store) as fixed:
        fixed.writer("w1", "shop", 7)
        fixed.writer("w2", "shop", 8)
        fixed.writer("w3", "gone", 9, heartbeat_us=1)
        requests = Definition.of("http_requests", "counter", "Requests.", "", ["method", "code"], [], "")
        fixed.family(requests, {("200", "GET"): 9007199254740993, ("500", "POST"): 2})
        cost = Definition.of("cost_usd", "counter", 'Money,\nwith a "\\" in its help.', "usd", ["model"], [], "")
        fixed.family(cost, {("a",): 20200000, ("b",): 1})
        fixed.family(Definition.of("never", "counter", "Declared, without a series.", "", ["x"], [], ""))
        bounds = ["0.1", "1.0", "+Inf"]
        seconds = Definition.of("wait_seconds", "histogram", "Waiting.", "seconds", ["queue"], bounds, "")
        fixed.family(seconds, {("a", "0.1"): 3, ("a", "1.0"): 1, ("a", "+Inf"): 2, ("a", "sum"): 12_345_678})
        summary = Definition.of("size_bytes", "summary", "Sizes.", "bytes", [], [], "")
        fixed.family(summary, {("count",): 4, ("sum",): 1000})
        for mode in ("livesum", "liveall", "max", "mostrecent"):
            gauge = Definition.of(f"gauge_{mode}", "gauge", f"A gauge by {mode}.", "", ["zone"], [], mode)
            fixed.family(gauge)
            for place, writer in enumerate(("w1", "w2", "w3")):
                fixed.gauge(gauge, writer, ("eu",), str(place + 1), set_us=10 - place)
        info = Definition.of("build", "info", "Versions.", "", [], [], "")
        fixed.family(info)
        for writer, version in (("w1", "1"), ("w2", "2"), ("w3", "0")):
            fixed.gauge(info, writer, (), f'{{"version":"{version}"}}')
    return store


def exposed(
    store: StoreAddress, accept: str, names: list[str] | None = None, *, created: bool = False
) -> tuple[str, str]:
    """Text and content type of a scrape; how long it took, and the version, are set to 0."""
    form = negotiated(accept)
    scraper = Scraper.of(store.url, [store.namespace], created=created)
    body = scraper.text([scraper.fleets[0].scrape()], 0.0, form, names or [])
    text = body.decode().replace(f'{{version="{fleetmeter.__version__}"}}', '{version="0"}')
    return re.sub(r"(?m)^(fleetmeter_scrape_duration_seconds) .*$", r"\1 0.0", text), form.content_type


@pytest.mark.parametrize(("accept", "name"), [(TEXT, "text.prom"), (OPENMETRICS, "openmetrics.prom")])
def test_the_exposition_is_the_golden_one(state: StoreAddress, accept: str, name: str) -> None:
    """Every type of family, dead and living writers, money and seconds: to the byte."""
    assert exposed(state, accept)[0] == (GOLDEN / name).read_text(encoding="utf-8")


def test_both_formats_say_the_same(state: StoreAddress) -> None:
    """The official parsers accept what they are meant for, and find equal samples."""
    found = []
    for parse, accept in ((parse_text, TEXT), (parse_openmetrics, OPENMETRICS)):
        text = exposed(state, accept)[0]
        samples = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in parse(text)
            for sample in family.samples
        }
        found.append(samples)
    assert len(found[0]) > 20
    assert found[0] == found[1]


def test_the_format_follows_the_accept_header(state: StoreAddress) -> None:
    """OpenMetrics ends with EOF and has its content type; anything else gets the text format."""
    text, content_type = exposed(state, OPENMETRICS + ",*/*;q=0.1")
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert text.endswith("# EOF\n")
    for accept in ("", "*/*", "text/html"):
        text, content_type = exposed(state, accept)
        assert content_type.startswith("text/plain; version=")
        assert not text.endswith("# EOF\n")


@pytest.mark.parametrize("value", STRANGE, ids=range(len(STRANGE)))
def test_any_label_value_comes_back(store: StoreAddress, value: str) -> None:
    """Quotes, backslashes, line feeds, emoji and 4 KiB are read back as they were, in both formats."""
    with FixedState(store) as fixed:
        fixed.family(Definition.of("odd", "counter", value, "", ["b", "a"], [], ""), {(value, "plain"): 3})
    for parse, accept in ((parse_text, TEXT), (parse_openmetrics, OPENMETRICS)):
        (family,) = [item for item in parse(exposed(store, accept)[0]) if item.name == "odd"]
        (sample,) = family.samples
        assert sample.labels == {"a": value, "b": "plain"}
        assert sample.value == 3


@pytest.mark.parametrize("accept", [TEXT, OPENMETRICS])
def test_a_series_that_came_back_was_created_then(store: StoreAddress, accept: str) -> None:
    """Its own time, beside the registration for the others; for counters, histograms and summaries."""
    kinds = {"counter": [""], "histogram": ["1.0", "+Inf", "sum"], "summary": ["count", "sum"]}
    with FixedState(store) as fixed:
        for kind, parts in kinds.items():
            bounds = parts[:-1] if kind == "histogram" else []
            layout = Definition.of(f"c_{kind}", kind, "x", "", ["k"], bounds, "")
            fixed.family(layout, {(value, part)[: 1 + bool(part)]: 1 for value in "ab" for part in parts})
            fixed.returned(layout, ("a",), 1_790_000_000_250_000)
    text = exposed(store, accept, created=True)[0]
    lines = {line.split()[0]: float(line.split()[1]) for line in text.splitlines() if "_created{" in line}
    assert len(lines) == 6
    for name, created in lines.items():
        assert (created == 1_790_000_000.25) == ('k="a"' in name), name


@pytest.mark.parametrize("time_us", [0, 5, "x", "9" * 400, "9" * 5000])
@pytest.mark.parametrize("number", [3, "1.5"])
def test_no_time_of_return_takes_the_exposition_away(store: StoreAddress, time_us: object, number: object) -> None:
    """One that is no time, or is of another life of the family, is as good as none, whichever way is taken."""
    layout = Definition.of("c", "counter", "x", "", ["k"], [], "")
    with FixedState(store) as fixed:
        fixed.family(layout, {("a",): number})
        fixed.returned(layout, ("a",), time_us)
    assert 'c_created{k="a"} 1.79e+09' in exposed(store, OPENMETRICS, created=True)[0]


def test_a_return_is_shown_beside_lines_that_are_kept(store: StoreAddress) -> None:
    """One more changes the line of its series, in counters and histograms alike, and no other."""
    kinds = {"counter": [""], "histogram": ["1.0", "+Inf", "sum"]}
    layouts = {kind: Definition.of(f"c_{kind}", kind, "x", "", ["k"], parts[:-1], "") for kind, parts in kinds.items()}
    form = negotiated(OPENMETRICS)
    kept = Exposition(form, created=True)
    with FixedState(store) as fixed:
        for kind, layout in layouts.items():
            fixed.family(layout, {(value, part)[: 1 + bool(part)]: 1 for value in "abc" for part in kinds[kind]})
        for value in "ab":
            for layout in layouts.values():
                fixed.returned(layout, (value,), BIRTH_US + 10**6 * ord(value))
            fleet = Scraper.of(store.url, [store.namespace], created=True).fleets[0]  # one that has shown nothing yet
            texts = [one.text([fleet.scrape()], 0.0) for one in (kept, Exposition(form, created=True))]
            first, second = (text.partition(b"# HELP c_counter")[2] for text in texts)
            assert first == second
            assert first.count(b"_created{") - first.count(b"} 1.79e+09\n") == 2 * "ab".index(value) + 2


def test_a_return_that_comes_with_something_strange_is_shown_once_that_is_gone(
    store: StoreAddress, client: Any
) -> None:
    """A field that no writer of ours makes has the general way taken for a while; nothing older is shown after it."""
    layout = Definition.of("c", "counter", "x", "", ["k"], [], "")
    form = negotiated(OPENMETRICS)
    kept = Exposition(form, created=True)

    def shown() -> bytes:
        fleet = Scraper.of(store.url, [store.namespace], created=True).fleets[0]
        return kept.text([fleet.scrape()], 0.0)

    with FixedState(store) as fixed:
        fixed.family(layout, {("a",): 1})
        assert b'c_created{k="a"} 1.79e+09\n' in shown()
        client.hset(store.keys.family(layout.field), '[ "b" ]', 1)
        fixed.returned(layout, ("a",), BIRTH_US + 10**6)
        later = b'c_created{k="a"} 1.790000001e+09\n'
        assert later in shown()
        client.hdel(store.keys.family(layout.field), '[ "b" ]')
        assert later in shown()


def test_lines_of_the_general_way_go_when_it_is_left(store: StoreAddress) -> None:
    """A family that had a number which is not finite, once, must not be kept twice for ever."""
    layout = Definition.of("c", "counter", "x", "", ["k"], [], "")
    exposition, scraper = Exposition(TEXT_FORMAT), Scraper.of(store.url, [store.namespace])
    with FixedState(store) as fixed:
        kept = []
        for number in ("inf", "2"):
            fixed.family(layout, {("a",): number})
            exposition.text([scraper.fleets[0].scrape()], 0.0)
            kept.append((len(exposition._blocks), len(exposition._lines)))
    assert kept == [(1, 1), (1, 0)]


def test_names_restrict_what_is_shown(state: StoreAddress) -> None:
    """`name[]` leaves the samples of these names and no other family."""
    text = exposed(state, TEXT, ["http_requests_total", "fleetmeter_up"])[0]
    assert {line.partition("{")[0].split()[0] for line in text.splitlines() if not line.startswith("#")} == {
        "http_requests_total",
        "fleetmeter_up",
    }
    assert exposed(state, TEXT, ["no_such_family"])[0] == ""


def test_promtool_has_no_complaint_about_the_exporters_own(state: StoreAddress, binary: Callable[[str], str]) -> None:
    """Names, units, help and types of what the exporter adds are as Prometheus wants them."""
    text = "\n".join(
        line for line in exposed(state, TEXT)[0].splitlines() if re.match(r"(# (HELP|TYPE) )?fleetmeter_", line)
    )
    done = subprocess.run(
        [binary("promtool"), "check", "metrics"], input=text + "\n", capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_get_metrics_serves_the_environments_namespace(state: StoreAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hand-written route needs two calls: the bytes and their content type."""
    for name, text in state.environ.items():
        monkeypatch.setenv(name, text)
    _scraper_of.cache_clear()
    try:
        text = get_metrics().decode()
    finally:
        _scraper_of.cache_clear()
    assert "fleetmeter_up 1.0\n" in text
    assert 'http_requests_total{code="500",method="POST"} 2\n' in text
    assert get_metrics_content_type().startswith("text/plain; version=")
    assert list(parse_text(text))


def test_parts_are_kept_for_few_formats(state: StoreAddress) -> None:
    """Who asks in every format there is fills no memory; the formats that were asked for last are kept."""
    scraper = Scraper.of(state.url, [state.namespace])
    forms = [
        negotiated(f"text/plain; version=1.0.0; escaping={scheme}") for scheme in ("dots", "values", "underscores")
    ]
    for form in [negotiated(OPENMETRICS), *forms, negotiated(TEXT), forms[1]]:
        scraper.text([scraper.fleets[0].scrape()], 0.0, form)
    assert list(scraper._expositions) == [forms[2], negotiated(TEXT), forms[1]]
