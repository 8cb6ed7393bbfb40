"""Amounts of packed layouts on the wire: which block they belong to, and how they are split into slots."""

import pytest

from fleetmeter.schema.definition import Definition, compact_json
from fleetmeter.schema.keys import Keys
from fleetmeter.schema.packing import Shape, shape_of
from fleetmeter.values.delta import Delta, Removal
from fleetmeter.writer.directory import Asked, Known
from fleetmeter.writer.packed_sections import blocks_of
from fleetmeter.writer.wire import encode
from support.packed import adds_of

KEYS = Keys("n")
SPENT = Definition.of("spent", "counter", "", "usd", ("k",), (), "", packed=True)
PLAIN = Definition.of("plain", "counter", "", "", ("k",), (), "", packed=True)
WAIT = Definition.of("wait_seconds", "histogram", "", "seconds", ("k",), ("1.0", "+Inf"), "", packed=True)
SHAPE = shape_of(WAIT, WAIT.bounds)
WIDER = Shape(2, ("sum", "0.5", "1.0", "+Inf"))


@pytest.mark.parametrize("values", [(), ("a",), ("a", "b"), ('a","sum', ""), ('"],["', "ü\n"), ("\\",)])
def test_a_number_of_several_is_one_part_of_its_series(values: tuple[str, ...]) -> None:
    """Whatever the label values are: what is behind the last comma is the part."""
    numbers = {compact_json([*values, part]): amount for part, amount in (("sum", 7), ("1.0", 2), ("+Inf", 1))}
    found = blocks_of(numbers, (SHAPE,), has_parts=True)
    assert found == {SHAPE: {compact_json(values): {0: 7, 1: 2, 2: 1}}}


def test_a_counter_s_number_is_its_series() -> None:
    """A label value that looks like a bound is a label value."""
    shape = shape_of(PLAIN, ())
    assert blocks_of({'["a","sum"]': 3}, (shape,), has_parts=False) == {shape: {'["a","sum"]': {0: 3}}}


def test_a_part_goes_to_the_widest_shape_that_has_it() -> None:
    """One process may have two bucket lists of one name: what both have is counted in one block."""
    numbers = {'["sum"]': 7, '["0.5"]': 1, '["1.0"]': 2}
    for shapes in ((SHAPE, WIDER), (WIDER, SHAPE)):
        assert blocks_of(numbers, shapes, has_parts=True) == {WIDER: {"[]": {0: 7, 1: 1, 2: 2}}}
    other = Shape(2, ("sum", "3.0", "+Inf"))
    found = blocks_of({**numbers, '["3.0"]': 4}, (other, WIDER), has_parts=True)
    assert found == {WIDER: {"[]": {0: 7, 1: 1, 2: 2}}, other: {"[]": {1: 4}}}


def test_a_bucket_that_no_shape_has_gets_a_block_of_its_own() -> None:
    """So there are never more shapes than bounds, whatever comes together in a batch."""
    found = blocks_of({'["sum"]': 7, '["9.0"]': 1, '["8.0"]': 2}, (SHAPE,), has_parts=True)
    assert found == {
        SHAPE: {"[]": {0: 7}},
        Shape(2, ("sum", "9.0", "+Inf")): {"[]": {1: 1}},
        Shape(2, ("sum", "8.0", "+Inf")): {"[]": {1: 2}},
    }
    bare = Shape(2, ("sum",))
    assert blocks_of({'["+Inf"]': 1}, (bare,), has_parts=True) == {Shape(2, ("sum", "+Inf")): {"[]": {1: 1}}}


def test_what_is_not_known_goes_by_name() -> None:
    """A section for each shape; amounts stand by their place in the block, and those of 0 not at all."""
    delta = adds_of(WAIT, {("a", "sum"): 10**18 * 2 + 5, ("a", "1.0"): 1, ("b", "sum"): 0, ("c", "sum"): -3})
    body = encode(delta, KEYS, {})
    assert body.keys[8:] == KEYS.packed(WAIT.field)
    assert body.arguments[:4] == ("expect", "3", "1", WAIT.field)
    assert body.arguments[4:] == (
        "named", "9", "16", '2 ["sum","1.0","+Inf"]', "3",
        '["a"]', "3", "0", "2", "1", "5", "2", "1", '["b"]', "0", '["c"]', "1", "1", "-3",
    )  # fmt: skip
    assert body.asked == (Asked(WAIT.field, SHAPE, ('["a"]', '["b"]', '["c"]')),)
    assert body.proven == ()


def test_what_is_known_goes_by_slot_and_the_rest_by_name() -> None:
    """Plain slots first, then wholes, then remainders: each kind is carried by its own rule."""
    shape = shape_of(PLAIN, ())
    known = {PLAIN.field: Known("ab 3 cd", {shape: {'["a"]': 6, '["z"]': 0}})}
    delta = adds_of(PLAIN, {("a",): 10**33 * 7 + 10**15 * 4 + 2, ("b",): 1})
    body = encode(delta, KEYS, known)
    assert body.arguments[4:] == (
        "indexed", "9", "9", "ab 3 cd", "1", "1", "#6", "7", "#7", "4", "#8", "2",
        "named", "9", "6", '3 [""]', "1", '["b"]', "1", "2", "1",
    )  # fmt: skip
    assert (body.asked, body.proven) == ((Asked(PLAIN.field, shape, ('["b"]',)),), (PLAIN.field,))


def test_a_zero_for_what_is_known_is_still_a_question() -> None:
    """A series that is sent at 0 shall exist: that its slot is known must be proven as for any amount."""
    known = {SPENT.field: Known("ab 3 cd", {shape_of(SPENT, ()): {'["a"]': 6}})}
    body = encode(adds_of(SPENT, {("a",): 0}), KEYS, known)
    assert body.arguments[4:] == ("indexed", "9", "3", "ab 3 cd", "0", "0")


def test_a_layout_of_which_something_is_removed_goes_by_name() -> None:
    """The removal comes first in the store, and the blocks that are known may go with it."""
    known = {SPENT.field: Known("ab 3 cd", {shape_of(SPENT, ()): {'["a"]': 6}})}
    removals = (Removal(SPENT.field, '["a"]', has_parts=False, packed=True),)
    body = encode(adds_of(SPENT, {("a",): 1}, removals=removals), KEYS, known)
    assert body.keys[8:] == KEYS.packed(SPENT.field)
    assert body.arguments[4:10] == ("remove_packed", "9", "1", SPENT.field, '["a"]', "one")
    assert body.arguments[10] == "named"


def test_layouts_of_both_formats_stand_side_by_side() -> None:
    """The hash format's sections are what they were."""
    old = Definition.of("spent", "counter", "", "usd", ("k",), (), "")
    both = Delta(
        adds={**adds_of(SPENT, {("a",): 1}).adds, **adds_of(old, {("a",): 2}).adds},
        shapes=adds_of(SPENT, {("a",): 1}).shapes,
    )
    body = encode(both, KEYS)
    assert body.keys[8:] == (*KEYS.packed(SPENT.field), KEYS.family(old.field))
    assert body.arguments[-5:] == ("add", "12", "1", '["a"]', "2")
