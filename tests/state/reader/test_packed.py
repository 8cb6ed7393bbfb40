"""Packed numbers, as a reader finds them: a number is shown under its own series or not at all."""

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from fleetmeter.errors import StateError
from fleetmeter.reader.continuity import Continuity
from fleetmeter.reader.families import families_of, legible_families
from fleetmeter.reader.hashes import Hash
from fleetmeter.reader.reading import Reader
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.keys import EPOCH_FIELD
from fleetmeter.schema.packing import BASE, FRACTION
from support.blocks import Blocks, like_a_hash, packed
from support.fleet import Replica, samples_of
from support.names import ALIKE
from support.store import StoreAddress

PAID = packed("paid_usd", "counter", ["team", "model"])
CALLS = packed("calls", "counter", ["k"])
TOOK = packed("took_seconds", "histogram", ["k"], ["0.1", "1.0", "+Inf"])
SIZE = packed("size", "summary")
WHOLE = FRACTION


@pytest.fixture
def reader(store: StoreAddress) -> Iterator[Reader]:
    """A reader."""
    reader = Reader(store.url, store.namespace)
    yield reader
    reader.close()


def calls(together: int = 200, /, **counts: int) -> Blocks:
    """A counter by its label value; so many series at most came together."""
    blocks = Blocks(CALLS, together=together)
    for key, count in counts.items():
        blocks.add([key], {"": count * WHOLE})
    return blocks


def shown(snapshot: Snapshot, name: str = "calls_total") -> dict[str, float]:
    """A family's samples by the value of its label."""
    found = samples_of({family.definition.name: family for family in families_of(snapshot)})
    return {dict(labels).get("k", ""): value for (sample, labels), value in found.items() if sample == name}


def test_each_type_is_read_as_a_hash_would_be(store: StoreAddress, client: Any, reader: Reader) -> None:
    """Values in stored units, each bucket and count; zeroes of a block included."""
    all_blocks = [
        Blocks(PAID).add(["b", "a"], {"": 7}).add(['a\n"é', "m"], {"": 3 * BASE + 5}).add(["b", "a"], {"": 1}),
        Blocks(SIZE).add([], {"sum": -5 * WHOLE - 1, "count": 2}),
        Blocks(TOOK).add(["x"], {"sum": 250_000, "0.1": 1, "+Inf": 2}).add(["y"], {}),
        calls(a=0, b=10**20),
    ]
    for blocks in all_blocks:
        blocks.store(client, store.keys)
    snapshot = reader.read()
    for blocks in all_blocks:
        assert snapshot.numbers[blocks.definition.field] == like_a_hash(blocks)
    found = samples_of({family.definition.name: family for family in families_of(snapshot)})
    assert found["calls_total", frozenset([("k", "b")])] == 1e20
    assert found["size_sum", frozenset()] == -5.000000000000001
    assert found["paid_usd_total", frozenset([("team", "b"), ("model", "a")])] == 8e-9
    assert found["took_seconds_bucket", frozenset([("k", "x"), ("le", "1.0")])] == 1
    assert found["took_seconds_sum", frozenset([("k", "x")])] == 0.25


def test_an_unchanged_layout_stays_the_same_object(store: StoreAddress, client: Any, reader: Reader) -> None:
    """So that nothing that was derived from it is made again; if only numbers change, its fields stay."""
    blocks = calls(a=1, b=2).store(client, store.keys)
    first, second = (reader.read().numbers[CALLS.field] for _ in range(2))
    assert first is second
    blocks.add(["a"], {"": 1}).store(client, store.keys)
    third = reader.read().numbers[CALLS.field]
    assert Hash.of(third).fields is Hash.of(second).fields
    assert third == like_a_hash(blocks)


def test_only_new_names_are_asked_for(
    store: StoreAddress, client: Any, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read takes what came since, from the last known entry on, in one transaction; the first read needs two."""
    asked = []
    original = Reader._commands

    def noted(self: Reader, fields: list[bytes]) -> Any:
        commands = original(self, fields)
        asked.append([command[2:] for command in commands if command[0] == "LRANGE"])
        return commands

    monkeypatch.setattr(Reader, "_commands", noted)
    blocks = calls(a=1).store(client, store.keys)
    reader.read()
    blocks.add(["b"], {"": WHOLE}).store(client, store.keys)
    assert shown(reader.read()) == {"a": 1, "b": 1}
    reader.read()
    assert asked == [[], [(0, -1)], [(2, -1)], [(3, -1)]]


@pytest.mark.parametrize("together", [1, 2, 3, 200])
def test_blocks_that_came_together_are_each_its_own_series(
    together: int, store: StoreAddress, client: Any, reader: Reader
) -> None:
    """An entry with several series says of each where its block is, for every shape, and so do later entries."""
    blocks = Blocks(TOOK, together=together)
    for number in range(7):
        blocks.add([f"k{number}"], {"sum": number, "1.0": 1}, ["1.0", "+Inf"] if number > 4 else None)
    blocks.store(client, store.keys)
    assert reader.read().numbers[TOOK.field] == like_a_hash(blocks)
    for number in range(4, 10):
        blocks.add([f"k{number}"], {"sum": 10, "+Inf": 3})
    blocks.remove(["k2"]).store(client, store.keys)
    assert reader.read().numbers[TOOK.field] == like_a_hash(blocks)


def test_series_come_and_go(store: StoreAddress, client: Any, reader: Reader) -> None:
    """A removed series is gone, also if it was the only one; one that comes back has a block of its own."""
    blocks = calls(a=1, b=2, c=3).store(client, store.keys)
    assert shown(reader.read()) == {"a": 1, "b": 2, "c": 3}
    blocks.remove(["b"]).store(client, store.keys)
    assert shown(reader.read()) == {"a": 1, "c": 3}
    blocks.add(["b"], {"": 7 * WHOLE}).add(["d"], {}).store(client, store.keys)
    assert shown(reader.read()) == {"a": 1, "b": 7, "c": 3, "d": 0}
    for key in "abcd":
        blocks.remove([key])
    blocks.store(client, store.keys)
    assert shown(reader.read()) == {}
    other = Reader(store.url, store.namespace)
    assert shown(other.read()) == {}
    other.close()


def test_blocks_of_several_shapes_are_added_up(store: StoreAddress, client: Any, reader: Reader) -> None:
    """After its bounds changed, a series has a block for each list of bounds; their equal parts are one number."""
    blocks = Blocks(TOOK).add(["x"], {"sum": 100, "0.1": 1}, ["0.1", "+Inf"])
    blocks.add(["x"], {"sum": 2_000_000, "1.0": 2, "+Inf": 4}).add(["y"], {"+Inf": 1}, ["0.1", "+Inf"])
    blocks.add(["z"], {"0.5": 1}, ["0.5", "+Inf"]).store(client, store.keys)
    snapshot = reader.read()
    assert snapshot.numbers[TOOK.field] == like_a_hash(blocks)
    assert shown(snapshot, "took_seconds_count") == {"x": 7, "y": 1, "z": 1}
    assert shown(snapshot, "took_seconds_sum")["x"] == 2.0001
    blocks.remove(["x"]).add(["y"], {"1.0": 3}).store(client, store.keys)
    assert shown(reader.read(), "took_seconds_count") == {"y": 4, "z": 1}


def test_both_formats_side_by_side_are_added_up(store: StoreAddress, client: Any, reader: Reader) -> None:
    """While old and new replicas run, a series has numbers in both layouts of its family."""
    replica = Replica(store, packs=False)
    replica.counter("calls", "", ["k"], ["a"]).inc(2.5)
    replica.cell(Definition.of("took_seconds", "histogram", "Help.", "", ["k"], TOOK.bounds, ""), ["x"], "1.0").inc(4)
    assert replica.flush()
    calls(a=1, b=1).store(client, store.keys)
    Blocks(TOOK).add(["x"], {"sum": 500_000, "1.0": 1}).store(client, store.keys)
    snapshot = reader.read()
    assert shown(snapshot) == {"a": 3.5, "b": 1}
    assert shown(snapshot, "took_seconds_count") == {"x": 5}
    replica.close()


ROLL_BACKS = {
    "shorter": lambda: calls(a=1),
    "another series in the same block": lambda: calls(a=1, x=2, c=3),
    "another series, and more": lambda: calls(a=1, x=2, c=3, d=4),
    "another beginning": lambda: Blocks(CALLS, "2").add(["c"], {"": WHOLE}).add(["b"], {}).add(["a"], {"": 3 * WHOLE}),
    "a removal that was not known": lambda: calls(a=1, b=2).remove(["a"]).add(["c"], {"": WHOLE}),
    "nothing at all": lambda: Blocks(CALLS),
}


@pytest.mark.parametrize("now", ROLL_BACKS)
def test_a_store_that_went_back_is_read_anew(now: str, store: StoreAddress, client: Any, reader: Reader) -> None:
    """Names that do not go on from the known ones are read from the beginning, before anything is shown."""
    calls(a=1, b=2, c=3).store(client, store.keys)
    assert shown(reader.read()) == {"a": 1, "b": 2, "c": 3}
    blocks = ROLL_BACKS[now]().store(client, store.keys)
    assert reader.read().numbers[CALLS.field] == like_a_hash(blocks)
    assert reader.read().numbers[CALLS.field] == like_a_hash(blocks)


def test_no_number_goes_down_when_the_store_goes_back(store: StoreAddress, client: Any, reader: Reader) -> None:
    """What was served stays, each number under its own series, whichever block that series has now."""
    client.hset(store.keys.writers, mapping={EPOCH_FIELD: "e 1 1", "w": "2 0 1 alive"})
    continuity = Continuity(0.0)
    calls(a=1, b=20).store(client, store.keys)
    continuity.show(reader.read())
    calls(b=5, a=7, c=1).store(client, store.keys)
    now = continuity.show(reader.read(continuity.known))
    assert shown(now.snapshot) == {"a": 7, "b": 20, "c": 1}
    assert now.counts_behind == 1
    calls(b=21, a=8, c=1).store(client, store.keys)
    now = continuity.show(reader.read(continuity.known))
    assert (shown(now.snapshot), now.counts_behind) == ({"a": 8, "b": 21, "c": 1}, 0)


@pytest.mark.parametrize("gone", [0, 2])
def test_a_layout_of_which_a_key_was_evicted_has_no_series(
    gone: int, store: StoreAddress, client: Any, reader: Reader
) -> None:
    """Numbers without names, and names without numbers, say nothing; what was served of them stays."""
    client.hset(store.keys.writers, mapping={EPOCH_FIELD: "e 1 1", "w": "2 0 1 alive"})
    continuity = Continuity(0.0)
    calls(a=1, b=2).store(client, store.keys)
    continuity.show(reader.read())
    client.delete(store.keys.packed(CALLS.field)[gone])
    snapshot = reader.read()
    assert (snapshot.numbers[CALLS.field], snapshot.problems) == ({}, ())
    now = continuity.show(snapshot)
    assert (shown(now.snapshot), now.counts_behind) == ({"a": 1, "b": 2}, 2)
    Blocks(CALLS, "2").add(["b"], {"": 5 * WHOLE}).store(client, store.keys)
    assert shown(continuity.show(reader.read()).snapshot) == {"a": 1, "b": 5}


def test_numbers_are_shown_without_the_key_that_only_writers_need(
    store: StoreAddress, client: Any, reader: Reader
) -> None:
    """If the index of series is evicted, numbers and names still say everything."""
    calls(a=1, b=2).store(client, store.keys)
    client.delete(store.keys.packed(CALLS.field)[1])
    assert shown(reader.read()) == {"a": 1, "b": 2}


@pytest.mark.parametrize("length", [0, 8, 47, 49, 56])
def test_numbers_of_another_length_than_the_names_need_are_not_shown(
    length: int, store: StoreAddress, client: Any, reader: Reader
) -> None:
    """One of the keys is of another time than the other."""
    calls(a=1, b=2).store(client, store.keys)
    client.set(store.keys.packed(CALLS.field)[0], b"\1" * length)
    assert reader.read().numbers[CALLS.field] == {}


@pytest.mark.parametrize("key", [0, 2])
def test_a_foreign_type_under_a_key_is_a_state_error(
    key: int, store: StoreAddress, client: Any, reader: Reader
) -> None:
    """It names the key, costs only its own family, and is over as soon as the key is in order."""
    blocks = calls(a=1).store(client, store.keys)
    Blocks(SIZE).add([], {"count": 1}).store(client, store.keys)
    name = store.keys.packed(CALLS.field)[key]
    for _ in range(2):
        client.delete(name)
        client.sadd(name, "text")
        snapshot = reader.read()
        assert [(problem.key, problem.reason) for problem in snapshot.problems] == [(name, "wrong_type")]
        assert snapshot.numbers[SIZE.field]
        blocks.store(client, store.keys)
        assert shown(reader.read()) == {"a": 1}


@pytest.mark.parametrize("together", [1, 3, 60, 600])
def test_series_that_are_alike_are_told_apart(together: int, store: StoreAddress, client: Any, reader: Reader) -> None:
    """They begin and end alike by any number of bytes, also within a character, however many came at once."""
    dice = Random(together)
    wanted = {"".join(dice.choices(ALIKE, k=3)): number for number in range(600)}
    calls(together, **wanted).store(client, store.keys)
    assert shown(reader.read()) == wanted


JUNK = {
    "no beginning": ['s 3 [""]'],
    "a second beginning": ["g 1", "g 2"],
    "what happens in a later version": ["g 1", "m 0 1"],
    "a shape of another type": ["g 1", 's 3 ["sum","count"]'],
    "a shape of another scale": ["g 1", 's 2 [""]'],
    "no shape": ["g 1", "s 3"],
    "a block without its shape": ["g 1", 'c 0 0 ["a"]'],
    "a negative shape": ["g 1", 's 3 [""]', 'c 0 -1 ["a"]'],
    "a block in another": ["g 1", 's 3 [""]', 'c 0 0 ["a"]', 'c 1 0 ["b"]'],
    "a block before the first": ["g 1", 's 3 [""]', 'c -3 0 ["a"]'],
    "a block of no series": ["g 1", 's 3 [""]', "c 0 0 a"],
    "a block of no series behind another": ["g 1", 's 3 [""]', 'c 0 0 ["a"]\n'],
    "a block of no series before another": ["g 1", 's 3 [""]', 'c 0 0 \n  ["a"]'],
    "a block of no series between others": ["g 1", 's 3 [""]', 'c 0 0 ["a"]\n  \n  ["b"]'],
    "half a series": ["g 1", 's 3 [""]', 'c 0 0 ["a"\n  ["b"]'],
    "a line that says how it begins only": ["g 1", 's 3 [""]', 'c 0 0 ["a"]\n"'],
    "a line that begins with more than there is": ["g 1", 's 3 [""]', 'c 0 0 ["a"]\n& ["b"]'],
    "a line that ends with more than there is": ["g 1", 's 3 [""]', 'c 0 0 ["a"]\n &["b"]'],
    "a line that uses a byte twice": ["g 1", 's 3 [""]', 'c 0 0 ["aa"]\n$$'],
    "a line with less than nothing": ["g 1", 's 3 [""]', 'c 0 0 ["a"]\n\t ["b"]'],
    "lines in full, as they were once": ["g 1", 's 3 [""]', 'c 0 0 ["a"]\n["b"]'],
    "an entry of an earlier version": ["g 1", 's 3 [""]', 'b 0 0 ["a"]'],
    "a block in several others": ["g 1", 's 3 [""]', 'c 0 0 ["a"]\n""b', 'c 3 0 ["c"]'],
    "a block without a slot": ["g 1", 's 3 [""]', 'c x 0 ["a"]'],
    "an end of no block": ["g 1", 's 3 [""]', 'c 0 0 ["a"]', "d 3"],
    "two blocks of one shape together": ["g 1", 's 3 [""]', 'c 0 0 ["a"]\n% '],
    "two blocks of one shape for a series": ["g 1", 's 3 [""]', 'c 0 0 ["a"]', 'c 3 0 ["a"]'],
    "nothing": ["g 1", ""],
}


@pytest.mark.parametrize("junk", JUNK)
def test_names_that_no_writer_left_are_a_state_error(
    junk: str, store: StoreAddress, client: Any, reader: Reader
) -> None:
    """They cost their own family only, in each read until they are in order."""
    calls(a=1).store(client, store.keys)
    Blocks(SIZE).add([], {"count": 1}).store(client, store.keys)
    reader.read()
    bad = Blocks(CALLS)
    bad.names.clear()
    for entry in JUNK[junk]:
        bad.append(entry)
    bad.store(client, store.keys)
    name = store.keys.packed(CALLS.field)[2]
    for _ in range(2):
        snapshot = reader.read()
        assert [(problem.key, problem.reason) for problem in snapshot.problems] == [(name, "bad_value")]
        assert [family.definition.name for family in legible_families(snapshot)[0] if family.samples] == ["size"]
    calls(a=2).store(client, store.keys)
    assert shown(reader.read()) == {"a": 2}


@pytest.mark.parametrize("place", [0, 1, 2, 4])
@pytest.mark.parametrize("entry", [b"", b"junk", b"\xff" * 40, b'0123456789abcdef c 0 0 ["x"]'])
def test_an_entry_that_does_not_follow_the_one_before_is_a_state_error(
    place: int, entry: bytes, store: StoreAddress, client: Any, reader: Reader
) -> None:
    """Each digest is looked at, so that no number is shown by a list that is not what writers appended."""
    calls(1, a=1, b=2, c=3).store(client, store.keys)
    name = store.keys.packed(CALLS.field)[2]
    client.lset(name, place, entry)
    for _ in range(2):
        with pytest.raises(StateError, match="no list of names") as caught:
            families_of(reader.read())
        assert caught.value.key == name
    calls(a=2).store(client, store.keys)
    assert shown(reader.read()) == {"a": 2}


@pytest.mark.parametrize("series", ['["a","b"]', "[1]", "[]", '["a"', '[["a"]]', "[{}]"])
def test_a_series_that_is_none_of_the_layout_is_a_state_error(
    series: str, store: StoreAddress, client: Any, reader: Reader
) -> None:
    """As in a hash: the layout is not served."""
    blocks = calls(a=1)
    blocks.append(f"c 3 0 {series}")
    blocks.slots += [0] * 3
    blocks.store(client, store.keys)
    Blocks(SIZE).add([], {"count": 1}).store(client, store.keys)
    found, problems = legible_families(reader.read())
    assert [family.definition.name for family in found if family.samples] == ["size"]
    assert [problem.reason for problem in problems] == ["bad_value"]


def test_a_layout_that_went_and_came_back_is_read_from_its_beginning(
    store: StoreAddress, client: Any, reader: Reader
) -> None:
    """Without its definition nothing is asked for; what was known of its names is not used again."""
    blocks = calls(a=1, b=2).store(client, store.keys)
    reader.read()
    client.hdel(store.keys.families, CALLS.field)
    assert reader.read().numbers == {}
    assert reader.read().numbers == {}
    blocks.add(["c"], {"": WHOLE}).store(client, store.keys)
    assert shown(reader.read()) == {"a": 1, "b": 2, "c": 1}
