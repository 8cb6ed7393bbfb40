"""Families: layouts side by side, histograms that stay monotone, gauges by their mode."""

from dataclasses import replace
from itertools import pairwise
from math import inf

import pytest

from fleetmeter.errors import StateError
from fleetmeter.reader.families import Family, families_of, types_left_out
from fleetmeter.reader.returned import Returned
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.schema.definition import Definition, StoredDefinition, compact_json
from fleetmeter.schema.rows import ALIVE_US, Row
from fleetmeter.schema.scale import Scale

NOW = 10**15
COUNTER = Definition.of("c", "counter", "Old.", "", ("a",), (), "")
HISTOGRAM = Definition.of("h", "histogram", "x", "", (), ("1.0", "5.0", "+Inf"), "")
GAUGE = Definition.of("g", "gauge", "x", "", (), (), "sum")
INFO = Definition.of("i", "info", "x", "", (), (), "")


class State:
    """A snapshot in the making."""

    def __init__(self) -> None:
        self.definitions: list[StoredDefinition] = []
        self.numbers: dict[str, dict[bytes, bytes]] = {}
        self.gauges: dict[bytes, bytes] = {}
        self.rows: dict[str, Row] = {}
        self.replicas: dict[str, str] = {}
        self.returned: dict[bytes, bytes] = {}

    def define(self, definition: Definition, first: int = 1, defined: int = 1) -> None:
        """A stored definition."""
        self.definitions.append(StoredDefinition(definition, first, defined))

    def number(self, definition: Definition, values: tuple[str, ...], part: str | None, text: str) -> None:
        """A stored number."""
        numbers = self.numbers.setdefault(definition.field, {})
        numbers[definition.series_field(values, part).encode()] = text.encode()

    def writer(self, writer: str, age_us: int = 0, name: str = "", *, goodbye: bool = False) -> None:
        """A writer, heard of so long ago."""
        self.rows[writer] = Row(1, 0, NOW - age_us, goodbye)
        self.replicas[writer] = name or f"host:{writer}"

    def gauge(
        self, writer: str, text: str, set_us: int = 1, definition: Definition = GAUGE, values: tuple[str, ...] = ()
    ) -> None:
        """A writer's value of a gauge."""
        ordered = [values[position] for position in definition.sorted_positions]
        series = compact_json([definition.name, definition.layout, ordered])
        self.gauges[f"{writer} {series}".encode()] = f"{set_us} {text}".encode()

    def snapshot(self) -> Snapshot:
        """All of it at once."""
        return Snapshot(
            NOW, None, self.rows, tuple(self.definitions), self.numbers, self.gauges, self.replicas, None,
            returned=Returned(self.returned),
        )  # fmt: skip

    def families(self) -> dict[str, Family]:
        """What is made of it."""
        return {family.definition.name: family for family in families_of(self.snapshot())}

    def samples(self, name: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """One family's samples; none is there twice."""
        found = self.families()[name].samples
        shown = {(sample.suffix, sample.labels): sample.value for sample in found}
        assert len(shown) == len(found)
        return shown


@pytest.fixture
def state() -> State:
    """An empty namespace."""
    return State()


def test_families_come_by_name_with_their_first_registration(state: State) -> None:
    """A family is as old as its oldest layout."""
    state.define(replace(COUNTER, name="z"), 9, 9)
    state.define(COUNTER, 5, 8)
    state.define(replace(COUNTER, labels=()), 3, 7)
    assert [(name, family.first_us) for name, family in state.families().items()] == [("c", 3), ("z", 9)]


def test_the_newest_help_wins(state: State) -> None:
    """A rolling deploy shows one family with one text."""
    state.define(replace(COUNTER, help="New.", labels=("a", "b")), 5, 20)
    state.define(COUNTER, 1, 10)
    assert state.families()["c"].definition.help == "New."


def test_layouts_of_other_labels_stand_side_by_side(state: State) -> None:
    """A version with one label more adds series and takes none away."""
    more = replace(COUNTER, labels=("b", "a"))
    state.define(COUNTER, 1, 1)
    state.define(more, 2, 2)
    state.number(COUNTER, ("x",), None, "5")
    state.number(more, ("y", "x"), None, "7")
    assert state.samples("c") == {("_total", (("a", "x"),)): 5, ("_total", (("b", "y"), ("a", "x"))): 7}


def test_a_series_counts_from_when_the_first_of_its_layouts_had_it(state: State) -> None:
    """One that returned in a layout, and was never removed from another, counts from the registration."""
    plain = Definition.of("c", "counter", "x", "", ("k",), (), "")
    scaled = replace(plain, scale=Scale.MICRO)
    for place, layout in enumerate((plain, scaled)):
        state.define(layout, 1 + place, 1 + place)
        for value in ("both", "once", "never"):
            state.number(layout, (value,), None, "1")
            if value == "both" or (value == "once" and layout is scaled):
                state.returned[f"{layout.field} {layout.series_field((value,))}".encode()] = b"%d" % (70 - place)
    family = state.families()["c"]
    assert (family.first_us, family.returned_us) == (1, {(("k", "both"),): 69})


def test_layouts_of_other_scale_add_up(state: State) -> None:
    """A family that got its unit in a later version goes on from where it was."""
    money = Definition.of("c", "counter", "", "usd", ("a",), (), "")
    state.define(COUNTER, 1, 1)
    state.define(money, 2, 2)
    state.number(COUNTER, ("x",), None, "1.5")
    state.number(money, ("x",), None, "250000000")
    assert state.samples("c") == {("_total", (("a", "x"),)): 1.75}


def test_a_changed_type_shows_the_newest(state: State) -> None:
    """Numbers of the former type are not mixed in."""
    state.define(COUNTER, 1, 1)
    state.number(COUNTER, ("x",), None, "5")
    state.define(Definition.of("c", "summary", "", "", ("a",), (), ""), 2, 2)
    assert state.families()["c"].definition.type == "summary"
    assert state.samples("c") == {}


def test_whole_numbers_keep_their_digits(state: State) -> None:
    """Counters beyond 2^53 come out as they are stored, and money is rounded once."""
    state.define(COUNTER)
    state.number(COUNTER, ("x",), None, str(2**53 + 1))
    assert state.samples("c") == {("_total", (("a", "x"),)): 2**53 + 1}


@pytest.mark.parametrize(
    ("newest", "expected"),
    [
        (("1.0", "5.0", "+Inf"), [3, 7, 12]),
        (("2.0", "+Inf"), [3, 12]),
        (("0.5", "1.0", "2.0", "5.0", "9.0", "+Inf"), [0, 3, 3, 7, 7, 12]),
        (("0.1", "+Inf"), [0, 12]),
        (("+Inf",), [12]),
        ((), [3, 7, 12]),
    ],
)
def test_counts_move_up_into_the_newest_buckets(state: State, newest: tuple[str, ...], expected: list[float]) -> None:
    """Recorded under bounds that the newest list lacks, they go upwards: monotone, with exact count and sum."""
    state.define(replace(HISTOGRAM, bounds=newest))
    for part, text in (("1.0", "3"), ("5.0", "4"), ("+Inf", "5"), ("sum", "77")):
        state.number(HISTOGRAM, (), part, text)
    shown = state.samples("h")
    assert [number for (suffix, _), number in shown.items() if suffix == "_bucket"] == expected
    assert (shown[("_count", ())], shown[("_sum", ())]) == (12, 77)


def test_buckets_that_change_and_change_back_lose_nothing(state: State) -> None:
    """A → B → A: at each step every histogram is monotone, and the count is the total of its buckets."""
    changed = replace(HISTOGRAM, bounds=("2.0", "+Inf"))
    state.number(HISTOGRAM, (), "1.0", "3")
    state.number(HISTOGRAM, (), "sum", "3")
    for step, definition in enumerate((HISTOGRAM, changed, HISTOGRAM)):
        state.definitions.clear()
        state.define(definition, 1, step)
        state.number(HISTOGRAM, (), "2.0", str(10 * step))
        samples = state.families()["h"].samples
        buckets = [sample.value for sample in samples if sample.suffix == "_bucket"]
        assert all(lower <= upper for lower, upper in pairwise(buckets))
        assert buckets[-1] == samples[len(buckets)].value == 3 + 10 * step
        assert [sample.labels[-1][1] for sample in samples if sample.suffix == "_bucket"] == list(definition.bounds)


def test_a_histogram_is_written_buckets_count_sum(state: State) -> None:
    """In prometheus_client's order, series by series, +Inf last."""
    labelled = replace(HISTOGRAM, labels=("k",))
    state.define(labelled)
    for value in ("b", "a"):
        state.number(labelled, (value,), "sum", "0")
    order = [(sample.labels[0][1], sample.suffix, sample.labels[-1][1]) for sample in state.families()["h"].samples]
    assert order == [
        (k, *rest)
        for k in ("a", "b")
        for rest in (("_bucket", "1.0"), ("_bucket", "5.0"), ("_bucket", "+Inf"), ("_count", k), ("_sum", k))
    ]


def test_a_histogram_with_negative_buckets_has_no_sum(state: State) -> None:
    """A sum that can fall is no counter; prometheus_client leaves it out too."""
    state.define(replace(HISTOGRAM, bounds=("-1.0", "+Inf")))
    state.number(HISTOGRAM, (), "sum", "-3")
    assert ("_sum", ()) not in state.samples("h")


LIVING, OLD = 0, ALIVE_US


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("sum", {(): 9}), ("livesum", {(): 7}), ("max", {(): 4}), ("livemax", {(): 4}), ("min", {(): 2}),
        ("livemin", {(): 3}), ("mostrecent", {(): 2}), ("livemostrecent", {(): 3}),
        ("all", {(("replica", "host:1"),): 4, (("replica", "host:2"),): 3, (("replica", "host:3"),): 2}),
        ("liveall", {(("replica", "host:1"),): 4, (("replica", "host:2"),): 3}),
    ],
)  # fmt: skip
def test_gauges_by_mode(state: State, mode: str, expected: dict[tuple[tuple[str, str], ...], float]) -> None:
    """`live*` count living writers only; the rest keep what the dead ones said last."""
    state.define(replace(GAUGE, mode=mode))
    for writer, (age, text, set_us) in {"1": (LIVING, "4", 5), "2": (LIVING, "3", 6), "3": (OLD, "2", 7)}.items():
        state.writer(writer, age)
        state.gauge(writer, text, set_us)
    assert {labels: number for (_, labels), number in state.samples("g").items()} == expected


@pytest.mark.parametrize("mode", ["livesum", "livemax", "livemostrecent", "liveall"])
def test_a_live_gauge_of_dead_writers_is_gone(state: State, mode: str) -> None:
    """Killed, silent or with a goodbye, and without a row at all: nothing is shown, not even 0."""
    state.define(replace(GAUGE, mode=mode))
    state.writer("old", ALIVE_US)
    state.writer("left", goodbye=True)
    for writer in ("old", "left", "stranger"):
        state.gauge(writer, "1")
    assert state.samples("g") == {}
    assert state.families()["g"].ever_set


def test_a_gauge_that_was_set_covers_one_that_was_only_created(state: State) -> None:
    """A fresh replica's 0 is not the most recent value."""
    state.define(replace(GAUGE, mode="mostrecent"))
    state.writer("1")
    state.writer("2")
    state.gauge("1", "0", 0)
    assert not state.families()["g"].ever_set
    state.gauge("2", "8", 1)
    assert state.samples("g") == {("", ()): 8}
    assert state.families()["g"].ever_set


def test_gauge_labels_come_in_display_order(state: State) -> None:
    """Stored by sorted name, shown as declared."""
    definition = replace(GAUGE, labels=("b", "a"))
    state.define(definition)
    state.gauge("1", "1", 1, definition, ("x", "y"))
    assert state.samples("g") == {("", (("b", "x"), ("a", "y"))): 1}


def test_two_replicas_of_one_name_are_told_apart(state: State) -> None:
    """No series is there twice, which would make Prometheus refuse the scrape."""
    state.define(replace(GAUGE, mode="all"))
    for writer, name in (("1", "pod:7"), ("2", "pod:7"), ("3", "pod:8")):
        state.writer(writer, 0, name)
        state.gauge(writer, writer)
    shown = {labels[0][1]: number for (_, labels), number in state.samples("g").items()}
    assert shown == {"pod:7-1": 1, "pod:7-2": 2, "pod:8": 3}


def test_a_gauge_with_a_label_of_its_own_called_replica_makes_no_series_twice(state: State) -> None:
    """The user's label keeps its name; the one that tells writers apart takes another."""
    definition = replace(GAUGE, mode="all", labels=("replica",))
    state.define(definition)
    state.writer("1")
    state.gauge("1", "1", 1, definition, ("x",))
    state.gauge("1", "2", 1, definition, ("y",))
    for _, labels in state.samples("g"):
        assert len({name for name, _ in labels}) == 2
        assert dict(labels)["replica"] in ("x", "y")


def test_info_shows_each_set_of_facts_of_living_writers_once(state: State) -> None:
    """One series per running version, however many replicas run it, in whatever order they state it."""
    state.define(INFO)
    facts = {"1": '{"v":"1","w":"x"}', "2": '{"w":"x","v":"1"}', "3": '{"v":"2"}', "4": '{"v":"0"}'}
    for writer, text in facts.items():
        state.writer(writer, ALIVE_US if writer == "4" else 0)
        state.gauge(writer, text, 1, INFO)
    assert state.samples("i") == {("_info", (("v", "1"), ("w", "x"))): 1, ("_info", (("v", "2"),)): 1}


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (b"nonsense", b"1"), (b'["x","y"]', b"1"), (b'["x"]', b"many"), (b"3", b"1"), (b'["x"]', b"\xff"),
        (b"[3]", b"1"), (b'[["x"]]', b"1"), (b"[null]", b"1"), (b'{"x":1}', b"1"), (b'"x"', b"1"), (b'["\xff"]', b"1"),
        (b'["\\ud800"]', b"1"), (b"[" * 10**5, b"1"),
    ],
)  # fmt: skip
def test_a_number_that_is_none_is_a_state_error(state: State, field: bytes, text: bytes) -> None:
    """What cannot be read is named with its key, and no other exception leaves."""
    state.define(COUNTER)
    state.numbers[COUNTER.field] = {b'["y"]': b"1", field: text}
    with pytest.raises(StateError, match=COUNTER.field):
        state.families()


@pytest.mark.parametrize(
    "field", [b"5", b"[]", b'["x"]', b'["x","abc"]', b'["x",3]', b'["x",null]', b'["x","nan"]', b'["x","1.0","sum"]']
)
def test_a_bucket_that_is_none_is_a_state_error(state: State, field: bytes) -> None:
    """A histogram's number ends in a bound or in `sum`."""
    labelled = replace(HISTOGRAM, labels=("k",))
    state.define(labelled)
    state.numbers[labelled.field] = {field: b"1"}
    with pytest.raises(StateError, match=labelled.field):
        state.families()


def test_a_total_that_no_float_holds_is_infinite(state: State) -> None:
    """Two of the largest amounts, in one layout, in two, or as buckets: an infinity, and never an exception."""
    large = str(int(1.7e308))
    money = Definition.of("c", "counter", "", "usd", ("a",), (), "")
    for definition in (COUNTER, money, HISTOGRAM):
        state.define(definition)
    state.number(COUNTER, ("stored",), None, str(2 * int(1.7e308)))
    state.number(COUNTER, ("added",), None, large)
    state.number(money, ("added",), None, str(10**9 * int(1.7e308)))
    for part in ("1.0", "5.0"):
        state.number(HISTOGRAM, (), part, str(2 * int(1.7e308)))
    assert {labels[0][1]: float(value) for (_, labels), value in state.samples("c").items()} == {
        "stored": inf, "added": inf
    }  # fmt: skip
    assert state.samples("h")[("_count", ())] == inf
    state.number(money, ("added",), None, "0")
    assert float(state.samples("c")[("_total", (("a", "added"),))]) == 1.7e308


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (b"w nonsense", b"1 1"), (b"w", b"1 1"), (b'w ["g"]', b"1 1"), (b"\xff", b"1 1"),
        (f'w ["g","{GAUGE.layout}",[]]'.encode(), b"x 1"), (f'w ["g","{GAUGE.layout}",[]]'.encode(), b"1 x"),
        (f'w ["i","{INFO.layout}",[]]'.encode(), b"1 x"), (f'w ["i","{INFO.layout}",[]]'.encode(), b"1 [1]"),
        (f'w ["g","{GAUGE.layout}",[]]'.encode(), b"1 []"), (f'w ["g","{GAUGE.layout}",["extra"]]'.encode(), b"1 1"),
        (f'w ["i","{INFO.layout}",["extra"]]'.encode(), b"1 {}"), (b'w ["i",[],[]]', b"1 1"), (b'w "abc"', b"1 1"),
        (b'w ["i","x",[[]]]', b"1 1"), (b'w ["i","x","y"]', b"1 1"), (b'w ["i","x",[3]]', b"1 1"),
        (b'w ["i","x",["\\ud800"]]', b"1 1"), (b"w " + b"[" * 10**5, b"1 1"),
        (f'w ["i","{INFO.layout}",[]]'.encode(), b"1 " + b"[" * 10**5),
        (f'w ["i","{INFO.layout}",[]]'.encode(), b'1 {"v":"\\ud800"}'),
    ],
)  # fmt: skip
def test_a_gauge_that_is_none_is_a_state_error(state: State, field: bytes, text: bytes) -> None:
    """Foreign content of the gauges hash is named."""
    state.define(GAUGE)
    state.define(INFO)
    state.writer("w")
    state.gauges[field] = text
    with pytest.raises(StateError, match="gauges"):
        state.families()


@pytest.mark.parametrize("kind", ["sketch", "gaugehistogram"])
def test_a_type_of_a_later_version_is_left_out_and_named(state: State, kind: str) -> None:
    """An exporter older than its replicas serves every family that it understands, and can tell which it does not."""
    state.define(COUNTER)
    state.define(replace(HISTOGRAM, type=kind), 2, 2)
    state.define(HISTOGRAM, 1, 1)
    state.number(COUNTER, ("x",), None, "5")
    assert list(state.families()) == ["c"]
    assert types_left_out(state.snapshot()) == {"h": kind}
    state.definitions.pop(1)
    assert types_left_out(state.snapshot()) == {}
