"""Batches: equal series add up, and a copy tells the same as the original."""

from fleetmeter.batch import Batch, encode
from fleetmeter.definition import Definition
from fleetmeter.keys import Keys

KEYS = Keys("n")
COUNTER = Definition.of("c", "counter", "", "", (), (), "")
GAUGE = Definition.of("g", "gauge", "", "", ("b", "a"), (), "sum")


def test_equal_series_add_up() -> None:
    """Two objects of one family in two registries are one series."""
    batch = Batch()
    batch.add(COUNTER.field, "[]", 2**60)
    batch.add(COUNTER.field, "[]", 1)
    assert encode(batch, KEYS, 0, 0.0).arguments == ("add", "3", "1", "[]", str(2**60 + 1))


def test_of_equal_gauges_the_one_set_last_stands() -> None:
    """A gauge that was created and never set does not cover one that was."""
    batch = Batch()
    batch.set_gauge(GAUGE, ("1", "2"), 5.0, "old")
    batch.set_gauge(GAUGE, ("1", "2"), 7.0, "new")
    batch.set_gauge(GAUGE, ("1", "2"), 6.0, "between")
    batch.set_gauge(GAUGE, ("1", "2"), None, "0")
    assert list(batch.gauges.values()) == [(7.0, "new")]


def test_sections_point_at_their_keys() -> None:
    """Each section names its operation, its key's index after the two fixed keys, and its number of items."""
    batch = Batch()
    batch.define(COUNTER)
    batch.add(COUNTER.field, "[]", 1)
    batch.set_gauge(GAUGE, ("1", "2"), 5.0, "9")
    body = encode(batch, KEYS, 10**12, 6.0)
    assert body.keys == (KEYS.families, KEYS.gauges, KEYS.family(COUNTER.field))
    assert body.arguments == (
        "define", "3", "1", COUNTER.field, COUNTER.to_json(),
        "gauge", "4", "1", f'["g","{GAUGE.layout}",["2","1"]]', f"{10**12 - 10**6} 9",
        "add", "5", "1", "[]", "1",
    )  # fmt: skip


def test_a_gauge_that_was_never_set_has_the_time_0() -> None:
    """Creation is told apart from setting, even right after the clock's own beginning."""
    batch = Batch()
    batch.set_gauge(GAUGE, ("1", "2"), None, "0")
    batch.set_gauge(GAUGE, ("3", "4"), 1.0, "0")
    times = [text.split(" ")[0] for text in encode(batch, KEYS, 5, 9.0).arguments[4::2]]
    assert times == ["0", "1"]


def test_an_empty_batch_is_falsy_and_has_no_sections() -> None:
    """A heartbeat carries nothing."""
    assert not Batch()
    assert encode(Batch(), KEYS, 0, 0.0).arguments == ()
