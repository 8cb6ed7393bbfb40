"""Removing packed series: what fits goes, its block is not used before a compaction, and nobody writes to it."""

from collections.abc import Iterator
from typing import Any

import pytest

from fleetmeter.schema.definition import Definition, compact_json, read_json
from fleetmeter.schema.packing import shape_of
from fleetmeter.values.batch import Batch
from fleetmeter.values.delta import Delta, Removal
from support.packed import Hand, decoded, generation_of
from support.store import StoreAddress

CALLS = Definition.of("calls", "counter", "", "usd", ("a", "b"), (), "", packed=True)
WAIT = Definition.of("wait", "histogram", "", "usd", ("a", "b"), ("1.0", "+Inf"), "", packed=True)
BARE = Definition.of("bare", "histogram", "", "usd", (), ("1.0", "+Inf"), "", packed=True)
SERIES = [(one, two) for one in "xy" for two in ("1", "2")]


def removal(definition: Definition, *patterns: list[str | None]) -> tuple[Removal, ...]:
    """Removals of a layout."""
    return tuple(Removal(definition.field, compact_json(one), definition.has_parts, packed=True) for one in patterns)


def numbers_of(definition: Definition, series: list[tuple[str, str]], amount: int = 1) -> dict[tuple[str, ...], int]:
    """One amount for each series, or for each of two parts of it."""
    parts: list[tuple[str, ...]] = [("sum",), ("1.0",)] if definition.has_parts else [()]
    return {(*one, *part): amount for one in series for part in parts}


@pytest.fixture
def hands(store: StoreAddress) -> Iterator[tuple[Hand, Hand]]:
    """Two writers that know four series of each layout."""
    pair = Hand(store, "one"), Hand(store, "two")
    for hand in pair:
        for definition in (CALLS, WAIT):
            hand.add(definition, numbers_of(definition, SERIES))
    yield pair
    for hand in pair:
        hand.close()


def left(client: Any, store: StoreAddress, definition: Definition) -> dict[str, int]:
    """What there is, but numbers of 0."""
    return {field: amount for field, amount in decoded(client, store.keys, definition).items() if amount}


@pytest.mark.parametrize("definition", [CALLS, WAIT], ids=["counter", "histogram"])
@pytest.mark.parametrize(
    ("patterns", "stay"),
    [
        ([["x", "1"]], [1, 2, 3]),
        ([["x", None]], [2, 3]),
        ([[None, "2"], ["y", "1"]], [0]),
        ([["x", "1"], ["y", "2"]], [1, 2]),
        ([["z", "1"]], [0, 1, 2, 3]),
        ([[None, "9"]], [0, 1, 2, 3]),
        ([[None, None]], []),
        ([["x", None], ["y", None]], []),
    ],
)
def test_series_that_fit_go_and_no_other(
    store: StoreAddress,
    client: Any,
    hands: tuple[Hand, Hand],
    definition: Definition,
    patterns: list[list[str | None]],
    stay: list[int],
) -> None:
    """Null fits any value; the removal is on record; whatever anybody knew, nothing is added to what is gone."""
    one, two = hands
    before = generation_of(one, definition)
    answer = one.send(Delta(removals=removal(definition, *patterns)))
    kept = numbers_of(definition, [SERIES[index] for index in stay], 2)
    assert left(client, store, definition) == {compact_json(field): amount for field, amount in kept.items()}
    noted = {field.decode(): int(text) for field, text in client.hgetall(store.keys.removed).items()}
    assert noted == {f"{definition.field} {compact_json(one)}": answer.store_now_us for one in patterns}
    for hand in (two, one):
        hand.add(definition, numbers_of(definition, SERIES, 10))
    expected = {field: 20 + kept.get(field, 0) for field in numbers_of(definition, SERIES)}
    assert left(client, store, definition) == {compact_json(field): amount for field, amount in expected.items()}
    assert (generation_of(one, definition) == before) == (len(stay) == 4)


@pytest.mark.parametrize("definition", [CALLS, WAIT], ids=["counter", "histogram"])
def test_a_removed_block_is_zero_and_is_not_used_again(
    store: StoreAddress, client: Any, hands: tuple[Hand, Hand], definition: Definition
) -> None:
    """The list of names says which one went; the series' next block is a new one behind all others."""
    one, _ = hands
    shape = shape_of(definition, definition.bounds)
    old = one.known(definition).slots[shape]['["x","2"]']
    one.send(Delta(removals=removal(definition, ["x", "2"])))
    numbers, _, names = store.keys.packed(definition.field)
    assert client.lrange(names, -1, -1)[0].decode().split(" ", 1)[1] == f"d {old}"
    length = client.strlen(numbers)
    one.add(definition, numbers_of(definition, [("x", "2")], 7))
    new = one.known(definition).slots[shape]['["x","2"]']
    assert new * 8 == length
    assert not any(client.getrange(numbers, old * 8, old * 8 + 15))


def test_a_series_that_is_removed_and_counted_in_one_batch_is_there(
    store: StoreAddress, client: Any, hands: tuple[Hand, Hand]
) -> None:
    """The removal takes effect first; the other writer's amounts come on top."""
    one, two = hands
    for patterns in ([["x", "1"]], [[None, None]]):
        one.add(CALLS, {("x", "1"): 7}, removals=removal(CALLS, *patterns))
        assert one.known(CALLS).slots
        two.add(CALLS, {("x", "1"): 70})
        assert left(client, store, CALLS)['["x","1"]'] == 77
    assert left(client, store, CALLS) == {'["x","1"]': 77}


def test_series_without_labels(store: StoreAddress, client: Any) -> None:
    """Their only series goes by the empty pattern, and comes back anew."""
    hand = Hand(store)
    for _ in range(2):
        hand.add(BARE, {("sum",): 5, ("1.0",): 1})
        hand.send(Delta(removals=removal(BARE, [])))
        assert not client.exists(*store.keys.packed(BARE.field))
    hand.add(BARE, {("sum",): 5})
    assert left(client, store, BARE) == {'["sum"]': 5}
    hand.close()


def test_a_removal_takes_the_exemplars_of_its_series(
    store: StoreAddress, client: Any, hands: tuple[Hand, Hand]
) -> None:
    """An exemplar of a bucket that is gone would come back with the next count."""
    one, _ = hands
    fields = [f"{WAIT.field} {compact_json((*series, '1.0'))}" for series in SERIES]
    one.add(WAIT, numbers_of(WAIT, SERIES), exemplars=dict.fromkeys(fields, "5 {}"))
    one.send(Delta(removals=removal(WAIT, ["x", "2"], [None, "1"])))
    assert [field.decode() for field in client.hkeys(store.keys.exemplars)] == fields[3:]


@pytest.mark.parametrize("definition", [CALLS, WAIT, BARE], ids=["counter", "histogram", "no labels"])
def test_series_that_come_after_a_removal_are_noted(store: StoreAddress, client: Any, definition: Definition) -> None:
    """By the field that marks a series in either format, and with the time at which it came."""
    hand = Hand(store)
    labels: list[tuple[str, ...]] = [("x", "1"), ("y", "1")] if definition.labels else [()]
    part = ("sum",) if definition.has_parts else ()
    first: dict[tuple[str, ...], int] = {(*labels[0], *part): 1}
    hand.add(definition, first)
    assert not client.exists(store.keys.returned)
    gone = hand.send(Delta(removals=removal(definition, list(labels[0])))).store_now_us
    expected = {definition.field: gone}
    for series in labels:
        came = hand.add(definition, {(*series, *part): 1}).store_now_us
        expected[f"{definition.field} {compact_json((*series, *part))}"] = came
        hand.add(definition, {(*series, *part): 1})
    noted = {field.decode(): int(text) for field, text in client.hgetall(store.keys.returned).items()}
    assert noted == expected
    hand.send(Delta(removals=removal(definition, [None] * len(definition.labels))))
    assert [field.decode() for field in client.hkeys(store.keys.returned)] == [definition.field]
    hand.close()


@pytest.mark.parametrize("definition", [CALLS, WAIT], ids=["counter", "histogram"])
@pytest.mark.parametrize("remover", [True, False], ids=["a packer removes", "a writer of hashes removes"])
def test_a_replica_removes_what_others_keep_in_the_other_format(
    store: StoreAddress, client: Any, definition: Definition, *, remover: bool
) -> None:
    """During an upgrade a series stands in both: `remove()` means the family's series, wherever it is."""
    twin = definition.twin
    assert twin is not None
    assert twin.twin == definition
    hand = Hand(store)
    own, other = (definition, twin) if remover else (twin, definition)
    patterns: list[list[str | None]] = [[None, "2"], ["x", None], ["y", "1"], [None, None]]
    for pattern in patterns:
        for one in (definition, twin):
            hand.add(one, numbers_of(one, SERIES))
        batch = Batch()
        batch.remove(own, pattern)
        answer = hand.send(batch.freeze(0, 0.0))
        fields = {field.decode() for field in client.hkeys(store.keys.family(twin.field))}
        packed = set(decoded(client, store.keys, definition))
        kept = {series for series in SERIES if not all(a in (None, b) for a, b in zip(pattern, series, strict=True))}
        assert {compact_json(field) for field in numbers_of(twin, sorted(kept))} == fields
        assert fields <= packed
        assert {tuple(read_json(field)[:2]) for field in packed} == kept
        noted = {field.decode() for field in client.hkeys(store.keys.removed)}
        assert {f"{one.field} {compact_json(pattern)}" for one in (own, other)} <= noted
        assert answer.refused_count == 0
    hand.close()


@pytest.mark.parametrize("definition", [CALLS, CALLS.twin], ids=["packed", "fields"])
def test_a_removal_notes_nothing_of_a_format_that_nobody_uses(
    store: StoreAddress, client: Any, definition: Definition
) -> None:
    """What is not there needs no record; a writer's own layout has one whether it had the series or not."""
    hand = Hand(store)
    batch = Batch()
    batch.remove(definition, ["x", "1"])
    hand.send(batch.freeze(0, 0.0))
    assert [field.decode() for field in client.hkeys(store.keys.removed)] == [f'{definition.field} ["x","1"]']
    assert [field.decode() for field in client.hkeys(store.keys.returned)] == [definition.field]
    hand.close()


def test_other_shapes_of_a_series_go_with_it(store: StoreAddress, client: Any, hands: tuple[Hand, Hand]) -> None:
    """All blocks of a series are its numbers."""
    one, two = hands
    other = Definition.of("wait", "histogram", "", "usd", ("a", "b"), ("2.0", "3.0", "+Inf"), "", packed=True)
    two.add(other, {("x", "1", "sum"): 5, ("x", "1", "2.0"): 1})
    one.send(Delta(removals=removal(WAIT, ["x", "1"])))
    assert not any('"x","1"' in field for field in decoded(client, store.keys, WAIT))
    two.add(other, {("x", "1", "sum"): 7})
    assert left(client, store, WAIT)['["x","1","sum"]'] == 7
    two.add(other, {("y", "1", "sum"): 7})  # which was never removed, and has a block more now
    noted = {field.decode() for field in client.hkeys(store.keys.returned)}
    assert noted == {WAIT.field, f'{WAIT.field} ["x","1","sum"]'}
