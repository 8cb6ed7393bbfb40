"""What a writer knows of slots may be out of date: then nothing is added by it, and everything by name."""

from typing import Any

import pytest
import redis

from fleetmeter.schema.definition import Definition
from fleetmeter.schema.packing import SLOT, shape_of
from fleetmeter.values.delta import Delta
from fleetmeter.writer.store import answer_of
from fleetmeter.writer.wire import encode
from support.packed import Hand, NewHand, adds_of, decoded, generation_of
from support.store import StoreAddress

SPENT = Definition.of("spent_usd", "counter", "", "", ("k",), (), "", packed=True)
PLAIN = Definition.of("plain", "counter", "", "", ("k",), (), "", packed=True)
BARE = Definition.of("bare", "counter", "", "usd", (), (), "", packed=True)


def state_of(client: Any, store: StoreAddress, definition: Definition) -> list[Any]:
    """All that the three keys of a layout hold."""
    numbers, series, names = store.keys.packed(definition.field)
    return [client.get(numbers), client.hgetall(series), client.lrange(names, 0, -1)]


@pytest.mark.parametrize("evicted", [0, 1, 2], ids=["numbers", "series", "names"])
@pytest.mark.parametrize("by_slot", [True, False], ids=["by slot", "by name"])
def test_a_layout_that_was_evicted_in_part_begins_anew(
    store: StoreAddress, client: Any, hand: NewHand, *, evicted: int, by_slot: bool
) -> None:
    """The three keys are of use only together; what is left of them is deleted, and adding goes on."""
    writer, other = hand("one"), hand("two")
    writer.add(PLAIN, {("a",): 1, ("b",): 2})
    other.add(PLAIN, {("b",): 2})
    generation = generation_of(writer, PLAIN)
    client.delete(store.keys.packed(PLAIN.field)[evicted])
    if not by_slot:
        writer.store._directory.forget()
    writer.add(PLAIN, {("b",): 30, ("a",): 7})
    other.add(PLAIN, {("b",): 300})
    assert generation_of(writer, PLAIN) != generation
    assert decoded(client, store.keys, PLAIN) == {'["a"]': 7, '["b"]': 330}


@pytest.mark.parametrize("junk", [0, 1, 2], ids=["numbers", "series", "names"])
def test_a_key_of_another_type_blocks_no_writer(store: StoreAddress, client: Any, hand: NewHand, junk: int) -> None:
    """What somebody else has put there is no layout; it goes, and the next batch is in."""
    key = store.keys.packed(PLAIN.field)[junk]
    writer = hand()
    for by_slot in (False, True):
        if by_slot:
            writer.add(PLAIN, {("a",): 1})
        client.delete(key)
        client.zadd(key, {"x": 1})
        answer = writer.add(PLAIN, {("a",): 5})
        assert (answer.status, answer.refused_count) == ("applied", 0)
        assert decoded(client, store.keys, PLAIN) == {'["a"]': 5}


@pytest.mark.parametrize("junk", [0, 2], ids=["numbers", "names"])
def test_a_key_of_another_type_is_found_in_turn(store: StoreAddress, client: Any, hand: NewHand, junk: int) -> None:
    """A flush by slot looks at one of its layouts as a whole, the next flush at the next one."""
    writer, layouts = hand(), (PLAIN, SPENT, BARE)
    both = Delta(
        adds={one.field: {'["a"]' if one.labels else "[]": 5} for one in layouts},
        shapes={one.field: (shape_of(one, ()),) for one in layouts},
    )
    writer.send(both)
    key = store.keys.packed(SPENT.field)[junk]
    client.delete(key)
    client.zadd(key, {"x": 1})
    for _ in layouts:
        assert writer.send(both).status == "applied"
    assert decoded(client, store.keys, SPENT)['["a"]'] in (5, 10, 15)
    assert decoded(client, store.keys, PLAIN) == {'["a"]': 20}
    assert decoded(client, store.keys, BARE) == {"[]": 20}


def test_a_string_of_another_length_is_no_layout(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """One byte too many, and nobody can tell what the slots are."""
    writer = hand()
    writer.add(PLAIN, {("a",): 1})
    client.append(store.keys.packed(PLAIN.field)[0], b"\0" * SLOT)
    writer.add(PLAIN, {("a",): 5})
    assert decoded(client, store.keys, PLAIN) == {'["a"]': 5}


def names_known(hand: Hand) -> int:
    """How many names of a layout a writer knows."""
    return int(hand.known(PLAIN).state.split(" ")[1])


def restore(client: Any, store: StoreAddress, definition: Definition, dumped: list[bytes]) -> None:
    """Take a layout back to what it was."""
    for key, data in zip(store.keys.packed(definition.field), dumped, strict=True):
        client.restore(key, 0, data, replace=True)


def dump(client: Any, store: StoreAddress, definition: Definition) -> list[bytes]:
    """A layout as it is."""
    return [client.dump(key) for key in store.keys.packed(definition.field)]


@pytest.mark.parametrize("more", [[], ["theirs", "ours"]], ids=["as long", "longer"])
def test_a_slot_of_another_history_is_never_written(
    store: StoreAddress, client: Any, hand: NewHand, more: list[str]
) -> None:
    """After a roll-back the slot may be another series': row, generation and lengths agree, the digest does not."""
    one, two = hand("one"), hand("two")
    one.add(PLAIN, {("a",): 1})
    early = dump(client, store, PLAIN)
    one.add(PLAIN, {("mine",): 10})
    assert one.known(PLAIN).slots[shape_of(PLAIN, ())]['["mine"]'] == 3
    restore(client, store, PLAIN, early)
    for name in ("yours", *more):
        two.add(PLAIN, {(name,): 500})
    assert names_known(one) == names_known(two) - len(more)
    one.add(PLAIN, {("mine",): 20})
    others = {f'["{name}"]': 500 for name in ("yours", *more)}
    assert decoded(client, store.keys, PLAIN) == {'["a"]': 1, **others, '["mine"]': 20}


def test_a_slot_that_is_not_there_any_more_is_never_written(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """After a roll-back there are fewer names than the writer knows."""
    writer = hand()
    writer.add(PLAIN, {("a",): 1})
    early = dump(client, store, PLAIN)
    writer.add(PLAIN, {("b",): 10})
    restore(client, store, PLAIN, early)
    writer.add(PLAIN, {("b",): 20})
    assert decoded(client, store.keys, PLAIN) == {'["a"]': 1, '["b"]': 20}


def test_the_answer_stale_changes_nothing(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """Not even what other layouts of the same call are to get; it names every layout that is out of date."""
    writer = hand()
    for definition in (PLAIN, SPENT, BARE):
        writer.add(definition, {("a",) if definition.labels else (): 1})
    for definition in (PLAIN, BARE):
        client.delete(store.keys.packed(definition.field)[2])
    everything = [state_of(client, store, one) for one in (PLAIN, SPENT, BARE)]
    row = client.hget(store.keys.writers, "w")
    both = Delta(
        adds={one.field: {'["a"]' if one.labels else "[]": 5} for one in (PLAIN, SPENT, BARE)},
        shapes={one.field: (shape_of(one, ()),) for one in (PLAIN, SPENT, BARE)},
    )
    call = writer.call(both)
    body = encode(both, store.keys, writer.store._directory.of("w"))
    prepared = writer.store._apply_call(call, body)
    answer = answer_of(writer.store._run(*prepared))
    assert (answer.status, answer.row, answer.token) == ("stale", 3, "3")
    assert answer.stale == (PLAIN.field, BARE.field)
    assert [state_of(client, store, one) for one in (PLAIN, SPENT, BARE)] == everything
    assert client.hget(store.keys.writers, "w") == row
    assert writer.send(both).status == "applied"
    assert decoded(client, store.keys, PLAIN) == {'["a"]': 5}
    assert decoded(client, store.keys, SPENT) == {'["a"]': 6}
    assert decoded(client, store.keys, BARE) == {"[]": 5}


def test_layouts_may_go_out_of_date_one_after_the_other(
    store: StoreAddress, client: Any, hand: NewHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each refusal is of another one; in the end the batch goes by name, and is never refused for that."""
    writer = hand()
    definitions = [
        Definition.of(f"c{number}", "counter", "", "usd", ("k",), (), "", packed=True) for number in range(6)
    ]
    delta = Delta(
        adds={one.field: {'["a"]': 1} for one in definitions},
        shapes={one.field: (shape_of(one, ()),) for one in definitions},
    )
    writer.send(delta)
    sent = writer.store._run
    left = list(definitions)

    def and_then_evict(*prepared: Any) -> Any:
        if left:
            client.delete(store.keys.packed(left.pop().field)[0])
        return sent(*prepared)

    monkeypatch.setattr(writer.store, "_run", and_then_evict)
    assert writer.send(delta).status == "applied"
    assert len(left) == 3  # by slot, by slot, by name
    for definition in definitions[3:]:
        assert decoded(client, store.keys, definition) == {'["a"]': 1}
    for definition in definitions[:3]:
        assert decoded(client, store.keys, definition) == {'["a"]': 2}


def test_an_answer_but_applied_makes_a_writer_forget(store: StoreAddress, hand: NewHand) -> None:
    """A store that went back is asked by name again; `already` says that it did not."""
    writer = hand()
    writer.add(PLAIN, {("a",): 1})
    assert writer.send(adds_of(PLAIN, {("a",): 1}), prev=0, token="1").status == "already"
    assert writer.known(PLAIN) is not None
    assert writer.send(adds_of(PLAIN, {("a",): 1}), prev=7).status == "behind"
    assert writer.known(PLAIN) is None


def test_waiting_for_replicas_goes_by_slot_too(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """And by name if that is out of date."""
    writer = hand()
    writer.add(PLAIN, {("a",): 1})
    client.delete(store.keys.packed(PLAIN.field)[1])
    answer, reached = writer.store.apply_and_wait(writer.call(adds_of(PLAIN, {("a",): 4})), 0, 0.1)
    assert (answer.status, reached) == ("applied", 0)
    assert decoded(client, store.keys, PLAIN) == {'["a"]': 4}


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_part_of_what_is_known_proves_nothing(store: StoreAddress, client: Any, hand: NewHand, kept: int) -> None:
    """Generation, names and digest prove where blocks are: fewer of them are refused, though `@state` begins so."""
    writer = hand()
    writer.add(PLAIN, {("a",): 1})
    words = writer.known(PLAIN).state.split(" ")
    head: list[Any] = [writer.epoch, "w", 1, "1", 2, "2", 0, "packed", 100]
    keys = [*store.keys.fixed, *store.keys.packed(PLAIN.field)]
    with pytest.raises(redis.ResponseError, match="FLEETMETER apply: malformed indexed"):
        writer.store._apply(keys=keys, args=[*head, "indexed", 9, 5, " ".join(words[:kept]), 0, 1, "#1", 1])
    assert decoded(client, store.keys, PLAIN) == {'["a"]': 1}
