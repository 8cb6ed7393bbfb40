"""How packed numbers are split into slots, and what a packed layout is called."""

import pytest

from fleetmeter.schema.definition import Definition, StoredDefinition
from fleetmeter.schema.packing import BASE, FRACTION, Shape, digest_of, joined_value, shape_of, split_value
from fleetmeter.schema.scale import Scale


def defined(name: str, kind: str, *, packed: bool = True, bounds: tuple[str, ...] = ()) -> Definition:
    """A layout with two labels."""
    return Definition.of(name, kind, "Help.", "", ("b", "a"), bounds, "", packed=packed)


@pytest.mark.parametrize("units", [0, 1, -1, FRACTION, -FRACTION - 7, 10**36 + 5, -(10**40), BASE * FRACTION])
@pytest.mark.parametrize("value", [2, 3])
def test_a_value_is_what_its_slots_mean(units: int, value: int) -> None:
    """No digit is lost, and no slot but the highest is so large that a few of them overflow."""
    slots = split_value(units, value)
    assert len(slots) == value
    assert joined_value(slots) == units
    assert all(abs(slot) < BASE for slot in slots[1:])


def test_a_packed_layout_stands_beside_the_other() -> None:
    """It has a field of its own, and units for its fractions."""
    plain, packed = defined("paid", "counter", packed=False), defined("paid", "counter")
    assert plain.field != packed.field
    assert (plain.scale, packed.scale) == (Scale.PLAIN, Scale.FEMTO)
    assert defined("paid_usd", "counter").scale == Scale.NANO


def test_a_type_that_is_not_added_up_is_never_packed() -> None:
    """A gauge's value is replaced, not added to."""
    assert defined("level", "gauge") == defined("level", "gauge", packed=False)


def test_a_packed_definition_is_read_back() -> None:
    """Its stored type is one that older versions do not know, so that they leave it out and say so."""
    packed = defined("paid", "histogram", bounds=("0.1", "+Inf"))
    assert '"type":"packed histogram"' in packed.to_json()
    assert StoredDefinition.parse(packed.field, f"1 2 {packed.to_json()}").definition == packed


def test_a_shape_is_read_back() -> None:
    """The value's slots come first, then one for each bucket or count."""
    histogram = shape_of(defined("took_seconds", "histogram"), ("0.1", "+Inf"))
    assert histogram.text() == '2 ["sum","0.1","+Inf"]'
    assert histogram.slots == 4
    assert Shape.parse(histogram.text()) == histogram
    assert shape_of(defined("paid", "counter"), ()).text() == '3 [""]'
    assert shape_of(defined("size", "summary"), ()).slots == 4


@pytest.mark.parametrize("text", ["", "2", '4 ["sum"]', '2 ["0.1"]', "2 []", '2 {"sum":1}', '"sum"'])
def test_what_is_no_shape_is_refused(text: str) -> None:
    """A reader must not guess where a number stands."""
    with pytest.raises((ValueError, TypeError)):
        Shape.parse(text)


def test_a_digest_depends_on_all_before_it() -> None:
    """Two lists whose entries at one place are equal are equal up to there."""
    first, other = digest_of("", "g 1"), digest_of("", "g 2")
    assert len(first) == 16
    assert digest_of(first, 'b 0 0 ["a"]') != digest_of(other, 'b 0 0 ["a"]')
