"""Definitions: the layout says what a number means, the stored text says it to strangers."""

import json
from dataclasses import replace

import pytest

from fleetmeter.errors import StateError
from fleetmeter.schema.definition import Definition, StoredDefinition

BASE = Definition.of("cost_usd", "histogram", "Cost.", "usd", ("model", "intent"), ("0.1", "+Inf"), "")


def test_label_order_and_texts_do_not_change_the_layout() -> None:
    """Two versions that differ in help, bounds, mode or the order of labels add to the same numbers."""
    same = replace(BASE, help="Other.", bounds=("+Inf",), mode="max", labels=("intent", "model"))
    assert same.layout == BASE.layout


@pytest.mark.parametrize(
    "other",
    [replace(BASE, type="counter"), replace(BASE, labels=("model",)), replace(BASE, scale=1), replace(BASE, labels=())],
)
def test_what_changes_the_meaning_changes_the_layout(other: Definition) -> None:
    """Numbers of different type, labels or scale never share a field."""
    assert other.layout != BASE.layout


def test_label_values_stand_in_the_order_of_sorted_names() -> None:
    """The order in which labels were declared cannot make a second series."""
    turned = replace(BASE, labels=("intent", "model"))
    assert BASE.series_field(("m", "i"), "sum") == turned.series_field(("i", "m"), "sum") == '["i","m","sum"]'


@pytest.mark.parametrize("value", ["", '"', "\\", "a,b", "\n", "\x00", "ä€😀", "[]", "\u2028"])
def test_any_label_value_survives(value: str) -> None:
    """A field is JSON: whatever a label holds comes back as it was, and no two values look alike."""
    assert json.loads(BASE.series_field((value, "x"), "sum")) == ["x", value, "sum"]


def test_what_utf8_cannot_hold_becomes_a_question_mark() -> None:
    """A lone surrogate, as broken file names bring, does not stop a batch."""
    assert BASE.series_field(("a\udc80", "x"), None) == '["x","a?"]'


def test_a_definition_is_read_back_as_it_was_written() -> None:
    """The store describes itself: everything an exporter needs comes back."""
    stored = StoredDefinition.parse(BASE.field, f"11 22 {BASE.to_json()}")
    assert stored == StoredDefinition(BASE, 11, 22)


def test_equal_definitions_have_equal_text() -> None:
    """The store recognises a definition that it has, however it was built."""
    again = Definition.of("cost_usd", "histogram", "Cost.", "usd", ["model", "intent"], ["0.1", "+Inf"], "")
    assert again.to_json() == BASE.to_json()


@pytest.mark.parametrize(
    "text",
    ["", "x", "1 2", "1 2 {}", "1 2 []", "1 2 nonsense", f"a b {BASE.to_json()}", '1 2 {"type": 3}', "1 2 null"],
)
def test_a_definition_of_another_form_is_refused_by_key(text: str) -> None:
    """What is not of this state format is named, not guessed at."""
    with pytest.raises(StateError, match="families") as caught:
        StoredDefinition.parse(BASE.field, text)
    assert BASE.field in caught.value.key


BASE_JSON = json.loads(BASE.to_json())


@pytest.mark.parametrize(
    "change",
    [
        {"type": None}, {"help": 3}, {"unit": 3}, {"mode": None}, {"mode": ["max"]}, {"labels": "ab"}, {"labels": [1]},
        {"labels": {"a": 1}}, {"labels": ["a", "a"]}, {"labels": None}, {"bounds": ["a"]}, {"bounds": [1, 2]},
        {"bounds": ["1.0"]}, {"bounds": ["nan", "+Inf"]}, {"bounds": ["2.0", "1.0", "+Inf"]}, {"bounds": "+Inf"},
        {"scale": 0}, {"scale": -1}, {"scale": "x"}, {"scale": 1.5}, {"scale": True}, {"help": "\ud800"},
    ],
)  # fmt: skip
def test_every_part_of_a_definition_has_its_shape(change: dict[str, object]) -> None:
    """What would fail later, in the middle of a scrape, is refused where it is read."""
    with pytest.raises(StateError, match="no definition of this state format"):
        StoredDefinition.parse(BASE.field, f"1 2 {json.dumps(BASE_JSON | change)}")


@pytest.mark.parametrize(
    ("field", "text"), [(f":{BASE.layout}", f"1 2 {BASE.to_json()}"), ("x:1", "1 2 " + "[" * 10**5)]
)
def test_no_name_and_no_end_are_refused(field: str, text: str) -> None:
    """A family without a name, and JSON that nests deeper than Python reads, are told like anything else."""
    with pytest.raises(StateError, match="no definition of this state format"):
        StoredDefinition.parse(field, text)


def test_a_type_of_a_later_version_is_read() -> None:
    """Only who serves it needs to know what it means."""
    later = replace(BASE, type="sketch")
    assert StoredDefinition.parse(later.field, f"1 2 {later.to_json()}").definition == later


def test_a_definition_under_a_layout_that_is_not_its_own_is_refused() -> None:
    """A definition whose digest differs from its field would give numbers another meaning."""
    with pytest.raises(StateError, match="describes the layout"):
        StoredDefinition.parse("cost_usd:00000000", f"1 2 {BASE.to_json()}")
