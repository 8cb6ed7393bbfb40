"""In what definitions disagree."""

import pytest

from fleetmeter.schema.definition import Definition
from fleetmeter.writer.conflicts import CONFLICTS, reasons

BASE = Definition.of("h_seconds", "histogram", "help", "", ("a", "b"), ("1.0", "+Inf"), "")


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (Definition.of("h_seconds", "counter", "other", "", (), (), ""), ["type"]),
        (Definition.of("h_seconds", "histogram", "help", "", ("a",), ("1.0", "+Inf"), ""), ["labels"]),
        (Definition.of("h_seconds", "histogram", "help", "", ("b", "a"), ("1.0", "+Inf"), ""), ["label_order"]),
        (Definition.of("h_seconds", "histogram", "help", "usd", ("a", "b"), ("1.0", "+Inf"), ""), ["scale", "unit"]),
        (Definition.of("h_seconds", "histogram", "new", "", ("a", "b"), ("2.0", "+Inf"), ""), ["bounds", "help"]),
        (Definition.of("h_seconds", "histogram", "help", "", ("a", "b"), ("1.0", "+Inf"), "sum"), ["mode"]),
    ],
)
def test_every_difference_has_its_reason(other: Definition, expected: list[str]) -> None:
    """Whatever layout it stands under; a type that differs explains everything else."""
    assert reasons(other.field, other.to_json(), {BASE.field: BASE.to_json(), "h:1": "{}"}) == expected
    assert reasons(BASE.field, BASE.to_json(), {other.field: other.to_json()}) == expected
    assert set(expected) <= set(CONFLICTS)


@pytest.mark.parametrize("unit", ["", "seconds"])
def test_the_same_family_in_the_other_format_is_no_conflict(unit: str) -> None:
    """During an upgrade both stand side by side and are added up; what else differs is told as ever."""
    hashed, packed, reworded = (
        Definition.of("calls", "counter", text, unit, ("a",), (), "", packed=packed)
        for text, packed in (("help", False), ("help", True), ("other", True))
    )
    for one, other in ((hashed, packed), (packed, hashed)):
        assert reasons(one.field, one.to_json(), {other.field: other.to_json()}) == []
        assert reasons(one.field, one.to_json(), {one.field: one.to_json(), other.field: other.to_json()}) == []
    assert reasons(hashed.field, hashed.to_json(), {reworded.field: reworded.to_json()}) == ["help"]


def test_of_its_own_layouts_the_writer_compares_the_same_one_first() -> None:
    """Two layouts in one process: a conflict about one is told against that one."""
    wide = Definition.of("h_seconds", "histogram", "help", "", ("a", "b", "c"), ("1.0", "+Inf"), "")
    own = {wide.field: wide.to_json(), BASE.field: BASE.to_json()}
    other = Definition.of("h_seconds", "histogram", "other", "", ("a", "b"), ("1.0", "+Inf"), "")
    assert reasons(other.field, other.to_json(), own) == ["help"]


def test_two_layouts_of_the_writers_own_are_told_apart() -> None:
    """One process that uses a name for two things is told what differs, also where both came with one batch."""
    wide = Definition.of("h_seconds", "histogram", "help", "", ("a", "b", "c"), ("1.0", "+Inf"), "")
    own = {wide.field: wide.to_json(), BASE.field: BASE.to_json()}
    assert reasons(BASE.field, BASE.to_json(), own) == ["labels"]
    counter = Definition.of("h_seconds", "counter", "help", "", (), (), "")
    assert reasons(BASE.field, BASE.to_json(), {**own, counter.field: counter.to_json()}) == ["type"]


@pytest.mark.parametrize("stored", ["", "[]", "{}", "null", "no json", '{"type":"histogram"}', BASE.to_json()[:-1]])
def test_what_cannot_be_compared_is_other(stored: str) -> None:
    """Another version's definition is counted, and never raises."""
    assert reasons(BASE.field, stored, {BASE.field: BASE.to_json()}) == ["other"]
    assert reasons(BASE.field, BASE.to_json(), {}) == ["other"]
