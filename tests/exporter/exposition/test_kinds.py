"""Every kind of number: written from cached parts, and what prometheus_client makes of it."""

import asyncio
import random
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from bench.kinds import KINDS
from bench.kinds_state import BOUNDS, State, counter, gauge, histogram, info
from fleetmeter.reader.hashes import Hash
from fleetmeter.schema.definition import Definition, compact_json
from fleetmeter.schema.keys import Keys
from fleetmeter_exporter.answers import Answers, _too_slow
from fleetmeter_exporter.exposition import fact_rows
from fleetmeter_exporter.exposition.added_block import AddedBlock
from fleetmeter_exporter.exposition.body import Body
from fleetmeter_exporter.exposition.exposition import Exposition
from fleetmeter_exporter.exposition.fact_blocks import InfoBlock
from fleetmeter_exporter.exposition.formats import TEXT, Format
from fleetmeter_exporter.exposition.packed_block import PackedBlock
from fleetmeter_exporter.fleet import Fleet, fleet_settings
from fleetmeter_exporter.scraper import Scraper
from fuzz.comparison import check
from fuzz.expected import Expected, expected
from support.scraping import BIRTH_US, FixedState
from support.store import StoreAddress

SAMPLES, FEW = 800, 240
FORMATS = [TEXT, Format(True, "1.0.0")]

_ADDED_UP = ("_total", "_bucket", "_count", "_sum")
"""What the names of samples that are added up end with."""


@pytest.fixture
def fleet(store: StoreAddress) -> Iterator[Fleet]:
    """What an exporter remembers of the store's namespace."""
    with closing(Fleet(fleet_settings(store.url, store.namespace))) as fleet:
        yield fleet


def general(store: StoreAddress, form: Format) -> Expected:
    """What the general way makes of the store, by a fleet that remembers nothing."""
    with closing(Fleet(fleet_settings(store.url, store.namespace))) as fleet:
        return expected([fleet.scrape()], form, created=False)


@pytest.mark.parametrize("form", FORMATS, ids=["text", "openmetrics"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_written_from_cached_parts(store: StoreAddress, fleet: Fleet, kind: str, form: Format) -> None:
    """First, with changed numbers, and with new series: the general way is never taken, and says the same."""
    exposition = Exposition(form)
    with closing(State(store.url, store.namespace, KINDS[kind](SAMPLES))) as state:
        for change, share in ((state.change, 0), (state.change, 0.1), (state.change, 1), (state.grow, 0.1)):
            change(share)
            text = exposition.text([fleet.scrape()], 0.0)
            check(text.decode(), general(store, form))
            assert exposition.samples == state.samples
            assert not exposition._lines


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "packed" not in kind])
def test_series_come_and_go_anywhere_among_others(store: StoreAddress, fleet: Fleet, kind: str) -> None:
    """Before, among and behind the known ones, some at once with others that go: all is shown as if read anew."""
    form = FORMATS["exemplars" in kind]
    exposition = Exposition(form)
    with closing(State(store.url, store.namespace, KINDS[kind](FEW))) as state, closing(store.client()) as client:
        exposition.text([fleet.scrape()], 0.0)
        for step, (come, go) in enumerate([(3, 0), (0, 4), (5, 3), (1, 0), (40, 2), (2, 1)], start=1):
            for key, fields in state.stored.items():
                series = {name: int(found[1]) for name in fields if (found := re.search(r"intent-(\d+)", name))}
                came = {
                    re.sub(r"intent-\d+", f"{'!' if number % 2 else 'intent-'}{number:06}-{step}", name): draw(
                        state._dice
                    )
                    for name, draw in fields.items()
                    if come and (number := series[name]) % come == 0
                }
                gone = [name for name, number in series.items() if go and number % go == 1 % go]
                if step % 2:  # of several writers' statements some stay
                    gone = [name for name in gone if not name.startswith("writer-1 ")]
                if came:
                    client.hset(key, mapping=came)
                if gone:
                    client.hdel(key, *gone)
                    notes = {part.definition.field: str(step) for part in state.parts if not part.stated}
                    client.hset(state.keys.removed, mapping=notes or {"nothing:": "1"})
            state.beat()
            check(exposition.text([fleet.scrape()], 0.0).decode(), general(store, form))
            assert not exposition._lines


@pytest.mark.parametrize("kind", ["gauges, two layouts", "gauges, max of 4", "infos", "enums", "counters, exemplars"])
def test_a_format_that_is_asked_for_now_and_then_says_what_there_is(
    store: StoreAddress, fleet: Fleet, kind: str
) -> None:
    """It finds what came and changed since it was asked for last, and not only since the last scrape."""
    often, seldom = (Exposition(form) for form in FORMATS)
    with closing(State(store.url, store.namespace, KINDS[kind](FEW))) as state:
        for step in range(5):
            state.grow(0.1)
            state.change(0.1)
            scrape = fleet.scrape()
            check(often.text([scrape], 0.0).decode(), general(store, FORMATS[0]))
            if step % 2 == 0:
                check(seldom.text([scrape], 0.0).decode(), general(store, FORMATS[1]))
            assert not often._lines
            assert not seldom._lines


@pytest.mark.parametrize("mode", ["sum", "max", "mostrecent"])
def test_a_second_writer_comes_to_series_that_had_one_each(store: StoreAddress, fleet: Fleet, mode: str) -> None:
    """And goes again; the values of the first one are still known."""
    exposition = Exposition(TEXT)
    layout = Definition.of("g", "gauge", "x", "", ["k"], [], mode)
    with FixedState(store) as fixed, closing(store.client()) as client:
        fixed.writer("w1", "shop", 7)
        fixed.writer("w2", "shop", 8)
        fixed.family(layout)
        for value in "abc":
            fixed.gauge(layout, "w1", (value,), "1.5")
        for step in range(4):
            if step == 1:
                fixed.gauge(layout, "w2", ("b",), "0.25")
            if step == 3:
                series = compact_json([layout.name, layout.layout, ["b"]])
                assert client.hdel(Keys(store.namespace).gauges, f"w2 {series}")
            check(exposition.text([fleet.scrape()], 0.0).decode(), general(store, TEXT))
            assert not exposition._lines


@pytest.mark.parametrize("at_once", [1, 3])
def test_infos_that_state_other_facts_than_their_neighbours_stand_beside_them(
    store: StoreAddress, fleet: Fleet, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many of them are taken apart together."""
    monkeypatch.setattr(fact_rows, "_AT_ONCE", at_once)
    layout = Definition.of("build", "info", "Help.", "", ("model",), (), "")
    exposition = Exposition(TEXT)
    with FixedState(store) as fixed:
        fixed.writer("w1", "shop", 7)
        fixed.family(layout)
        for number in range(6):
            facts = {"version": "1"} if number % 3 else {"commit": "c", "version": "2"}
            fixed.gauge(layout, "w1", (f"m{number}",), compact_json(facts))
        check(exposition.text([fleet.scrape()], 0.0).decode(), general(store, TEXT))
        assert not exposition._lines


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "-0.0", "1e+300"])
@pytest.mark.parametrize("mode", ["all", "sum", "max", "livemin", "mostrecent"])
def test_one_gauge_that_is_no_ordinary_number_costs_no_other(
    store: StoreAddress, fleet: Fleet, mode: str, text: str
) -> None:
    """It is spelt as both formats have it, from cached parts; the next value of that series is shown again."""
    exposition = Exposition(TEXT)
    gauge = Definition.of("g", "gauge", "x", "", ["k"], [], mode)
    with FixedState(store) as fixed:
        fixed.writer("w1", "shop", 7)
        fixed.writer("w2", "shop", 8)
        fixed.family(gauge)
        for value, number in (("a", "1.5"), ("b", "2")):
            for writer in ("w1", "w2"):
                fixed.gauge(gauge, writer, (value,), number)
        for number in ("3", text, "4"):
            fixed.gauge(gauge, "w1", ("a",), number)
            shown = exposition.text([fleet.scrape()], 0.0)
            check(shown.decode(), general(store, TEXT))
            assert not exposition._lines


@pytest.mark.parametrize("mode", ["sum", "all", "mostrecent"])
def test_a_live_gauge_goes_and_comes_with_its_writers(store: StoreAddress, fleet: Fleet, mode: str) -> None:
    """Of a series that two writers state, one may end, then both, and both may be back: by cached parts each time."""
    exposition = Exposition(TEXT)
    gauge = Definition.of("g", "gauge", "x", "", ["k"], [], f"live{mode}")
    with FixedState(store) as fixed:
        fixed.family(gauge)
        for writer, number in (("w1", "1.5"), ("w2", "2")):
            fixed.gauge(gauge, writer, ("a",), number)
        for living in ("w1 w2", "w2", "", "w1 w2", "", "w1", "w1 w2"):
            for at, writer in enumerate(("w1", "w2")):
                fixed.writer(writer, f"shop-{at}", 7, *([] if writer in living else [BIRTH_US]))
            text = exposition.text([fleet.scrape()], 0.0)
            check(text.decode(), general(store, TEXT))
            assert not exposition._lines


@pytest.mark.parametrize("form", FORMATS, ids=["text", "openmetrics"])
@pytest.mark.parametrize("kind", ["histogram", "summary"])
def test_a_negative_sum_takes_its_lines_away_and_no_others(
    store: StoreAddress, fleet: Fleet, kind: str, form: Format
) -> None:
    """OpenMetrics forbids it, and a histogram's count beside it; the text format has all of them."""
    exposition = Exposition(form)
    parts = [*BOUNDS, "sum"] if kind == "histogram" else ["count", "sum"]
    layout = Definition.of("h", kind, "x", "", ["k"], BOUNDS if kind == "histogram" else (), "")
    for sums in (("-3", "-0.5"), ("3", "-0.25"), ("4", "2")):
        with FixedState(store) as fixed:
            for value, total in zip("ab", sums, strict=True):
                fixed.family(layout, {(value, part): total if part == "sum" else 2 for part in parts})
        text = exposition.text([fleet.scrape()], 0.0)
        check(text.decode(), general(store, form))
        assert not exposition._lines


def test_series_that_went_are_forgotten(store: StoreAddress, fleet: Fleet) -> None:
    """What is kept follows what there is: after a removal nothing of it is kept, and the rest is shown as before."""
    exposition = Exposition(TEXT)
    part = histogram(SAMPLES)
    with closing(State(store.url, store.namespace, [part])) as state, closing(store.client()) as client:
        exposition.text([fleet.scrape()], 0.0)
        (block,) = exposition._blocks.values()
        assert isinstance(block, AddedBlock)
        fields = list(state.stored[state.keys.family(part.definition.field)])
        client.hdel(state.keys.family(part.definition.field), *fields[: len(fields) // 2])
        client.hset(state.keys.removed, part.definition.field, 1)
        text = exposition.text([fleet.scrape()], 0.0)
        check(text.decode(), general(store, TEXT))
        assert list(exposition._blocks.values()) == [block]
        assert len(block._series.arrangement.keys) == block._series.count == block.samples // part.per_series


@pytest.mark.parametrize("form", FORMATS, ids=["text", "openmetrics"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_number_goes_down_after_a_roll_back(store: StoreAddress, kind: str, form: Format) -> None:
    """The last text is held; after that what is added up is the larger of served and stored, what is stated is stored.

    Half of what was served grew since; new series came, and are gone from the store.
    """
    with (
        closing(Fleet(fleet_settings(store.url, store.namespace), hold=60.0)) as holding,
        closing(Fleet(fleet_settings(store.url, store.namespace), hold=0.0)) as patient,
        closing(State(store.url, store.namespace, KINDS[kind](FEW))) as state,
        closing(store.client()) as client,
    ):
        fleets = [(fleet, Exposition(form)) for fleet in (holding, patient)]
        keys = (*state.stored, state.keys.writers)
        backup = {key: content for key in keys if (content := client.dump(key)) is not None}

        def shown() -> list[dict[str, float]]:
            found = []
            for fleet, exposition in fleets:
                scrape = fleet.scrape()
                text = exposition.text([scrape], 0.0).decode()
                check(text, expected([scrape], form, created=False))
                found.append(_numbers(text))
            return found

        shown()
        state.change(0.5)
        state.grow(0.1)
        served, _ = shown()
        for key, content in backup.items():
            client.restore(key, 0, content, replace=True)
        held, larger = shown()
        assert held == served
        if state.keys.gauges not in state.stored:
            assert larger == served
        added = {name: number for name, number in served.items() if name.partition("{")[0].endswith(_ADDED_UP)}
        for name, number in added.items():
            assert larger[name] >= number


def _numbers(text: str) -> dict[str, float]:
    """The benchmark's own samples."""
    lines = (line.partition(" # ")[0].rpartition(" ") for line in text.splitlines() if line.startswith("bench_"))
    return {name: float(number) for name, _, number in lines}


@pytest.mark.parametrize("kind", ["counters, whole", "gauges, sum", "infos"])
def test_a_scrape_that_timed_out_costs_nothing_of_what_is_known(store: StoreAddress, fleet: Fleet, kind: str) -> None:
    """What was learnt of the lines is kept, so that the next scrape is not a first one that times out, too."""
    exposition = Exposition(TEXT)
    with closing(State(store.url, store.namespace, KINDS[kind](SAMPLES))):
        exposition.text([fleet.scrape()], 0.0)
        known = dict(exposition._blocks)
        exposition.text([_too_slow(fleet, 1.0)], 0.0)
        text = exposition.text([fleet.scrape()], 0.0)
    assert exposition._blocks == known
    check(text.decode(), general(store, TEXT))


def test_a_read_for_which_nobody_waited_is_learnt_from(store: StoreAddress, fleet: Fleet) -> None:
    """A scrape that timed out goes on reading; the next one finds the hashes as they were, and takes none apart."""
    answers = Answers(Scraper([fleet]))

    async def scraped() -> list[Hash]:
        with closing(State(store.url, store.namespace, [counter(SAMPLES)])) as state:
            found = []
            for limit in (0.0, 60.0):
                exposed = await answers.body(TEXT, frozenset(), "", limit)
                assert exposed.read == bool(limit)
                running = answers._reads[0]._running
                assert running is not None
                await asyncio.wait([running])
                found.append(fleet._reader._parser._hashes[state.keys.family(state.parts[0].definition.field)])
            assert isinstance(exposed.body, Body)
            assert b"\nbench_requests_total" in exposed.body.whole()
            return found

    first, second = asyncio.run(scraped())
    assert first is second


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_is_made_anew_only_for_other_numbers(store: StoreAddress, fleet: Fleet, kind: str) -> None:
    """Nothing is kept of one that is shown once, as most change; from the second time on the text itself is kept."""
    exposition = Exposition(TEXT)
    with closing(State(store.url, store.namespace, KINDS[kind](SAMPLES))) as state:
        kept = []
        for _ in range(4):
            state.beat()
            exposition.text([fleet.scrape()], 0.0)
            blocks = [block for block in exposition._blocks.values() if not isinstance(block, PackedBlock)]
            kept.append([block._shown[1] for block in blocks if block._shown is not None])
        first, second, third, fourth = kept
    assert not any(first)
    assert all(second)
    assert all(one is other is last for one, other, last in zip(second, third, fourth, strict=True))


def test_two_layouts_of_other_labels_that_have_equal_fields_are_two_series(store: StoreAddress, fleet: Fleet) -> None:
    """`["x"]` is a series of `a` in one layout and of `b` in the other; they are shown side by side."""
    exposition = Exposition(TEXT)
    with FixedState(store) as fixed:
        for label, number in (("a", 1), ("b", 2)):
            fixed.family(Definition.of("c", "counter", "x", "", [label], [], ""), {("x",): number})
    text = exposition.text([fleet.scrape()], 0.0).decode()
    check(text, general(store, TEXT))
    assert 'c_total{a="x"} 1\nc_total{b="x"} 2\n' in text


def test_a_layout_of_another_scale_adds_to_the_same_series(store: StoreAddress, fleet: Fleet) -> None:
    """Two versions may count one series in dollars and in nano-dollars: it is shown once, with both amounts."""
    exposition = Exposition(TEXT)
    plain = Definition("c", "counter", "x", labels=("k",))
    with FixedState(store) as fixed:
        fixed.family(plain, {("x",): "1.5"})
        fixed.family(replace(plain, scale=10**9), {("x",): 250_000_000, ("y",): 1})
    text = exposition.text([fleet.scrape()], 0.0).decode()
    assert 'c_total{k="x"} 1.75\nc_total{k="y"} 1e-09\n' in text
    assert not exposition._lines


@pytest.mark.parametrize("field", [b'["\\u001F"]', b'["\\u0078"]', b'[ "x"]', b'["x" ]', b'["\\/"]'])
def test_a_field_that_is_spelt_otherwise_is_not_another_series(store: StoreAddress, fleet: Fleet, field: bytes) -> None:
    """A field that no writer of ours would write so means what it says: the general way reads it."""
    exposition = Exposition(TEXT)
    layout = Definition.of("c", "counter", "x", "", ["k"], [], "")
    with FixedState(store) as fixed, closing(store.client()) as client:
        fixed.family(layout, {("x",): 1, ("/",): 1, ("\x1f",): 1})
        client.hset(store.keys.family(layout.field), field, 4)
    text = exposition.text([fleet.scrape()], 0.0).decode()
    check(text, general(store, TEXT))
    assert text.count("\nc_total{") == 3


def test_an_info_beside_which_a_gauge_came_stays_sorted_by_its_values_alone(store: StoreAddress, fleet: Fleet) -> None:
    """Its rows are found again, without news: the names of their labels stay known, as new series show."""
    exposition = Exposition(TEXT)
    with closing(State(store.url, store.namespace, KINDS["infos"](FEW))) as state, closing(store.client()) as client:
        for step in range(3):
            client.hset(state.keys.gauges, f'writer-0 ["other","{step}",[]]', "1 1")
            check(exposition.text([fleet.scrape()], 0.0).decode(), general(store, TEXT))
        state.grow(0.1)
        check(exposition.text([fleet.scrape()], 0.0).decode(), general(store, TEXT))
    (block,) = exposition._blocks.values()
    assert isinstance(block, InfoBlock)
    assert not any(rows._mixed for rows in block._rows)


@pytest.mark.parametrize("mode", ["sum", "min", "max", "mostrecent"])
def test_series_that_different_numbers_of_writers_state_are_merged_each(
    store: StoreAddress, fleet: Fleet, mode: str
) -> None:
    """One to five writers, equal times, NaN and infinities among their values, all at first and few later."""
    layout = Definition.of("level", "gauge", "Help.", "", ("at",), (), mode)
    keys, exposition, dice = Keys(store.namespace), Exposition(TEXT), random.Random(mode)

    def field(writer: int, series: int) -> str:
        return f"writer-{writer} {compact_json([layout.name, layout.layout, [f'{series:02}']])}"

    fields = [field(writer, series) for series in range(40) for writer in range(1 + series % 5)]
    with (
        closing(State(store.url, store.namespace, [gauge(4, mode, writers=4)])) as state,
        closing(store.client()) as client,
    ):
        client.hset(keys.families, layout.field, f"{BIRTH_US} {BIRTH_US} {layout.to_json()}")
        for share in (1.0, 0.05, 0.5, 0.0, 0.02):
            some = dice.sample(fields, round(share * len(fields)))
            texts = ("1", "-0.0", "nan", "inf", "-inf", "2.5", "7")
            stated = {name: f"{dice.randrange(1, 4)} {dice.choice(texts)}" for name in some}
            if stated:
                client.hset(keys.gauges, mapping=stated)
            state.beat()
            text = exposition.text([fleet.scrape()], 0.0).decode()
            check(text, general(store, TEXT))
            assert text.count("\nlevel{") == 40
        assert not exposition._lines


def test_new_series_leave_known_exemplars_at_their_lines(store: StoreAddress, fleet: Fleet) -> None:
    """Their texts are not made again, and go where their lines go."""
    exposition = Exposition(FORMATS[1])
    with closing(State(store.url, store.namespace, KINDS["histograms, exemplars"](SAMPLES))) as state:
        for change, share in ((state.change, 0), (state.grow, 0.3), (state.grow, 0.3), (state.change, 0.1)):
            change(share)
            text = exposition.text([fleet.scrape()], 0.0).decode()
            check(text, general(store, FORMATS[1]))
            assert text.count(" # {") == len(state._client.hgetall(state.keys.exemplars)) > 1


@pytest.mark.parametrize("texts", [('{"model":"x"}', "{}"), ('{"a":"1","b":"2"}', '{"b":"2","a":"1"}')])
def test_a_fact_that_has_the_name_of_a_label_takes_its_place_in_its_own_row(
    store: StoreAddress, fleet: Fleet, texts: tuple[str, str]
) -> None:
    """Both writers' rows are shown, whichever came first, also if all rows have labels of the same names."""
    layout = Definition.of("build", "info", "Help.", "", ("model",), (), "")
    keys, exposition = Keys(store.namespace), Exposition(TEXT)
    with (
        closing(State(store.url, store.namespace, [info(4), gauge(4, "sum", writers=4)])) as state,
        closing(store.client()) as client,
    ):
        client.hset(keys.families, layout.field, f"{BIRTH_US} {BIRTH_US} {layout.to_json()}")
        for writer, text in ((0, texts[0]), (1, texts[1]), (2, texts[1]), (2, texts[0])):
            series = compact_json([layout.name, layout.layout, [f"y{writer}"]])
            client.hset(keys.gauges, f"writer-{writer} {series}", f"1 {text}")
            state.beat()
            for one in (exposition, Exposition(TEXT)):
                check(one.text([fleet.scrape()], 0.0).decode(), general(store, TEXT))
