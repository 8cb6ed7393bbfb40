"""Batches and how they stand on the wire: equal series add up, and a copy tells the same as the original."""

from fleetmeter.schema.definition import Definition
from fleetmeter.schema.keys import Keys
from fleetmeter.values.batch import Batch
from fleetmeter.writer.wire import Body, encode

KEYS = Keys("n")
COUNTER = Definition.of("c", "counter", "", "", (), (), "")
HISTOGRAM = Definition.of("h", "histogram", "", "", ("b", "a"), ("+Inf",), "")
TWIN_OF_COUNTER, TWIN_OF_HISTOGRAM = (one.twin.field for one in (COUNTER, HISTOGRAM) if one.twin is not None)
GAUGE = Definition.of("g", "gauge", "", "", ("b", "a"), (), "sum")


def on_the_wire(batch: Batch, store_now_us: int = 0, now: float = 0.0) -> Body:
    """Keys and arguments of the call."""
    return encode(batch.freeze(store_now_us, now), KEYS)


def test_equal_series_add_up() -> None:
    """Two objects of one family in two registries are one series."""
    batch = Batch()
    batch.add(COUNTER, "[]", 2**60)
    batch.add(COUNTER, "[]", 1)
    assert on_the_wire(batch).arguments[4:] == ("add", "9", "1", "[]", str(2**60 + 1))


def test_of_equal_gauges_the_one_set_last_stands() -> None:
    """A gauge that was created and never set does not cover one that was."""
    batch = Batch()
    batch.set_gauge(GAUGE, ("1", "2"), 5.0, "old")
    batch.set_gauge(GAUGE, ("1", "2"), 7.0, "new")
    batch.set_gauge(GAUGE, ("1", "2"), 6.0, "between")
    batch.set_gauge(GAUGE, ("1", "2"), None, "0")
    assert list(batch.gauges.values()) == [(7.0, "new")]


def test_sections_point_at_their_keys() -> None:
    """Each section names its operation, its key's index and its number of items, in the order of effect."""
    batch = Batch()
    batch.add(COUNTER, "[]", 1)
    batch.add(HISTOGRAM, '["y","x","sum"]', 2)
    batch.set_exemplar(COUNTER, "[]", 1.5, "{}")
    batch.set_gauge(GAUGE, ("1", "2"), 5.0, "9")
    batch.unset_gauge(GAUGE, ("3", "4"))
    batch.remove(HISTOGRAM, ("1", None))
    batch.define(COUNTER)
    body = on_the_wire(batch, 10**12, 6.0)
    assert body.keys[2:] == (
        KEYS.families, KEYS.gauges, KEYS.exemplars, KEYS.removed, KEYS.sizes, KEYS.returned,
        KEYS.family(HISTOGRAM.field), *KEYS.packed(TWIN_OF_HISTOGRAM), KEYS.family(COUNTER.field),
    )  # fmt: skip
    assert body.arguments == (
        "define", "3", "1", COUNTER.field, COUNTER.to_json(),
        "expect", "3", "2", COUNTER.field, HISTOGRAM.field,
        "remove", "9", "1", HISTOGRAM.field, '[null,"1"]', "parts",
        "remove_packed_twin", "10", "1", TWIN_OF_HISTOGRAM, '[null,"1"]', "parts",
        "unset", "4", "1", f'["g","{GAUGE.layout}",["4","3"]]',
        "gauge", "4", "1", f'["g","{GAUGE.layout}",["2","1"]]', f"{10**12 - 10**6} 9",
        "add", "13", "1", "[]", "1",
        "add_part", "9", "1", '["y","x","sum"]', "2",
        "exemplar", "5", "1", f"{COUNTER.field} []", "1500000 {}",
    )  # fmt: skip


def test_all_removals_of_a_family_stand_in_one_section() -> None:
    """The store walks through a family's numbers once for each section."""
    batch = Batch()
    batch.remove(HISTOGRAM, ("1", None))
    batch.remove(COUNTER, ())
    batch.remove(HISTOGRAM, ("2", "3"))
    assert on_the_wire(batch).arguments == (
        "remove", "9", "2", HISTOGRAM.field, '[null,"1"]', "parts", HISTOGRAM.field, '["3","2"]', "parts",
        "remove_packed_twin", "10", "2", TWIN_OF_HISTOGRAM, '[null,"1"]', "parts", TWIN_OF_HISTOGRAM, '["3","2"]',
        "parts",
        "remove", "13", "1", COUNTER.field, "[]", "one",
        "remove_packed_twin", "14", "1", TWIN_OF_COUNTER, "[]", "one",
    )  # fmt: skip


def test_of_equal_exemplars_the_newest_stands() -> None:
    """Two threads that observe at once leave the later one's."""
    batch = Batch()
    for at, text in ((5.0, "a"), (7.0, "b"), (6.0, "c")):
        batch.set_exemplar(COUNTER, "[]", at, text)
    assert list(batch.exemplars.values()) == [(7.0, "b")]


def test_a_gauge_that_was_never_set_has_the_time_0() -> None:
    """Creation is told apart from setting, even right after the clock's own beginning."""
    batch = Batch()
    batch.set_gauge(GAUGE, ("1", "2"), None, "0")
    batch.set_gauge(GAUGE, ("3", "4"), 1.0, "0")
    times = [text.split(" ")[0] for text in on_the_wire(batch, 5, 9.0).arguments[4::2]]
    assert times == ["0", "1"]


def test_an_empty_batch_is_falsy_and_has_no_sections() -> None:
    """A heartbeat carries nothing."""
    assert not Batch()
    assert on_the_wire(Batch()).arguments == ()
