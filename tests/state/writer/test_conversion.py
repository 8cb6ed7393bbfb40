"""Conversion of hashes to packed numbers: each step moves what still stands, exactly, and nothing else changes."""

import itertools
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from typing import Any

import pytest

from fleetmeter.errors import StoreRefused
from fleetmeter.reader.reading import Reader
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.packing import FRACTION, LARGEST_WHOLE, Shape
from fleetmeter.values.delta import Delta, Removal
from fleetmeter.writer import conversion
from fleetmeter.writer.conversion import Convert, Converter, Moved, Reading, Twins
from support.fleet import Replica, families, samples, value
from support.packed import Hand, NewHand, adds_of, decoded
from support.store import StoreAddress

LOAD = Definition.of("load", "counter", "Load.", "", ("a",), (), "")
WAIT = Definition.of("wait_seconds", "histogram", "Waits.", "", ("a",), ("0.1", "1.0", "+Inf"), "")
SIZE = Definition.of("size", "summary", "Sizes.", "", (), (), "")


def twins(definition: Definition) -> Twins:
    """A layout in both formats."""
    assert definition.twin is not None
    return Twins(definition, definition.twin)


class Steps:
    """A conversion by hand, of a namespace in which a packed writer has defined what it is told to."""

    def __init__(self, address: StoreAddress, client: Any, hand: NewHand, *definitions: Definition) -> None:
        self.address, self.client = address, client
        self.hand: Hand = hand("packer")
        packed = [twins(definition).packed for definition in definitions]
        both = {each.field: each.to_json() for each in (*definitions, *packed)}
        self.hand.send(Delta(definitions=both))

    def fill(self, definition: Definition, texts: dict[str, str]) -> None:
        """Put texts under fields of a layout's hash."""
        self.client.hset(self.address.keys.family(definition.field), mapping=texts)

    def call(self, definition: Definition) -> Convert:
        """The step that moves all that a hash has now."""
        pair = twins(definition)
        moved: dict[Shape, list[Moved]] = {}
        reading = Reading(pair)
        for field, text in self.client.hgetall(self.address.keys.family(definition.field)).items():
            found = reading.of(field, text)
            if found is not None:
                moved.setdefault(found[0], []).append(found[1])
        return Convert(self.hand.epoch, "packer", pair, moved)

    def convert(self, definition: Definition) -> None:
        """Move all that can be moved."""
        self.hand.store.convert(self.call(definition))

    def left(self, definition: Definition) -> dict[str, str]:
        """What the hash has."""
        found = self.client.hgetall(self.address.keys.family(definition.field))
        return {field.decode(): text.decode() for field, text in found.items()}

    def packed(self, definition: Definition) -> dict[str, int]:
        """What is packed."""
        return decoded(self.client, self.address.keys, twins(definition).packed)


@pytest.fixture
def steps(store: StoreAddress, client: Any, hand: NewHand) -> Steps:
    """A namespace with three families in both formats."""
    return Steps(store, client, hand, LOAD, WAIT, SIZE)


def test_texts_are_moved_by_their_digits(steps: Steps) -> None:
    """A float's text is worth its decimal digits down to 10^-15, whole numbers of any size, zeroes and signs too."""
    texts = {"1": "3", "2": "4.2", "3": "0.000000000000001", "4": "-0.1", "5": "0", "6": "1" + "0" * 36, "7": "1e-15"}
    steps.fill(LOAD, {f'["{series}"]': text for series, text in texts.items()})
    steps.hand.add(twins(LOAD).packed, {("2",): 10**8})
    steps.convert(LOAD)
    expected = {f'["{series}"]': int(Fraction(text) * FRACTION) for series, text in texts.items()}
    expected['["2"]'] += 10**8
    assert steps.packed(LOAD) == expected
    assert steps.left(LOAD) == {}


@pytest.mark.parametrize(
    "text", ["0.0000000000000001", "nan", "inf", "-inf", "x", "", "1_000", " 7", str(LARGEST_WHOLE + 1)]
)
def test_what_is_not_exact_stays(steps: Steps, text: str) -> None:
    """A text below 10^-15, beyond the largest amount, not finite or no number stays in the hash, beside what moves."""
    steps.fill(LOAD, {'["odd"]': text, '["even"]': "1"})
    steps.convert(LOAD)
    assert steps.left(LOAD) == {'["odd"]': text}
    assert steps.packed(LOAD) == {'["even"]': FRACTION}


@pytest.mark.parametrize("field", ["[]", '["a","b"]', '[ "a"]', '["\\u0061"]', "[1]", "a", "@state"])
def test_fields_that_are_no_series_stay(steps: Steps, field: str) -> None:
    """What our writers would not have written is not carried on."""
    steps.fill(LOAD, {field: "1"})
    steps.convert(LOAD)
    assert steps.left(LOAD) == {field: "1"}
    assert steps.packed(LOAD) == {}


def test_parts_keep_their_place(steps: Steps) -> None:
    """Buckets go into their block, those of bounds that nobody has any more too; sums keep their units."""
    steps.fill(WAIT, {'["x","sum"]': "250000", '["x","0.1"]': "2", '["x","0.5"]': "3", '["x","+Inf"]': "4"})
    steps.fill(SIZE, {'["sum"]': "1.5", '["count"]': "2"})
    before = samples(steps.address)
    steps.convert(WAIT)
    steps.convert(SIZE)
    units = {field: units for field, units in steps.packed(WAIT).items() if units}
    assert units == {'["x","sum"]': 250_000, '["x","0.1"]': 2, '["x","0.5"]': 3, '["x","+Inf"]': 4}
    assert steps.packed(SIZE) == {'["sum"]': 15 * 10**14, '["count"]': 2}
    assert samples(steps.address) == before


def test_a_step_that_comes_again_changes_nothing(steps: Steps) -> None:
    """A second copy, and one that arrives after the hash has other texts, moves nothing."""
    steps.fill(LOAD, {'["a"]': "1", '["b"]': "2"})
    call = steps.call(LOAD)
    steps.fill(LOAD, {'["b"]': "5"})
    for _ in range(3):
        steps.hand.store.convert(call)
    assert (steps.packed(LOAD), steps.left(LOAD)) == ({'["a"]': FRACTION}, {'["b"]': "5"})


def test_a_field_that_is_named_twice_is_moved_once(steps: Steps) -> None:
    """A scan may return a field more than once."""
    steps.fill(LOAD, {'["a"]': "1"})
    call = steps.call(LOAD)
    moved = {shape: [*fields, *fields] for shape, fields in call.moved.items()}
    steps.hand.store.convert(Convert(call.epoch, call.writer, call.twins, moved))
    assert steps.packed(LOAD) == {'["a"]': FRACTION}


def test_another_epoch_or_a_missing_definition_stops_it(steps: Steps) -> None:
    """Numbers are moved in the life of a namespace that the caller knows, and where they can be read."""
    steps.fill(LOAD, {'["a"]': "1"})
    call = steps.call(LOAD)
    steps.hand.store.convert(Convert("other", call.writer, call.twins, call.moved))
    for pair in (call.twins.fields, call.twins.packed):
        text = steps.client.hget(steps.address.keys.families, pair.field)
        steps.client.hdel(steps.address.keys.families, pair.field)
        steps.hand.store.convert(call)
        steps.client.hset(steps.address.keys.families, pair.field, text)
    assert (steps.packed(LOAD), steps.left(LOAD)) == ({}, {'["a"]': "1"})


def test_slots_without_room_take_nothing(steps: Steps) -> None:
    """If a slot would overflow, the whole field stays, and what its other slots got is taken back."""
    packed, count = twins(LOAD).packed, twins(WAIT).packed
    for _ in range(9):  # nine times 10^18 of the highest slot
        steps.hand.add(packed, {("a",): LARGEST_WHOLE * FRACTION - FRACTION})
    for _ in range(2):
        steps.hand.add(count, {("a", "0.1"): 2**62 - 1})
    before = steps.packed(LOAD), steps.packed(WAIT)
    steps.fill(LOAD, {'["a"]': f"{LARGEST_WHOLE - 1}.5", '["b"]': "1"})
    steps.fill(WAIT, {'["a","0.1"]': "9", '["a","1.0"]': "1"})
    steps.convert(LOAD)
    steps.convert(WAIT)
    assert steps.left(LOAD) == {'["a"]': f"{LARGEST_WHOLE - 1}.5"}
    assert steps.left(WAIT) == {'["a","0.1"]': "9"}
    assert steps.packed(LOAD) == before[0] | {'["b"]': FRACTION}
    assert steps.packed(WAIT) == before[1] | {'["a","1.0"]': 1}


def test_a_series_without_room_stays_a_field(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """Nothing that has a series of its own goes to `__overflow__`; that one is moved like any other."""
    steps = Steps(store, client, hand, LOAD)
    steps.hand.store.max_series = 3
    steps.hand.add(twins(LOAD).packed, {("a",): FRACTION, ("b",): FRACTION})
    steps.fill(LOAD, {'["a"]': "1", '["c"]': "1", '["d"]': "1", '["__overflow__"]': "4"})
    before = samples(store)
    steps.convert(LOAD)
    assert steps.packed(LOAD)['["__overflow__"]'] == 4 * FRACTION
    assert len(steps.left(LOAD)) == 1
    assert samples(store) == before


def test_no_series_is_made_for_those_without_room(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """If none fits, all stay, and there is no `__overflow__` that nothing went to."""
    steps = Steps(store, client, hand, LOAD)
    steps.hand.store.max_series = 1
    steps.hand.add(twins(LOAD).packed, {("a",): FRACTION})
    steps.fill(LOAD, {'["c"]': "1", '["d"]': "1"})
    steps.convert(LOAD)
    assert steps.left(LOAD) == {'["c"]': "1", '["d"]': "1"}
    assert steps.packed(LOAD) == {'["a"]': FRACTION}


def test_a_family_stays_as_old_as_it_is(steps: Steps, store: StoreAddress) -> None:
    """It was registered when the older of both layouts was: during a conversion and after it."""
    text = steps.client.hget(store.keys.families, LOAD.field).decode().partition(" ")[2]
    steps.client.hset(store.keys.families, LOAD.field, f"77 {text}")
    steps.fill(LOAD, {'["a"]': "1"})
    assert families(store)["load"].first_us == 77
    steps.convert(LOAD)
    assert (families(store)["load"].first_us, value(store, "load_total", a="a")) == (77, 1)


def test_exemplars_go_along(steps: Steps, store: StoreAddress) -> None:
    """An exemplar is shown at the same number after a step; of two the later one stays."""

    def example(time: int, name: str) -> str:
        return f'{time} {{"labels":{{"n":"{name}"}},"value":1,"timestamp":{time}}}'

    packed = twins(WAIT).packed
    steps.fill(WAIT, {'["a","0.1"]': "1", '["a","1.0"]': "1", '["b","0.1"]': "1"})
    steps.hand.add(packed, {("a", "0.1"): 1, ("a", "1.0"): 1})
    examples = {
        f'{WAIT.field} ["a","0.1"]': example(5, "old"), f'{packed.field} ["a","0.1"]': example(6, "newer"),
        f'{WAIT.field} ["a","1.0"]': example(8, "last"), f'{packed.field} ["a","1.0"]': example(7, "older"),
        f'{WAIT.field} ["b","0.1"]': example(9, "only"),
    }  # fmt: skip
    steps.client.hset(store.keys.exemplars, mapping=examples)

    def shown() -> dict[Any, str]:
        return {
            (sample.labels, sample.suffix): sample.exemplar.labels["n"]
            for sample in families(store)["wait_seconds"].samples
            if sample.exemplar is not None
        }

    before = shown()
    steps.convert(WAIT)
    assert sorted(before.values()) == ["last", "newer", "only"]
    assert shown() == before
    assert all(WAIT.field not in name.decode() for name in steps.client.hkeys(store.keys.exemplars))


@pytest.mark.parametrize(("old", "new"), [*itertools.product([None, 0, 50, 70], [None, 0, 50, 70])])
def test_created_stays(steps: Steps, store: StoreAddress, old: int | None, new: int | None) -> None:
    """A series that came back keeps its time, or the earlier one of both layouts; None: the layout lacks the series."""
    if old is None and new is None:
        return
    packed, keys, client = twins(WAIT).packed, store.keys, steps.client
    for layout in (WAIT, packed):
        text = client.hget(keys.families, layout.field).decode().partition(" ")[2]
        client.hset(keys.families, layout.field, f"1 {text}")
    if new is not None:
        steps.hand.add(packed, {("a", "0.1"): 1})
    if old is not None:
        steps.fill(WAIT, {'["a","0.1"]': "1", '["a","sum"]': "5"})
    client.hset(keys.returned, WAIT.field, 40)
    for layout, time in ((WAIT, old), (packed, new)):
        if time:
            client.hset(keys.returned, mapping={layout.field: 40, f'{layout.field} ["a","sum"]': time})
    before = families(store)["wait_seconds"].returned_us
    steps.convert(WAIT)
    assert families(store)["wait_seconds"].returned_us == before
    steps.hand.add(packed, {("later", "0.1"): 1})
    assert set(families(store)["wait_seconds"].returned_us) == {(("a", "later"),), *before}


def test_a_removal_takes_what_was_moved(steps: Steps, store: StoreAddress, hand: NewHand) -> None:
    """After a step, an old writer's removal takes the series from the packed layout."""
    steps.fill(LOAD, {'["a"]': "1", '["b"]': "1"})
    steps.convert(LOAD)
    old = hand("old")
    old.send(Delta(removals=(Removal(LOAD.field, '["a"]', has_parts=False, twin=twins(LOAD).packed.field),)))
    assert steps.packed(LOAD) == {'["b"]': FRACTION}


def test_a_full_store_takes_no_step(steps: Steps, store: StoreAddress) -> None:
    """A store without memory for more refuses the step, and nothing was moved."""
    steps.fill(LOAD, {'["a"]': "1"})
    call, client = steps.call(LOAD), steps.client
    client.config_set("maxmemory", "1")
    try:
        with pytest.raises(StoreRefused, match="maxmemory"):
            steps.hand.store.convert(call)
    finally:
        client.config_set("maxmemory", "0")
    assert (steps.packed(LOAD), steps.left(LOAD)) == ({}, {'["a"]': "1"})


@pytest.fixture
def fleet(store: StoreAddress) -> Iterator[list[Replica]]:
    """Writers, closed at the end."""
    made: list[Replica] = []
    yield made
    for replica in made:
        replica.close()


def look(replica: Replica) -> None:
    """A conversion to its end by one replica, if it may convert."""
    converter = Converter(replica.store, lambda: 0.0)
    seconds, micros = replica.store._client.time()
    converter.find(replica.writer.id, seconds * 10**6 + micros)
    while converter.step(replica.writer.epoch or "", replica.writer.id):
        pass


def recorded(replica: Replica, layout: Definition, amount: float) -> None:
    """One amount, handed over."""
    replica.cell(layout, ["a"]).inc(amount)
    assert replica.flush()


def test_it_waits_for_the_last_writer_of_fields(store: StoreAddress, client: Any, fleet: list[Replica]) -> None:
    """While a living writer writes fields nothing is moved; once it has said goodbye, or is silent, all is."""
    fleet += [Replica(store, packs=False), Replica(store)]
    old, new = fleet
    recorded(old, LOAD, 0.1)
    recorded(new, twins(LOAD).packed, 0.2)
    key = store.keys.family(LOAD.field)
    look(new)
    assert client.hgetall(key) == {b'["a"]': b"0.1"}
    assert old.flusher.flush(5.0, goodbye=True)
    look(new)
    assert client.exists(key) == 0
    assert value(store, "load_total", a="a") == 0.3


def test_one_of_the_packed_writers_converts(store: StoreAddress, client: Any, fleet: list[Replica]) -> None:
    """It is the one with the lowest id; a writer of fields, and one that has not applied yet, never does."""
    fleet += [Replica(store, packs=False), *(Replica(store) for _ in range(3))]
    recorded(fleet[0], LOAD, 0.1)
    assert fleet[0].flusher.flush(5.0, goodbye=True)
    for replica in fleet[1:]:
        recorded(replica, twins(LOAD).packed, 0.1)
    first, *others = sorted(fleet[1:], key=lambda replica: replica.writer.id)
    for replica in (fleet[0], *others):
        look(replica)
        assert client.exists(store.keys.family(LOAD.field)) == 1
    look(first)
    assert client.exists(store.keys.family(LOAD.field)) == 0


def test_an_old_writer_that_comes_back_is_converted_again(store: StoreAddress, fleet: list[Replica]) -> None:
    """Its layout is defined again, its numbers are added, and moved once it is gone."""
    fleet += [Replica(store, packs=False), Replica(store), Replica(store, packs=False)]
    first, new, late = fleet
    recorded(first, LOAD, 1)
    recorded(new, twins(LOAD).packed, 1)
    for old in (first, late):
        recorded(old, LOAD, 1)
        assert old.flusher.flush(5.0, goodbye=True)
        look(new)
        assert new.store.lengths([LOAD.field]) == [0]
    recorded(new, twins(LOAD).packed, 1)
    assert value(store, "load_total", a="a") == 5


def test_a_replica_converts_by_itself(
    store: StoreAddress, client: Any, fleet: list[Replica], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some hand-overs a family of many series is packed, a few steps each, and nothing else is called for it."""
    monkeypatch.setattr(conversion, "EVERY", 0.0)
    monkeypatch.setattr(conversion, "FIELDS_PER_STEP", 20)
    fleet += [Replica(store), Replica(store, packs=False)]
    new, old = fleet
    for index in range(700):
        old.cell(LOAD, [str(index)]).inc(0.5)
    assert old.flusher.flush(5.0, goodbye=True)
    lengths = []
    for _ in range(8):
        recorded(new, twins(LOAD).packed, 1)
        lengths.append(client.hlen(store.keys.family(LOAD.field)))
    assert lengths[-1] == 0
    assert all(before - after <= 20 * conversion.STEPS for before, after in itertools.pairwise([700, *lengths]))
    assert sum(number for (name, _), number in samples(store).items() if name == "load_total") == 358


def test_a_failed_step_costs_no_record(store: StoreAddress, client: Any, fleet: list[Replica]) -> None:
    """If the store refuses a step, what was recorded is handed over all the same, and the failure is counted."""
    fleet += [Replica(store)]
    new = fleet[0]
    recorded(new, twins(LOAD).packed, 1)
    client.hset(store.keys.families, LOAD.field, f"1 1 {LOAD.to_json()}")
    client.set(store.keys.family(LOAD.field), "no hash")
    new.exchange._converter._next = 0.0
    recorded(new, twins(LOAD).packed, 1)
    with closing(Reader(store.url, store.namespace)) as reader:
        snapshot = reader.read()
    assert snapshot.numbers[twins(LOAD).packed.field] == {b'["a"]': b"%d" % (2 * FRACTION)}
    assert new.errors("refused") == 1


def test_adds_by_slot_hold_over_a_step(steps: Steps) -> None:
    """A writer's knowledge of blocks is of no less worth after a step: it adds by slot, and nothing is lost."""
    packed = twins(LOAD).packed
    steps.hand.add(packed, {("a",): 1})
    steps.fill(LOAD, {'["a"]': "1", '["b"]': "1"})
    steps.convert(LOAD)
    answer = steps.hand.send(adds_of(packed, {("a",): 1, ("b",): 1}))
    assert answer.status == "applied"
    assert steps.packed(LOAD) == {'["a"]': FRACTION + 2, '["b"]': FRACTION + 1}


@pytest.mark.parametrize(
    ("rows", "who"),
    [
        ({"b": "packed", "c": "packed"}, "b"),
        ({"a": "alive", "b": "packed"}, ""),
        ({"b": "packed", "c": "alive"}, ""),
        ({"a": "goodbye", "b": "packed", "c": "goodbye"}, "b"),
        ({"a": "alive"}, ""),
        ({"a": "silent", "b": "packed"}, "b"),
        ({}, ""),
    ],
)
def test_who_converts(rows: dict[str, str], who: str) -> None:
    """The lowest of the living writers, if all of them pack; nobody while one writes fields or says nothing."""
    now = 10**15
    texts = {
        name.encode(): f"1 0 {now - 10**8 if state == 'silent' else now} {state.replace('silent', 'alive')} t1".encode()
        for name, state in rows.items()
    }
    assert [name for name in "abc" if conversion.converts(name, {b"@epoch": b"E 1 1", **texts}, now)] == [*who]


def test_a_row_that_cannot_be_read_stops_it() -> None:
    """Whose row is broken may write fields."""
    assert not conversion.converts("a", {b"a": b"1 0 5 packed", b"b": b"?"}, 5)
