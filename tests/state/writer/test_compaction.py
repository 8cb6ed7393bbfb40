"""Compaction of packed layouts: what lives is copied byte for byte, what is dead goes, and nobody misses anything."""

from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

import pytest

from fleetmeter.connection.client import translated
from fleetmeter.errors import StoreRefused
from fleetmeter.schema.definition import Definition, compact_json
from fleetmeter.schema.keys import EPOCH_FIELD, SWEPT_FIELD
from fleetmeter.schema.packing import SLOT, STATE, room_for, shape_of
from fleetmeter.values.delta import Delta, Removal
from fleetmeter.writer import compaction
from fleetmeter.writer.compaction import Compact, packed_layouts
from fleetmeter.writer.housekeeping import Housekeeper
from support.fleet import Replica, samples
from support.names import ALIKE
from support.packed import Hand, NewHand, decoded, generation_of
from support.store import StoreAddress

CALLS = Definition.of("calls", "counter", "", "usd", ("a",), (), "", packed=True)
SHARE = Definition.of("share", "counter", "", "", ("a",), (), "", packed=True)
WAIT = Definition.of("wait", "histogram", "", "usd", ("a",), ("1.0", "+Inf"), "", packed=True)
WIDER = Definition.of("wait", "histogram", "", "usd", ("a",), ("1.0", "5.0", "+Inf"), "", packed=True)


def removal(definition: Definition, series: Iterable[str]) -> Delta:
    """A batch that removes series of a layout."""
    patterns = (compact_json((name,)) for name in series)
    return Delta(removals=tuple(Removal(definition.field, one, definition.has_parts, packed=True) for one in patterns))


def compacted(
    hand: Hand, *definitions: Definition, least: int = 0, share: int = 0, most: int = 9_999, epoch: str = ""
) -> list[str]:
    """What the script replies to a compaction of these layouts."""
    call = Compact(epoch or hand.epoch, "random", [each.field for each in definitions], least, share, most)
    with translated():
        return [text.decode() for text in hand.store._run(*hand.store.compact_call(call))]


def names_of(client: Any, store: StoreAddress, definition: Definition) -> list[str]:
    """What came and went, without the digests."""
    return [raw.decode().split(" ", 1)[1] for raw in client.lrange(store.keys.packed(definition.field)[2], 0, -1)]


def some(count: int, amount: int = 1) -> dict[tuple[str, ...], int]:
    """An amount for each of so many series."""
    return {(f"k{number}",): amount for number in range(count)}


def test_what_lives_is_copied_and_what_is_dead_goes(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """The same numbers under the same series, without gaps; births joined, and what was before known by its digest."""
    one = hand()
    for number in range(40):
        one.add(CALLS, {(f"k{number}",): number + 1})
    one.send(removal(CALLS, [f"k{number}" for number in range(0, 40, 2)]))
    before = decoded(client, store.keys, CALLS)
    digest = client.lrange(store.keys.packed(CALLS.field)[2], -1, -1)[0].decode()[:16]
    assert compacted(one, CALLS) == ["compacted", "1", "80", "40", "62", "3"]
    assert decoded(client, store.keys, CALLS) == before
    names = names_of(client, store, CALLS)
    assert names[0].startswith("g ")
    assert names[0].endswith(f" random {digest}")
    assert [name[:4] for name in names[1:]] == ["s 2 ", "c 0 "]
    assert client.strlen(store.keys.packed(CALLS.field)[0]) == 8 * 40


def test_names_are_written_anew_beside_other_neighbours(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """What a line leaves out is what it has in common with the one before it, which may have gone."""
    one, dice = hand(), Random(1)
    series = ["".join(dice.choices(ALIKE, k=3)) for _ in range(300)]
    for first in range(0, 300, 50):
        one.add(CALLS, {(key,): 1 for key in series[first : first + 50]})
    living = sorted(set(series))
    dice.shuffle(living)
    one.send(removal(CALLS, living[:150]))
    before = decoded(client, store.keys, CALLS)
    assert compacted(one, CALLS)[0] == "compacted"
    assert decoded(client, store.keys, CALLS) == before
    assert before.keys() == {compact_json([key]) for key in living[150:]}


def test_blocks_are_copied_byte_for_byte(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """Slots have digits that a number of Lua has not, of either sign, and any byte."""
    one = hand()
    amounts = [(10**18 - 1) * 10**15 + 7, -(10**18 - 1) * 10**15, 2**53 + 1, -1, 0x0D0A, 0xFFFE, 10**33]
    one.add(SHARE, {(str(number),): amount for number, amount in enumerate(amounts)})
    for _ in range(9):  # beyond 2^62, so that some was carried
        one.add(SHARE, {("0",): (10**18 - 1) * 10**15 + 7, ("1",): -(10**18 - 1) * 10**15})
    one.add(SHARE, {("gone",): 5})
    one.send(removal(SHARE, ["gone", "4"]))
    numbers = store.keys.packed(SHARE.field)[0]
    raw, before = client.get(numbers), decoded(client, store.keys, SHARE)
    assert compacted(one, SHARE)[0] == "compacted"
    assert client.get(numbers) == (raw[: 8 * 12] + raw[8 * 15 : 8 * 21]).ljust(8 * room_for(18), b"\0")
    assert decoded(client, store.keys, SHARE) == before
    assert before['["0"]'] == 10 * amounts[0]


def test_blocks_of_one_shape_stand_together(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """A series keeps all of its blocks; a shape that no block has goes, and the others get its number."""
    one, bounds = hand(), WIDER.bounds
    assert WIDER.field == WAIT.field
    one.add(WAIT, {("old", "1.0"): 1})
    one.send(Delta(definitions={}))
    one.add(WIDER, {("x", "5.0"): 2, ("y", "5.0"): 3})
    one.send(removal(WAIT, ["old"]))
    one.add(WIDER, {("z", "1.0"): 4})
    before = decoded(client, store.keys, WAIT)
    compacted(one, WAIT)
    assert decoded(client, store.keys, WAIT) == before
    assert names_of(client, store, WAIT)[1:] == [f"s {shape_of(WIDER, bounds).text()}", 'c 0 0 ["x"]\n""y\n""z']
    one.add(WAIT, {("x", "1.0"): 7})
    one.add(WIDER, {("w", "1.0"): 7})
    before = decoded(client, store.keys, WAIT)
    compacted(one, WAIT)
    assert decoded(client, store.keys, WAIT) == before
    assert [name.split("\n")[0] for name in names_of(client, store, WAIT)[1:]] == [
        f"s {shape_of(WIDER, bounds).text()}", 'c 0 0 ["x"]', f"s {shape_of(WAIT, WAIT.bounds).text()}", 'c 20 1 ["x"]',
    ]  # fmt: skip


def test_births_are_joined(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """There are 500 to an entry, however many came at once before."""
    one = hand()
    for first in range(0, 1_203, 67):
        one.add(CALLS, {(f"k{number}",): 1 for number in range(first, min(1_203, first + 67))})
    before = decoded(client, store.keys, CALLS)
    compacted(one, CALLS)
    births = [name.split(" ", 3) for name in names_of(client, store, CALLS)[2:]]
    assert [(int(slot), lines.count("\n") + 1) for _, slot, _, lines in births] == [(0, 500), (1000, 500), (2000, 203)]
    assert decoded(client, store.keys, CALLS) == before


def test_a_layout_without_series_is_deleted(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """Its three keys go; the next series begins it anew."""
    one = hand()
    one.add(CALLS, some(5))
    one.send(removal(CALLS, [f"k{number}" for number in range(5)]))
    assert compacted(one, CALLS) == ["compacted", "1", "10", "0", "8", "0"]
    assert client.exists(*store.keys.packed(CALLS.field)) == 0
    one.add(CALLS, {("k1",): 4})
    assert decoded(client, store.keys, CALLS) == {'["k1"]': 4}


def test_what_writers_knew_is_stale(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """They add to their own series after it, whether their block moved or not, and learn where it is now."""
    one, two = hand("one"), hand("two")
    for each in (one, two):
        each.add(CALLS, some(6))
    one.send(removal(CALLS, ["k1"]))
    one.add(CALLS, {("k5",): 1})
    generations = {generation_of(one, CALLS), generation_of(two, CALLS)}
    compacted(one, CALLS)
    for each in (two, one):
        each.add(CALLS, {("k0",): 10, ("k2",): 20, ("k5",): 50})
        assert generation_of(each, CALLS) not in generations
        assert each.known(CALLS).slots[shape_of(CALLS, ())]['["k5"]'] == 8
    left = decoded(client, store.keys, CALLS)
    assert left == {'["k0"]': 22, '["k2"]': 42, '["k3"]': 2, '["k4"]': 2, '["k5"]': 103}


def test_a_compaction_of_nothing_dead_makes_what_was_known_stale(
    store: StoreAddress, client: Any, hand: NewHand
) -> None:
    """If two histories part at a compaction, or one has it twice, their chains differ: no index fits the other."""
    one = hand()
    one.add(CALLS, some(3))
    known = set()
    for _ in range(3):
        compacted(one, CALLS)
        one.add(CALLS, some(3))
        known.add(generation_of(one, CALLS))
    assert len(known) == 3
    assert decoded(client, store.keys, CALLS) == {f'["k{number}"]': 4 for number in range(3)}


@pytest.mark.parametrize(
    ("born", "removed", "least", "share", "worth"),
    [
        (100, 49, 1, 1, False),
        (100, 50, 1, 1, True),
        (100, 34, 1, 2, False),
        (100, 67, 1, 2, True),
        (100, 50, 16 * 50 + 32 * 49, 1, True),
        (100, 50, 16 * 50 + 32 * 51, 1, False),
        (100, 0, 0, 1, False),
        (4, 4, 4096, 1, False),
    ],
)
def test_it_must_be_worth_it(
    store: StoreAddress, client: Any, hand: NewHand, born: int, removed: int, least: int, share: int, *, worth: bool
) -> None:
    """As many dead slots as living ones, and so many bytes to win, are worth it; nothing else changes anything."""
    one = hand()
    one.add(CALLS, some(born))
    if removed:
        one.send(removal(CALLS, [f"k{number}" for number in range(removed)]))
    before = [client.dump(key) for key in store.keys.packed(CALLS.field)]
    assert compacted(one, CALLS, least=least, share=share)[0] == ("compacted" if worth else "nothing")
    after = [client.dump(key) for key in store.keys.packed(CALLS.field)]
    assert (after == before) == (not worth)


def test_spare_names_are_worth_it(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """Series that come one by one are as many entries; one more for a removal, and the list is written anew."""
    one = hand()
    one.add(WAIT, {("k0", "sum"): 1})
    for number in range(1, 50):
        one.add(WAIT, {(f"k{number}", "sum"): 1})
    assert compacted(one, WAIT, least=1, share=1)[0] == "nothing"
    one.send(removal(WAIT, ["k7", "k8", "k9"]))
    assert compacted(one, WAIT, least=1, share=1) == ["compacted", "1", "200", "188", "55", "3"]


def test_a_layout_of_too_many_series_stays_as_it_is(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """The store does nothing else meanwhile: that is bounded by how many series live, however many are dead."""
    one = hand()
    one.add(CALLS, some(100))
    one.send(removal(CALLS, [f"k{number}" for number in range(80)]))
    assert compacted(one, CALLS, most=19)[0] == "nothing"
    assert compacted(one, CALLS, most=20)[0] == "compacted"


def test_a_late_copy_finds_nothing_to_do(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """What was worth it is not, once it is done."""
    one = hand()
    one.add(CALLS, some(300))
    one.send(removal(CALLS, [f"k{number}" for number in range(200)]))
    assert compacted(one, CALLS, least=4096, share=1)[0] == "compacted"
    one.add(CALLS, {("k250",): 1})
    known = one.known(CALLS).state
    assert compacted(one, CALLS, least=4096, share=1)[0] == "nothing"
    one.add(CALLS, {("k250",): 1})
    assert one.known(CALLS).state == known


def test_the_first_that_is_worth_it_is_compacted(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """One call compacts one layout, and says which; those that are not there, or evicted in part, are left alone."""
    one = hand()
    for definition in (CALLS, SHARE):
        one.add(definition, some(10))
        one.send(removal(definition, [f"k{number}" for number in range(5)]))
    one.add(WAIT, {("k", "sum"): 1})
    client.delete(store.keys.packed(WAIT.field)[2])
    layouts = (WIDER, WAIT, CALLS, SHARE)
    assert compacted(one, *layouts, share=1)[:2] == ["compacted", "3"]
    assert compacted(one, *layouts, share=1)[:2] == ["compacted", "4"]
    assert compacted(one, *layouts, share=1)[:2] == ["nothing", "0"]


@pytest.mark.parametrize(
    "spoilt",
    [(2, "x x"), (2, "{digest} m 1"), (2, '{digest} c 2 0 ["y"]'), (1, '{digest} s 3 [""]'), (3, "{digest} d 5")],
)
def test_names_that_nobody_would_write_are_left_alone(
    store: StoreAddress, client: Any, hand: NewHand, spoilt: tuple[int, str]
) -> None:
    """What a script cannot read it does not write anew, and goes on to the next layout."""
    one = hand()
    for definition in (CALLS, SHARE):
        one.add(definition, some(3))
        one.send(removal(definition, ["k0"]))
    keys = store.keys.packed(CALLS.field)
    at, text = spoilt
    digest = client.lindex(keys[2], at)[:16].decode()
    client.lset(keys[2], at, text.format(digest=digest))
    before = [client.dump(key) for key in keys]
    assert compacted(one, CALLS, SHARE)[:2] == ["compacted", "2"]
    assert [client.dump(key) for key in keys] == before


@pytest.mark.parametrize("figure", [3, 4, 6], ids=["slots", "shapes", "dead slots"])
def test_names_that_say_something_else_than_the_state_are_left_alone(
    store: StoreAddress, client: Any, hand: NewHand, figure: int
) -> None:
    """What does not fit together is not written anew."""
    one = hand()
    one.add(CALLS, some(3))
    one.send(removal(CALLS, ["k0"]))
    numbers, series, _ = store.keys.packed(CALLS.field)
    words = client.hget(series, STATE).decode().split(" ")
    words[figure] = str(int(words[figure]) + 1)
    client.hset(series, STATE, " ".join(words))
    client.append(numbers, bytes(SLOT if figure == 3 else 0))
    assert compacted(one, CALLS)[0] == "nothing"


def test_an_index_of_other_blocks_is_left_alone(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """If the index has a block that the names have not, or lacks one, nothing is written."""
    one = hand()
    one.add(CALLS, some(3))
    series = store.keys.packed(CALLS.field)[1]
    field = next(name for name in client.hkeys(series) if len(name) == 2)
    text = client.hget(series, field)
    for spoilt in (text + text, text.replace(b":0:", b":0:7"), text.replace(b":0:", b":1:"), b""):
        client.hset(series, field, spoilt)
        assert compacted(one, CALLS)[0] == "nothing"
        assert client.hget(series, field) == spoilt
    client.hset(series, field, text)
    assert compacted(one, CALLS)[0] == "compacted"


def test_another_epoch_stops_it(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """A namespace is tidied up in the life that the caller knows."""
    one = hand()
    one.add(CALLS, some(3))
    before = client.dump(store.keys.packed(CALLS.field)[2])
    assert compacted(one, CALLS, epoch="other")[0] == "epoch"
    client.hdel(store.keys.writers, EPOCH_FIELD)
    assert compacted(one, CALLS)[0] == "epoch"
    assert client.dump(store.keys.packed(CALLS.field)[2]) == before


def test_a_store_that_takes_no_writes_keeps_all(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """If it refuses the first write, nothing was changed."""
    one = hand()
    one.add(CALLS, some(300))
    one.send(removal(CALLS, [f"k{number}" for number in range(200)]))
    before = [client.dump(key) for key in store.keys.packed(CALLS.field)]
    client.config_set("min-replicas-to-write", 1)
    try:
        with pytest.raises(StoreRefused, match="NOREPLICAS"):
            compacted(one, CALLS)
    finally:
        client.config_set("min-replicas-to-write", 0)
    assert [client.dump(key) for key in store.keys.packed(CALLS.field)] == before


def test_a_full_store_gets_room(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """Without memory for more, a compaction is what makes room: it deletes first, and what follows is written."""
    one = hand()
    one.add(CALLS, some(300))
    one.send(removal(CALLS, [f"k{number}" for number in range(200)]))
    before = decoded(client, store.keys, CALLS)
    client.config_set("maxmemory", "1")
    try:
        assert compacted(one, CALLS)[0] == "compacted"
    finally:
        client.config_set("maxmemory", "0")
    assert decoded(client, store.keys, CALLS) == before


@pytest.mark.parametrize(
    ("keys", "arguments"),
    [
        (3, ["E", "r", "0", "0", "9"]),
        (4, ["E", "r", "0", "0"]),
        (4, ["E", "r", "-1", "0", "9"]),
        (4, ["E", "r s", "0", "0", "9"]),
        (1, ["E", "r", "0", "0", "9"]),
    ],
)
def test_malformed_calls_are_refused(store: StoreAddress, hand: NewHand, keys: int, arguments: list[str]) -> None:
    """What the script does not understand it says, and does nothing."""
    one = hand()
    names = [store.keys.writers, *store.keys.packed(CALLS.field)][:keys]
    with pytest.raises(StoreRefused, match="malformed"), translated():
        one.store._run(one.store._compact, names, arguments)


def test_packed_layouts_are_found_among_definitions() -> None:
    """Hashes, and definitions that cannot be read, are none."""
    plain = Definition.of("plain", "counter", "", "", (), (), "")
    stored = {each.field.encode(): f"1 1 {each.to_json()}".encode() for each in (CALLS, plain, WAIT)}
    assert packed_layouts({**stored, b"bad:1": b"?", b"\xff:1": b"1 1 {}"}) == [CALLS.field, WAIT.field]


@pytest.fixture
def replicas(store: StoreAddress) -> Iterator[list[Replica]]:
    """Two writers that pack, and one that does not; closed at the end."""
    made = [Replica(store, packs=True), Replica(store, packs=True), Replica(store)]
    yield made
    for replica in made:
        replica.close()


def look(replica: Replica) -> None:
    """Keep house as if nobody had for a while."""
    seconds, micros = replica.store._client.time()
    keeper = Housekeeper(replica.store, lambda: 0.0)
    keeper._next = 0.0
    keeper.look(replica.writer.epoch or "", seconds * 10**6 + micros)


def remove(replica: Replica, definition: Definition, names: Iterable[str]) -> None:
    """Remove series as `remove()` does, and hand that over."""
    for name in names:
        replica.accumulator.remove([], definition, [name])
    assert replica.flush()


def test_housekeeping_compacts(store: StoreAddress, client: Any, replicas: list[Replica]) -> None:
    """One sweep compacts every layout that is worth it; those who record on lose nothing, and memory falls."""
    one, two, _ = replicas
    for definition in (CALLS, SHARE):
        for number in range(400):
            one.cell(definition, [f"k{number}"]).inc(1)
            two.cell(definition, [f"k{number}"]).inc(1)
    assert one.flush()
    assert two.flush()
    for definition in (CALLS, SHARE):
        remove(one, definition, [f"k{number}" for number in range(300)])
    keys = [*store.keys.packed(CALLS.field), *store.keys.packed(SHARE.field)]
    shown, memory = samples(store), [client.memory_usage(key, samples=0) for key in keys]
    look(two)
    assert samples(store) == shown
    after = [client.memory_usage(key, samples=0) for key in keys]
    assert all(now < 0.5 * then for now, then in zip(after[::3], memory[::3], strict=True))
    assert sum(after) < 0.6 * sum(memory)
    for replica in (one, two):
        for definition in (CALLS, SHARE):
            replica.cell(definition, ["k399"]).inc(1)
        assert replica.flush()
    assert samples(store)["calls_total", frozenset({("a", "k399")})] == 4


def test_a_writer_of_fields_does_not_compact(store: StoreAddress, client: Any, replicas: list[Replica]) -> None:
    """It need not be allowed to: users of older versions may not call what that takes."""
    one, _, fields = replicas
    for number in range(400):
        one.cell(CALLS, [f"k{number}"]).inc(1)
    assert one.flush()
    remove(one, CALLS, [f"k{number}" for number in range(300)])
    slots = client.strlen(store.keys.packed(CALLS.field)[0])
    look(fields)
    assert client.strlen(store.keys.packed(CALLS.field)[0]) == slots


def test_a_process_that_ends_compacts_one_layout(
    store: StoreAddress, client: Any, replicas: list[Replica], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody waits for its end; and perhaps no process lives for a minute, so that none would do it else."""
    monkeypatch.setattr(compaction, "LEAST", 1)
    one, two, _ = replicas
    for definition in (CALLS, SHARE):
        for number in range(4):
            one.cell(definition, [f"k{number}"]).inc(1)
    two.cell(CALLS, ["k3"]).inc(1)
    assert one.flush()
    assert two.flush()
    for definition in (CALLS, SHARE):
        remove(one, definition, ["k0", "k1", "k2"])
    left = []
    for replica in (one, two):
        client.hdel(store.keys.writers, SWEPT_FIELD)
        assert replica.flusher.flush(5.0, goodbye=True)
        states = [client.hget(store.keys.packed(each.field)[1], STATE) for each in (CALLS, SHARE)]
        left.append({int(state.split()[3]) for state in states})
    assert left in ([{2, 12}, {2, 3}], [{8, 3}, {2, 3}])


def test_a_refused_compaction_costs_no_record(
    store: StoreAddress, client: Any, replicas: list[Replica], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the store fails there, what was recorded is handed over all the same, and the failure is counted."""
    one = replicas[0]
    one.cell(CALLS, ["k"]).inc(1)
    assert one.flush()
    client.hset(store.keys.writers, SWEPT_FIELD, 1)
    one.exchange._housekeeper._next = 0.0
    monkeypatch.setattr(compaction, "LEAST", -1)  # which the script refuses
    one.cell(CALLS, ["k"]).inc(1)
    assert one.flush()
    assert samples(store)["calls_total", frozenset({("a", "k")})] == 2
    assert one.errors("refused") == 1
