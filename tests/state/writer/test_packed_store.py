"""Packed numbers on a real server: added once, to the right slot, and carried before a slot is full."""

from random import Random
from typing import Any

import pytest
import redis

from fleetmeter.embedded import EmbeddedStore
from fleetmeter.errors import StoreRefused
from fleetmeter.schema.definition import Definition, compact_json
from fleetmeter.schema.packing import SLOT, Shape, digest_of, index_entry, shape_of
from support.names import ALIKE
from support.packed import Hand, NewHand, adds_of, decoded, generation_of
from support.store import StoreAddress, new_address

SPENT = Definition.of("spent_usd", "counter", "", "", ("k",), (), "", packed=True)
PLAIN = Definition.of("plain", "counter", "", "", ("k",), (), "", packed=True)
BARE = Definition.of("bare", "counter", "", "usd", (), (), "", packed=True)
WAIT = Definition.of("wait_seconds", "histogram", "", "", ("k", "l"), ("1.0", "5.0", "+Inf"), "", packed=True)
SIZE = Definition.of("size", "summary", "", "", (), (), "", packed=True)
KNOWN = "0123456789abcdef 12 fedcba9876543210"
"""What a writer may know of a layout: its generation, how many names it has, and the digest of the last."""
OLD = Definition.of("spent_usd", "counter", "", "", ("k",), (), "")


def names_of(client: Any, store: StoreAddress, definition: Definition) -> list[str]:
    """What came and went, without the digests."""
    return [raw.decode().split(" ", 1)[1] for raw in client.lrange(store.keys.packed(definition.field)[2], 0, -1)]


def test_a_batch_by_name_makes_series_and_tells_their_slots(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """Blocks follow each other in the order of the batch, in one entry; shapes come before their first block."""
    writer = hand()
    answer = writer.add(WAIT, {("a", "b", "sum"): 7, ("a", "b", "5.0"): 1, ("c", "d", "sum"): 0})
    assert (answer.status, answer.refused_count) == ("applied", 0)
    names = names_of(client, store, WAIT)
    assert names[0].startswith("g ")
    assert names[1:] == ['s 2 ["sum","1.0","5.0","+Inf"]', 'c 0 0 ["a","b"]\n""c","d']
    assert decoded(client, store.keys, WAIT) == {
        '["a","b","sum"]': 7, '["a","b","1.0"]': 0, '["a","b","5.0"]': 1, '["a","b","+Inf"]': 0,
        '["c","d","sum"]': 0, '["c","d","1.0"]': 0, '["c","d","5.0"]': 0, '["c","d","+Inf"]': 0,
    }  # fmt: skip
    known, shape = writer.known(WAIT), shape_of(WAIT, WAIT.bounds)
    assert known.slots == {shape: {'["a","b"]': 0, '["c","d"]': 5}}
    assert client.hget(store.keys.packed(WAIT.field)[1], "@state").decode() == f"{known.state} 10 1 2 0"


def test_series_that_come_in_one_call_are_a_few_entries(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """Up to 500 in each; the next call's series are an entry of their own, and nothing is there twice."""
    writer = hand()
    for first, last in ((0, 1_201), (0, 1_202), (0, 1_202)):
        writer.add(PLAIN, {(f"k{number}",): 1 for number in range(first, last)})
    births = [name.split(" ", 3) for name in names_of(client, store, PLAIN)[2:]]
    assert [(int(slot), lines.count("\n") + 1) for _, slot, _, lines in births] == [
        (0, 500), (1_500, 500), (3_000, 201), (3_603, 1),
    ]  # fmt: skip
    assert len(decoded(client, store.keys, PLAIN)) == 1_202


def test_the_text_of_a_series_stands_once(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """The index has a digest of it, and is a tenth of a usual text; the names leave out what is alike in neighbours."""
    writer, value = hand(), "v" * 200
    writer.add(PLAIN, {(f"{value}{number}",): 1 for number in range(300)})
    _, index, names = store.keys.packed(PLAIN.field)
    found = client.hgetall(index)
    assert not any(value.encode() in text for text in (*found, *found.values()))
    assert sum(map(len, found.values())) < 300 * 30
    assert b"".join(client.lrange(names, 0, -1)).count(value.encode()) == 1


def test_numbers_take_hardly_more_room_than_they_need(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """A short string that grows bit by bit is given twice its length by the store; ours is written in one piece."""
    writer = hand()
    numbers = store.keys.packed(PLAIN.field)[0]
    for first in range(0, 1_000, 7):
        writer.add(PLAIN, {(f"k{number}",): 1 for number in range(first, first + 7)})
        needed = SLOT * 3 * (first + 7)
        assert client.memory_usage(numbers) < 1.3 * needed + 200
    assert set(decoded(client, store.keys, PLAIN).values()) == {1}


@pytest.mark.parametrize("together", [1, 3, 60, 600])
def test_series_that_are_alike_are_told_apart(store: StoreAddress, client: Any, hand: NewHand, together: int) -> None:
    """They begin and end alike by any number of bytes, also within a character, however many come in one call."""
    dice, writer = Random(together), hand()
    pairs = [("".join(dice.choices(ALIKE, k=3)), "".join(dice.choices(ALIKE, k=2))) for _ in range(600)]
    for first in range(0, len(pairs), together):
        writer.add(WAIT, {(*pair, "sum"): 1 for pair in pairs[first : first + together]})
    found = decoded(client, store.keys, WAIT)
    assert {field for field in found if field.endswith('"sum"]')} == {compact_json([*pair, "sum"]) for pair in pairs}


@pytest.mark.parametrize("definition", [SPENT, PLAIN, BARE, WAIT, SIZE], ids=lambda one: one.name)
def test_every_kind_of_number_adds_up_by_name_and_by_slot(
    store: StoreAddress, client: Any, hand: NewHand, definition: Definition
) -> None:
    """Amounts of any size and sign, from two writers that learn of each other's series."""
    random, writers = Random(definition.name), [hand("one"), hand("two")]
    parts: list[tuple[str, ...]] = [(part,) if part else () for part in shape_of(definition, definition.bounds).parts]
    expected: dict[str, int] = {}
    by_slot = 0
    for _ in range(60):
        numbers = {}
        for _ in range(random.randrange(1, 9)):
            labels = tuple(random.choice("abcde") for _ in definition.labels)
            part = random.choice(parts)
            value = not part or part == ("sum",)
            size = random.choice((0, 1, 10**6, 10**15, 10**18, 10**33)) if value else 10**9
            sign = random.choice((1, -1)) if part == ("sum",) else 1
            numbers[(*labels, *part)] = sign * random.randrange(size + 1)
        writer = random.choice(writers)
        answer = writer.add(definition, numbers)
        assert (answer.status, answer.refused_count) == ("applied", 0)
        by_slot += not answer.learned
        for field, amount in numbers.items():
            text = compact_json(field)
            expected[text] = expected.get(text, 0) + amount
    found = decoded(client, store.keys, definition)
    assert {field: found[field] for field in expected} == expected
    assert not any(amount for field, amount in found.items() if field not in expected)
    assert by_slot > 5


def test_a_copy_of_a_batch_by_slot_adds_nothing(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """The row is the judge, as for every other section."""
    writer = hand()
    writer.add(PLAIN, {("a",): 1})
    second = adds_of(PLAIN, {("a",): 10})
    assert writer.send(second).status == "applied"
    assert writer.send(second, prev=1).status == "already"
    assert writer.send(second, prev=1, token="another").status == "behind"
    assert decoded(client, store.keys, PLAIN) == {'["a"]': 11}


def test_by_name_and_by_slot_go_in_one_call(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """What is known needs no name because something new comes with it; afterwards all of it is known."""
    writer = hand()
    writer.add(PLAIN, {("a",): 1})
    answer = writer.add(PLAIN, {("a",): 10, ("b",): 2})
    assert len(answer.learned) == 1
    assert writer.known(PLAIN).slots == {shape_of(PLAIN, ()): {'["a"]': 0, '["b"]': 3}}
    assert writer.add(PLAIN, {("a",): 100, ("b",): 20}).learned == ()
    assert decoded(client, store.keys, PLAIN) == {'["a"]': 111, '["b"]': 22}


def test_a_writer_looks_up_once_that_others_brought_series(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """The answer tells how far the names go now, with what the same call itself brought; then that is what it knows."""
    writer, other = hand("one"), hand("two")
    writer.add(PLAIN, {("a",): 1})
    other.add(PLAIN, {("b",): 1})
    end = other.known(PLAIN).state
    assert writer.known(PLAIN).state != end
    answer = writer.add(PLAIN, {("a",): 10})
    assert (answer.status, answer.grown) == ("applied", (f"{PLAIN.field} {end}",))
    assert writer.known(PLAIN).state == end
    assert writer.add(PLAIN, {("a",): 100}).grown == ()
    other.add(PLAIN, {("c",): 1})
    writer.add(PLAIN, {("a",): 1_000, ("d",): 1})
    assert writer.add(PLAIN, {("a",): 10_000, ("d",): 1}).grown == ()
    assert decoded(client, store.keys, PLAIN) == {'["a"]': 11_111, '["b"]': 1, '["c"]': 1, '["d"]': 2}


def test_two_shapes_of_a_series_are_two_blocks_of_it(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """A bucket list may change while counts exist: the old block stays, and nobody writes to it but old replicas."""
    other = Definition.of("wait_seconds", "histogram", "", "", ("k", "l"), ("2.0", "+Inf"), "", packed=True)
    assert other.field == WAIT.field
    old, new = hand("old"), hand("new")
    for _ in range(2):
        old.add(WAIT, {("a", "b", "sum"): 7, ("a", "b", "1.0"): 1})
        new.add(other, {("a", "b", "sum"): 30, ("a", "b", "2.0"): 1})
    assert decoded(client, store.keys, WAIT) == {
        '["a","b","sum"]': 74, '["a","b","1.0"]': 2, '["a","b","5.0"]': 0, '["a","b","2.0"]': 2, '["a","b","+Inf"]': 0,
    }  # fmt: skip
    index = client.hgetall(store.keys.packed(WAIT.field)[1])
    (field, first), (_, second) = (index_entry('["a","b"]', *block) for block in ((0, 0), (1, 5)))
    assert index[field.encode()].decode() == first + second


def test_both_formats_stand_side_by_side(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """A packed layout is another one than the hash of the same family."""
    writer = hand()
    assert OLD.field != SPENT.field
    for definition in (OLD, SPENT, OLD, SPENT):
        writer.add(definition, {("a",): 5})
    assert client.hgetall(store.keys.family(OLD.field)) == {b'["a"]': b"10"}
    assert decoded(client, store.keys, SPENT) == {'["a"]': 10}


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("definition", [SPENT, PLAIN], ids=["two slots", "three slots"])
@pytest.mark.parametrize("by_slot", [True, False], ids=["by slot", "by name"])
def test_a_slot_is_carried_before_it_is_full(
    store: StoreAddress, client: Any, hand: NewHand, *, sign: int, definition: Definition, by_slot: bool
) -> None:
    """Slots hold 9·10^18; a value takes the largest amounts that fit into its slots a hundred times and more."""
    writer = hand()
    amount = sign * (10**18 * 10**15 - 1 if definition is PLAIN else 10**18 - 1)
    writer.add(definition, {("a",): 0})
    for _ in range(100):
        if not by_slot:
            writer.store._directory.forget()
        assert writer.add(definition, {("a",): amount}).refused_count == 0
    assert decoded(client, store.keys, definition) == {'["a"]': 100 * amount}


def test_a_remainder_is_carried_over_a_whole_that_is_full_itself(
    store: StoreAddress, client: Any, hand: NewHand
) -> None:
    """The carry of a remainder may be what fills the whole: that is carried, too."""
    writer = hand()
    writer.add(PLAIN, {("a",): 0})
    numbers = store.keys.packed(PLAIN.field)[0]
    client.bitfield(numbers).set("i64", "#1", 2**62 - 1).set("i64", "#2", 2**62 - 1).execute()
    before = decoded(client, store.keys, PLAIN)['["a"]']
    writer.add(PLAIN, {("a",): 10**15 - 1})
    assert decoded(client, store.keys, PLAIN) == {'["a"]': before + 10**15 - 1}
    high, whole, remainder = client.bitfield(numbers).get("i64", "#0").get("i64", "#1").get("i64", "#2").execute()
    assert (high, whole) == (4, 2**62 - 1 + 4000 - 4 * 10**18)
    assert remainder < 2**62


def test_a_count_that_is_full_refuses_and_harms_no_other(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """An amount that its slot has no room for is refused and told; everything else of the batch is in."""
    writer = hand()
    writer.add(WAIT, {("a", "b", "1.0"): 2**63 - 1, ("a", "b", "sum"): 1})
    for _ in range(2):
        answer = writer.add(WAIT, {("a", "b", "1.0"): 1, ("a", "b", "5.0"): 1, ("a", "b", "sum"): 1})
        assert answer.refused_count == 1
        assert answer.refused[0].startswith(f"{store.keys.packed(WAIT.field)[0]} #2: ")
        writer.store._directory.forget()  # the second time by name
    found = decoded(client, store.keys, WAIT)
    assert (found['["a","b","1.0"]'], found['["a","b","5.0"]'], found['["a","b","sum"]']) == (2**63 - 1, 2, 3)


def test_an_amount_that_is_none_harms_no_other(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """A number beyond 64 bits is no amount of a count; BITFIELD would refuse the whole list for it."""
    writer = hand()
    for _ in range(2):
        answer = writer.add(WAIT, {("a", "b", "1.0"): 2**70, ("a", "b", "5.0"): 1, ("a", "b", "sum"): 1})
        assert answer.refused_count == 1
    found = decoded(client, store.keys, WAIT)
    assert (found['["a","b","1.0"]'], found['["a","b","5.0"]'], found['["a","b","sum"]']) == (0, 2, 2)


def test_many_amounts_go_in_one_call(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """More than a command of a script may have arguments, by name and by slot."""
    writer = hand()
    numbers: dict[tuple[str, ...], int] = {(f"k{number}",): 10**15 * number + 1 for number in range(9_000)}
    for _ in range(2):
        assert writer.add(PLAIN, numbers).refused_count == 0
    assert len(writer.known(PLAIN).slots[shape_of(PLAIN, ())]) == 9_000
    assert decoded(client, store.keys, PLAIN) == {compact_json(field): 2 * amount for field, amount in numbers.items()}


def test_a_string_that_may_not_grow_refuses_new_series_only() -> None:
    """The server's own limit of a string is met: what is known is added, what is new is refused and told."""
    with EmbeddedStore(options={"proto-max-bulk-len": str(2**20)}) as server:
        address = new_address(server)
        writer, client = Hand(address, max_series=10**6), address.client()
        counts = tuple(f"{number}.0" for number in range(1, 30_000))
        wide = Definition.of("wide", "histogram", "", "", ("k",), (*counts, "+Inf"), "", packed=True)
        for name in "abcd":
            assert writer.add(wide, {(name, "sum"): 1}).refused_count == 0
        answer = writer.add(wide, {("a", "sum"): 1, ("e", "sum"): 1, ("f", "sum"): 1})
        assert (answer.status, answer.refused_count) == ("applied", 2)
        answer = writer.add(wide, {("a", "sum"): 1, ("e", "sum"): 1})
        assert (answer.status, answer.refused_count) == ("applied", 1)
        found = decoded(client, address.keys, wide)
        assert {field: amount for field, amount in found.items() if field.endswith('"sum"]')} == {
            '["a","sum"]': 3, '["b","sum"]': 1, '["c","sum"]': 1, '["d","sum"]': 1
        }  # fmt: skip
        writer.close()
        client.close()


@pytest.mark.parametrize(
    "section",
    [
        ("indexed", 9, 2, KNOWN, 0),
        ("indexed", 9, 3, KNOWN, "x", 0),
        ("indexed", 9, 3, KNOWN, 0, 1),
        ("indexed", 9, 4, KNOWN, 0, 0, "#1"),
        ("indexed", 9, 5, KNOWN, 1, 1, "#1", 1),
        ("indexed", 9, 5, KNOWN, -1, 0, "#1", 1),
        ("indexed", 9, 5, KNOWN, 0.5, 0, "#1", 1),
        ("indexed", 9, 5, KNOWN, "nan", 0, "#1", 1),
        ("indexed", 9, 3, "", 0, 0),
        ("indexed", 9, 3, KNOWN[:-1], 0, 0),
        ("indexed", 9, 3, KNOWN.replace("12", "0"), 0, 0),
        ("named", 9, 2, "no shape", 0),
        ("named", 9, 2, '4 [""]', 0),
        ("named", 9, 2, "2 []", 0),
        ("named", 9, 2, '2 {"a":1}', 0),
        ("named", 9, 2, '2 [""]', "x"),
        ("named", 9, 3, '2 [""]', 1, "[]"),
        ("named", 9, 4, '2 [""]', 1, "x", 0),
        ("named", 9, 4, '2 [""]', 1, "[]", 1),
        ("named", 9, 4, '2 [""]', 1, '["a"]\n["b"]', 0),
        ("named", 9, 4, '2 [""]', 1, '["a"', 0),
        ("named", 9, 4, '2 [""]', 1, "", 0),
        ("named", 9, 4, '2 [""]', 1.5, "[]", 0),
        ("named", 9, 6, '2 [""]', 1, "[]", 1, 2, 1),
        ("named", 9, 6, '2 [""]', 1, "[]", 1, "x", 1),
        ("named", 9, 5, '2 [""]', 1, "[]", 0, 0),
        ("named", 8, 4, '2 [""]', 1, "[]", 0),
        ("named", 10, 4, '2 [""]', 1, "[]", 0),
        ("remove_packed", 10, 1, "f", "[]", "one"),
    ],
)
def test_a_section_that_is_not_whole_is_refused_before_anything_is_written(
    store: StoreAddress, client: Any, hand: NewHand, section: tuple[Any, ...]
) -> None:
    """A script that fails keeps its earlier writes, so the shape is looked at first."""
    writer = hand()
    keys = [*store.keys.fixed, *store.keys.packed("f:1")]
    head: list[Any] = [writer.epoch, "w", 0, "", 1, "1", 0, "alive", 100]
    row = client.hget(store.keys.writers, "w")
    with pytest.raises(redis.ResponseError, match="FLEETMETER apply: malformed"):
        writer.store._apply(keys=keys, args=[*head, *section])
    assert client.hget(store.keys.writers, "w") == row
    assert not client.exists(*store.keys.packed("f:1"))


def test_a_store_that_is_full_takes_nothing_of_a_batch() -> None:
    """The row is written first: either all of a batch is in, or nothing."""
    with EmbeddedStore(options={"maxmemory-policy": "noeviction"}) as server:
        address = new_address(server)
        writer, client = Hand(address), address.client()
        writer.add(PLAIN, {("a",): 1})
        client.config_set("maxmemory", 1)
        for name in "ab":
            with pytest.raises(StoreRefused):
                writer.add(PLAIN, {(name,): 1})
        client.config_set("maxmemory", 0)
        writer.add(PLAIN, {("a",): 10})
        assert decoded(client, address.keys, PLAIN) == {'["a"]': 11}
        writer.close()
        client.close()


def test_a_beginning_says_who_made_it(store: StoreAddress, client: Any, hand: NewHand) -> None:
    """Two beginnings of one layout never look alike: time, writer and token are in the first digest."""
    writer = hand()
    answer = writer.add(PLAIN, {("a",): 1})
    begun = f"g {answer.store_now_us} w 1"
    assert names_of(client, store, PLAIN)[0] == begun
    assert generation_of(writer, PLAIN) == digest_of("", begun)
    assert Shape.parse(names_of(client, store, PLAIN)[1].removeprefix("s ")) == shape_of(PLAIN, ())
