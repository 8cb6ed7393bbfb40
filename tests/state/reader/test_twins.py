"""A layout in two formats is one to everybody who shows or compares numbers: exact sums, no loss by a conversion."""

import random
from collections.abc import Mapping
from dataclasses import replace

import pytest

from fleetmeter.errors import StateError
from fleetmeter.reader.continuity import Continuity
from fleetmeter.reader.families import families_of
from fleetmeter.reader.hashes import Hash
from fleetmeter.reader.joined import Joined
from fleetmeter.reader.returned import Returned
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.reader.twins import Twins, joined
from fleetmeter.schema.definition import Definition, StoredDefinition
from fleetmeter.schema.packing import FRACTION
from fleetmeter.schema.rows import Epoch, Row

LOAD = Definition.of("load", "counter", "Load.", "", ("a",), (), "")
WAIT = Definition.of("wait_seconds", "histogram", "Waits.", "", (), ("1.0", "+Inf"), "")
SIZE = Definition.of("size", "summary", "Sizes.", "", (), (), "")


def packed(definition: Definition) -> Definition:
    """The same layout with packed numbers."""
    assert definition.twin is not None
    return definition.twin


Texts = Mapping[bytes, bytes]


def snapshot(
    numbers: Mapping[Definition, Texts], *, row: int = 1, taken_us: int = 10**12, **more: Mapping[bytes, bytes]
) -> Snapshot:
    """A namespace with these layouts, a writer at a row, and no more than is said."""
    return Snapshot(
        taken_us=taken_us,
        epoch=Epoch("E", 1, 1),
        rows={"w": Row(row, 0, 10**12, said_goodbye=False)},
        definitions=tuple(StoredDefinition(definition, 5, 7) for definition in numbers),
        numbers={definition.field: Hash.of(texts) for definition, texts in numbers.items()},
        gauges=Hash([], []),
        replicas={},
        extras=None,
        **more,  # type: ignore[arg-type]
    )


def shown(found: Snapshot) -> dict[str, float]:
    """Each sample by its name and label values."""
    return {
        " ".join((family.definition.name + sample.suffix, *(value for _, value in sample.labels))): sample.value
        for family in families_of(found)
        for sample in family.samples
    }


def units(text: str) -> bytes:
    """A whole number of 10^-15."""
    return b"%d" % round(float(text) * FRACTION)


@pytest.mark.parametrize(
    ("text", "more", "total"),
    [
        (b"4.2", 10**8, 4.2000001),
        (b"1", 2 * FRACTION, 3),
        (b"0.1", FRACTION // 5, 0.3),
        (b"-0.1", FRACTION // 10, 0),
        (b"9007199254740993", FRACTION, 9007199254740994),
        (b"0.0000000000000001", 1, 1.1e-15),
        (b"1e-16", 0, 1e-16),
    ],
)
def test_sums_are_exact(text: bytes, more: int, total: float) -> None:
    """Stored units are added up, whole or by their digits, and only the sum becomes a float."""
    found = snapshot({LOAD: {b'["a"]': text}, packed(LOAD): {b'["a"]': b"%d" % more}})
    assert shown(found) == {"load_total a": total}


def test_no_digit_goes_down_when_a_layout_gets_its_twin() -> None:
    """A number below units of 10^-15 is rounded once: what the hash alone showed is what both show."""
    dice = random.Random(1)
    for _ in range(500):
        text = f"{dice.choice((0, 1, 3, 1234567))}.{dice.randrange(10**17):017d}".encode()
        alone, both = {LOAD: {b'["a"]': text}}, {LOAD: {b'["a"]': text}, packed(LOAD): {b'["b"]': b"1"}}
        assert shown(snapshot(both))["load_total a"] == shown(snapshot(alone))["load_total a"] == float(text)


@pytest.mark.parametrize(("text", "total"), [(b"inf", float("inf")), (b"-inf", float("-inf"))])
def test_what_is_not_finite_is_shown_as_before(text: bytes, total: float) -> None:
    """An infinity in the hash is one with anything beside it."""
    assert shown(snapshot({LOAD: {b'["a"]': text}, packed(LOAD): {b'["a"]': units("1")}})) == {"load_total a": total}


def test_only_values_have_other_units() -> None:
    """Counts of observations are the same in both formats; so are sums that have a unit."""
    found = snapshot({
        SIZE: {b'["sum"]': b"0.5", b'["count"]': b"2"}, packed(SIZE): {b'["sum"]': units("0.25"), b'["count"]': b"1"},
        WAIT: {b'["sum"]': b"5", b'["1.0"]': b"2"}, packed(WAIT): {b'["sum"]': b"7", b'["1.0"]': b"1"},
    })  # fmt: skip
    samples = shown(found)
    assert (samples["size_sum"], samples["size_count"]) == (0.75, 3)
    assert (samples["wait_seconds_sum"], samples["wait_seconds_bucket 1.0"]) == (0.000012, 3)


@pytest.mark.parametrize(("field", "text"), [(b'["a"]', b"x"), (b'["a","b"]', b"1"), (b"a", b"1")])
def test_an_error_names_the_key_that_has_the_fault(field: bytes, text: bytes) -> None:
    """What cannot be read is told of the hash if it stands there, though both are shown as one."""
    found = snapshot({LOAD: {field: text}, packed(LOAD): {b'["b"]': b"1"}})
    with pytest.raises(StateError) as caught:
        families_of(found)
    assert caught.value.key == f"family:{LOAD.field}"


def test_the_newer_words_and_the_older_time_are_shown() -> None:
    """Of two definitions of a layout the newer one counts, and the family is as old as the older one."""
    old = StoredDefinition(replace(LOAD, help="Newer."), 3, 9)
    found = snapshot({packed(LOAD): {b'["a"]': b"1"}})
    found = replace(found, definitions=(*found.definitions, old))
    (family,) = families_of(found)
    assert (family.definition.help, family.first_us) == ("Newer.", 3)


def test_what_did_not_change_is_the_same_object() -> None:
    """Nothing is made again of a read that has the same hashes; of others with the same fields, those stay."""
    twins, first = Twins(), snapshot({LOAD: {b'["a"]': b"1"}, packed(LOAD): {b'["b"]': b"1"}})
    one = twins.join(first).numbers[packed(LOAD).field]
    again = twins.join(replace(first)).numbers[packed(LOAD).field]
    other = twins.join(snapshot({LOAD: {b'["a"]': b"2"}, packed(LOAD): {b'["b"]': b"1"}})).numbers[packed(LOAD).field]
    assert isinstance(one, Joined)
    assert isinstance(other, Joined)
    fields = one.as_hash().fields
    assert again is one
    assert dict(other) == {b'["b"]': b"1", b'["a"]': b"%d" % (2 * FRACTION)}
    assert other.as_hash().fields == fields


def test_a_joined_snapshot_stays_as_it_is() -> None:
    """To join again changes nothing, and a snapshot without twins is returned as it is."""
    once = joined(snapshot({LOAD: {b'["a"]': b"1"}, packed(LOAD): {}}))
    assert joined(once) is once
    alone = snapshot({LOAD: {b'["a"]': b"1"}})
    assert joined(alone) is alone


STATES: list[dict[Definition, Texts]] = [
    {LOAD: {b'["a"]': b"1.5", b'["b"]': b"2"}},
    {LOAD: {b'["a"]': b"1.5", b'["b"]': b"2"}, packed(LOAD): {}},
    {LOAD: {b'["a"]': b"1", b'["b"]': b"2"}, packed(LOAD): {b'["a"]': units("0.5")}},
    {LOAD: {b'["b"]': b"2"}, packed(LOAD): {b'["a"]': units("1.5")}},
    {LOAD: {}, packed(LOAD): {b'["a"]': units("1.5"), b'["b"]': units("2")}},
    {packed(LOAD): {b'["a"]': units("1.5"), b'["b"]': units("2")}},
]
"""The same sums before, during and after a conversion."""


@pytest.mark.parametrize("before", range(len(STATES)))
@pytest.mark.parametrize("after", range(len(STATES)))
def test_no_step_is_a_loss(before: int, after: int) -> None:
    """From any of these states to any other, also back by a failover that lost no batch, nothing is held or behind."""
    continuity = Continuity()
    continuity.show(snapshot(STATES[before]))
    for state in (STATES[after], STATES[before], STATES[after]):
        found = continuity.show(snapshot(state))
        assert (found.held, found.counts_behind, found.cause) == (False, 0, None)
        assert shown(found.snapshot) == {"load_total a": 1.5, "load_total b": 2}


@pytest.mark.parametrize("rest", [b"0.0000000000000004", b"0.00000000000000000001"])
@pytest.mark.parametrize("packed_units", [250_000_000 * FRACTION, 3 * FRACTION, 10**30 + 1])
def test_a_rest_that_no_float_can_show_is_no_loss(packed_units: int, rest: bytes) -> None:
    """A sum that gets a rest below 10^-15 is more than before, though its float may be less; without it, it is less."""
    continuity = Continuity()
    alone = {packed(LOAD): {b'["a"]': b"%d" % packed_units}}
    for state in (alone, {LOAD: {b'["a"]': rest}, **alone}):
        found = continuity.show(snapshot(state))
        assert (found.held, found.counts_behind) == (False, 0)
    assert continuity.show(snapshot(alone)).counts_behind == 1


@pytest.mark.parametrize("before", range(len(STATES)))
@pytest.mark.parametrize("after", range(len(STATES)))
def test_a_loss_is_one_in_any_state(before: int, after: int) -> None:
    """If a sum went down, the larger one is shown, whatever stands in which format, until the store has it again."""
    continuity = Continuity()
    more = {**STATES[before]}
    layout = packed(LOAD) if packed(LOAD) in more else LOAD
    more[layout] = {**more[layout], b'["c"]': b"3" if layout is LOAD else units("3")}
    continuity.show(snapshot(more))
    for state in (STATES[after], STATES[before]):
        found = continuity.show(snapshot(state))
        assert (found.held, found.counts_behind) == (False, 1)
        assert shown(found.snapshot) == {"load_total a": 1.5, "load_total b": 2, "load_total c": 3}
    found = continuity.show(snapshot(more))
    assert (found.counts_behind, shown(found.snapshot)["load_total c"]) == (0, 3)


@pytest.mark.parametrize("note", [LOAD, packed(LOAD)])
@pytest.mark.parametrize("before", range(len(STATES)))
def test_a_removal_of_one_format_is_one_of_both(before: int, note: Definition) -> None:
    """A series that was served from a hash, was converted, and is removed as a packed one, may go; or the other way."""
    continuity = Continuity()
    continuity.show(snapshot(STATES[before]))
    left = {packed(LOAD): {b'["b"]': units("2")}}
    removed = {f'{note.field} ["a"]'.encode(): b"900"}
    found = continuity.show(snapshot(left, removed=removed))
    assert found.counts_behind == 0
    assert shown(found.snapshot) == {"load_total b": 2}


@pytest.mark.parametrize(("old", "new", "since"), [(50, 70, 50), (70, 50, 50), (0, 50, 0), (50, 0, 0)])
def test_a_series_came_back_when_it_first_did(old: int, new: int, since: int) -> None:
    """Of a series in both formats the earlier time counts; without a time a layout has had it all along."""
    field = b'["a"]'
    times = {layout: time for layout, time in ((LOAD, old), (packed(LOAD), new)) if time}
    raw = {f'{layout.field} ["a"]'.encode(): b"%d" % time for layout, time in times.items()}
    found = snapshot({LOAD: {field: b"1"}, packed(LOAD): {field: b"1"}})
    again = joined(replace(found, returned=Returned(raw))).returned
    assert again.of(packed(LOAD).field).get(field, 0) == since
    assert again.of(LOAD.field) == {}
