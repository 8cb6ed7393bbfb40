"""apply.lua on a real server: once or not at all."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from fleetmeter.embedded import EmbeddedStore
from fleetmeter.lua import lua_source
from fleetmeter.schema.keys import CLOCK_FIELD, Keys
from support.store import StoreAddress

BIG = 2**53 + 1


def token_of(number: object) -> str:
    """The token of a batch of writer `w`, unless a test says another."""
    return f"t{number}" if number else ""


class Door:
    """Calls apply.lua by hand, for writer `w` in epoch `E`, whose row is at 0 to begin with.

    `told` is what the last reply said of the row: batches given up, and its token.
    """

    def __init__(self, client: Any, address: StoreAddress) -> None:
        self.client = client
        self.keys = address.keys
        self.told: list[str] = []
        self._script = self.client.register_script(lua_source("apply"))
        self.client.hset(self.keys.writers, mapping={"@epoch": "E 1 1", "w": "0 0 1 alive"})
        self.count = self.keys.family("c:1")

    def apply(
        self,
        prev: object,
        seq: object,
        *body: object,
        epoch: str = "E",
        given_up: object = 0,
        keys: tuple[str, ...] = (),
        state: str = "alive",
        limit: object = 10_000,
        tokens: tuple[str, str] | None = None,
    ) -> list[str]:
        """The reply but what was `told`, as text; the body's first key is the counter's, further ones are `keys`."""
        prev_token, token = tokens or (token_of(prev), token_of(seq))
        head = [epoch, "w", prev, prev_token, seq, token, given_up, state, limit]
        reply = self._script(keys=[*self.keys.fixed, self.count, *keys], args=[*head, *body])
        texts = [item.decode() for item in reply]
        self.told = texts[2:4]
        return [*texts[:2], *texts[4:]]

    def add(self, prev: int, seq: int, amount: object = 1, **options: Any) -> list[str]:
        """Add an amount to one number."""
        return self.apply(prev, seq, "add", 9, 1, "[]", amount, **options)

    def hash(self, key: str) -> dict[str, str]:
        """A whole hash, as text."""
        return {field.decode(): value.decode() for field, value in self.client.hgetall(key).items()}

    def everything(self) -> dict[str, dict[str, str]]:
        """All that is stored."""
        keys = (self.keys.writers, self.keys.retired, self.keys.families, self.keys.gauges, self.count)
        return {key: self.hash(key) for key in keys}


@pytest.fixture
def door(store: StoreAddress) -> Iterator[Door]:
    """A namespace with one writer at 0."""
    client = store.client()
    yield Door(client, store)
    client.close()


def test_the_next_batch_is_applied_and_the_row_moves(door: Door) -> None:
    """Row = prev: everything is in, the row holds seq, what was given up, and the time."""
    status, row, epoch, now, refused = door.add(0, 1, 5, given_up=2)
    assert (status, row, epoch, refused) == ("applied", "1", "E 1 1", "0")
    assert door.hash(door.count) == {"[]": "5"}
    assert door.hash(door.keys.writers)["w"] == f"1 2 {now} alive t1"
    assert door.told == ["2", "t1"]


def test_a_copy_is_already_in_and_changes_nothing(door: Door) -> None:
    """Any copy of a batch, at any later time, is harmless."""
    door.add(0, 1)
    door.add(1, 2)
    before = door.everything()
    assert door.add(0, 1)[:2] == ["behind", "2"]
    assert door.add(1, 2)[:2] == ["already", "2"]
    assert door.everything() == before


def test_a_row_below_prev_is_behind_and_changes_nothing(door: Door) -> None:
    """A batch whose predecessor is not in is not applied."""
    before = door.everything()
    assert door.add(3, 4)[:2] == ["behind", "0"]
    assert door.everything() == before


def test_a_row_between_prev_and_seq_is_behind(door: Door) -> None:
    """A merged batch of which a part is in already must not count that part twice."""
    door.add(0, 2)
    assert door.add(1, 3)[:2] == ["behind", "2"]
    assert door.hash(door.count) == {"[]": "1"}


def test_a_merged_batch_moves_the_row_over_several_numbers(door: Door) -> None:
    """Δ(0, 7] is in at once."""
    assert door.add(0, 7)[:2] == ["applied", "7"]
    assert door.add(0, 7)[:2] == ["already", "7"]


def test_a_heartbeat_renews_the_time_and_nothing_else(door: Door) -> None:
    """Prev = seq without a body: the row keeps its number and becomes younger."""
    door.add(0, 1)
    counts = door.hash(door.count)
    status, _, _, now, _ = door.apply(1, 1, given_up=1)
    assert status == "applied"
    assert door.hash(door.keys.writers)["w"] == f"1 1 {now} alive t1"
    assert door.hash(door.count) == counts


def test_a_writer_without_row_is_unknown(door: Door) -> None:
    """Only hello makes a row."""
    door.client.hdel(door.keys.writers, "w")
    before = door.everything()
    assert door.add(0, 1)[:2] == ["unknown", "0"]
    assert door.everything() == before


@pytest.mark.parametrize("stored", ["F 1 1", "EE 1 1", None])
def test_another_epoch_or_none_is_told(door: Door, stored: str | None) -> None:
    """What belongs to another life of the namespace is not added to this one."""
    door.client.hdel(door.keys.writers, "@epoch")
    if stored is not None:
        door.client.hset(door.keys.writers, "@epoch", stored)
    before = door.everything()
    assert door.add(0, 1)[:3] == ["epoch", "0", stored or ""]
    assert door.everything() == before


def test_a_folded_writer_is_taken_up(door: Door) -> None:
    """A row in `retired` counts like one in `writers`, and moves back with the batch."""
    door.client.hdel(door.keys.writers, "w")
    door.client.hset(door.keys.retired, "w", "4 1 99 99 t4")
    assert (door.add(3, 4)[:2], door.told) == (["already", "4"], ["1", "t4"])
    assert door.add(4, 5, tokens=("other", "t5"))[:2] == ["behind", "4"]
    assert door.hash(door.keys.retired) == {"w": "4 1 99 99 t4"}
    assert door.add(4, 5)[:2] == ["applied", "5"]
    assert door.hash(door.keys.retired).keys() == {CLOCK_FIELD}
    assert door.hash(door.keys.writers)["w"].startswith("5 0 ")
    assert door.hash(door.count) == {"[]": "1"}


def test_two_processes_of_one_id_are_told_apart_by_the_first_batch_in_which_they_differ(door: Door) -> None:
    """What one of them counted neither takes the other's batch for its own, nor is built upon by the other."""
    door.add(0, 1, 5)
    assert door.add(1, 2, 7, tokens=("t1", "mine"))[:2] == ["applied", "2"]
    before = door.everything()
    assert (door.add(1, 2, 9, tokens=("t1", "yours"))[:2], door.told) == (["behind", "2"], ["0", "mine"])
    assert (door.add(2, 3, 9, tokens=("yours", "t3"))[:2], door.told) == (["behind", "2"], ["0", "mine"])
    assert door.apply(2, 2, tokens=("yours", "yours"))[:2] == ["behind", "2"]
    assert door.everything() == before
    assert door.add(1, 2, 7, tokens=("t1", "mine"))[:2] == ["already", "2"]
    assert door.add(2, 3, 1, tokens=("mine", "t3"))[:2] == ["applied", "3"]
    assert door.hash(door.count) == {"[]": "13"}


def test_a_row_without_a_token_is_known_by_its_number(door: Door) -> None:
    """A version without tokens left it: its own writer, or one whose number an older replica put away, goes on."""
    door.client.hset(door.keys.writers, "w", "4 1 99 alive")
    assert (door.add(3, 4)[:2], door.told) == (["already", "4"], ["1", ""])
    assert (door.add(2, 3)[:2], door.told) == (["behind", "4"], ["1", ""])
    assert door.add(4, 5)[:2] == ["applied", "5"]
    assert door.hash(door.keys.writers)["w"].split(" ")[4:] == ["t5"]


def test_a_goodbye_without_a_token_leaves_none(door: Door) -> None:
    """Who says goodbye for another process passes on what its row has."""
    door.client.hset(door.keys.writers, "w", "4 1 99 alive")
    now = door.apply(4, 4, given_up=1, state="goodbye", tokens=("", ""))[3]
    assert door.hash(door.keys.writers)["w"] == f"4 1 {now} goodbye"


def test_large_whole_numbers_are_exact(door: Door) -> None:
    """Beyond 2^53 no unit is lost, neither in an amount nor in a total."""
    door.add(0, 1, BIG)
    door.add(1, 2, BIG)
    door.add(2, 3, 1)
    assert door.hash(door.count) == {"[]": str(2 * BIG + 1)}


def test_a_fraction_goes_by_float(door: Door) -> None:
    """HINCRBY refuses it, HINCRBYFLOAT takes it, and the batch has no refused item."""
    assert door.add(0, 1, "0.5")[4] == "0"
    assert door.add(1, 2, 1)[4] == "0"  # the field holds a fraction now: a whole amount goes the same way
    assert door.hash(door.count) == {"[]": "1.5"}


def test_an_overflow_goes_by_float(door: Door) -> None:
    """A total beyond 2^63 does not block the writer."""
    door.add(0, 1, 2**63 - 1)
    assert door.add(1, 2, 2**63 - 1)[4] == "0"
    assert float(door.hash(door.count)["[]"]) == pytest.approx(2.0**64)


@pytest.mark.parametrize("amount", ["nan", "inf", "x", ""])
def test_a_number_that_cannot_be_added_is_named_and_the_rest_is_in(door: Door, amount: str) -> None:
    """No single number can block a writer."""
    reply = door.apply(0, 1, "add", 9, 3, "a", "1", "b", amount, "c", "2")
    assert (reply[0], reply[4], len(reply)) == ("applied", "1", 7)
    assert reply[5] == "refused"
    assert reply[6].startswith(f"{door.count} b: ")
    assert door.hash(door.count) == {"a": "1", "c": "2"}


def test_a_key_of_another_type_is_named_and_the_rest_is_in(door: Door) -> None:
    """Somebody's string under a family's key costs that family, and nothing else."""
    other = door.keys.family("d:1")
    door.client.set(other, "text")
    reply = door.apply(
        0, 1, "add", 10, 12, *(x for i in range(12) for x in (f"f{i}", "1")), "add", 9, 1, "[]", "1", keys=(other,)
    )
    assert (reply[0], reply[4]) == ("applied", "12")
    assert reply[5::2] == ["refused"] * 10  # the first ten are named
    assert all(item.startswith(f"{other} f") and "WRONGTYPE" in item for item in reply[6::2])
    assert door.hash(door.count) == {"[]": "1"}
    assert door.client.get(other) == b"text"


def test_foreign_types_under_every_other_key_are_named(door: Door) -> None:
    """Definitions, gauges, settings and removals are refused like numbers."""
    keys = door.keys
    for key in (keys.families, keys.gauges, keys.exemplars, keys.removed, keys.sizes, keys.returned, door.count):
        door.client.set(key, "text")
    reply = door.apply(
        0, 1, "define", 3, 1, "f:1", "{}", "remove", 9, 1, "c:1", '["x"]', "one", "unset", 4, 1, "[]",
        "gauge", 4, 1, "[]", "1 1", "exemplar", 5, 1, "c:1 []", "1 {}", "add", 9, 1, "[]", "1",
    )  # fmt: skip
    assert (reply[0], reply[4]) == ("applied", "7")


def test_a_definition_keeps_its_times_while_it_is_the_same(door: Door) -> None:
    """First registration stays for ever; the time of definition moves when the text does."""

    def define(seq: int, text: str) -> tuple[str, str, str]:
        now = door.apply(seq - 1, seq, "define", 3, 1, "f:1", text)[3]
        first, defined, stored = door.hash(door.keys.families)["f:1"].split(" ", 2)
        assert stored == text
        return now, first, defined

    born, first, defined = define(1, '{"help": "a b"}')
    assert (first, defined) == (born, born)
    assert define(2, '{"help": "a b"}')[1:] == (born, born)
    changed, first, defined = define(3, '{"help": "c"}')
    assert (first, defined) == (born, changed)
    assert changed > born


def test_gauges_stand_under_their_writer(door: Door) -> None:
    """Two writers' values of one series never cover each other."""
    door.apply(0, 1, "gauge", 4, 1, '["g","1",[]]', "5 1.5")
    assert door.hash(door.keys.gauges) == {'w ["g","1",[]]': "5 1.5"}


def test_sections_take_effect_in_their_order(door: Door) -> None:
    """A removed series that is counted again in the same batch is there."""
    door.apply(0, 1, "add", 9, 2, '["a"]', 5, '["b"]', 7)
    door.apply(1, 2, "remove", 9, 1, "c:1", '["a"]', "one", "add", 9, 1, '["a"]', 2)
    assert door.hash(door.count) == {'["a"]': "2", '["b"]': "7"}


PARTS: tuple[Any, ...] = ('["a","sum"]', 1, '["a","1.0"]', 2, '["b","sum"]', 3, '["b","1.0"]', 4, '["ab","sum"]', 5)


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ('["a"]', {'["b","sum"]': "3", '["b","1.0"]': "4", '["ab","sum"]': "5"}),
        ("[null]", {}),
        ('["c"]', dict(zip(PARTS[::2], map(str, PARTS[1::2]), strict=True))),
    ],
)
def test_a_removal_takes_every_number_of_the_series_that_fit(door: Door, pattern: str, left: dict[str, str]) -> None:
    """Buckets and sum go together, null fits any value, and the removal is on record with the store's time."""
    door.apply(0, 1, "add_part", 9, 5, *PARTS)
    now = door.apply(1, 2, "remove", 9, 1, "c:1", pattern, "parts")[3]
    assert door.hash(door.count) == left
    assert door.hash(door.keys.removed) == {f"c:1 {pattern}": now}


@pytest.mark.parametrize("shape", ["one", "parts"])
def test_many_removals_walk_through_a_family_once(door: Door, shape: str) -> None:
    """A walk for each series would keep a store with many busy for seconds, and everybody waiting."""
    names = [f"{number}" for number in range(50)]
    fields = [f'["{name}","sum"]' if shape == "parts" else f'["{name}"]' for name in (*names, "stays")]
    door.client.hset(door.count, mapping=dict.fromkeys(fields, 1))
    door.client.hset(door.keys.exemplars, mapping={f"c:1 {field}": "1 {}" for field in fields})
    walks = _calls(door, "hkeys")
    patterns = [text for name in names for text in ("c:1", f'["{name}"]', shape)]
    door.apply(0, 1, "remove", 9, len(names), *patterns)
    assert _calls(door, "hkeys") - walks <= 2
    assert list(door.hash(door.count)) == fields[-1:]
    assert list(door.hash(door.keys.exemplars)) == [f"c:1 {fields[-1]}"]
    assert set(door.hash(door.keys.removed)) == {f'c:1 ["{name}"]' for name in names}


@pytest.mark.parametrize("at_once", [1, 250, 2600])
def test_notes_of_many_removals_are_gathered(door: Door, at_once: int) -> None:
    """However many series go: the newest notes stand, and one for all the others, with the latest of their times."""
    times: dict[str, int] = {}
    for seq, start in enumerate(range(0, 2600, at_once)):
        patterns = [f'["{number}"]' for number in range(start, min(2600, start + at_once))]
        items = [text for pattern in patterns for text in ("c:1", pattern, "one")]
        now = door.apply(seq, seq + 1, "remove", 9, len(patterns), *items)[3]
        times |= dict.fromkeys(patterns, int(now))
    notes = door.hash(door.keys.removed)
    gathered = int(notes.pop("c:1 [[]]"))
    assert 500 <= len(notes) <= 1000
    assert {int(time) for time in notes.values()} <= {time for time in times.values() if time >= gathered}
    assert gathered == max(time for pattern, time in times.items() if f"c:1 {pattern}" not in notes)


def test_removals_of_one_series_and_of_many_work_side_by_side(door: Door) -> None:
    """Of several patterns, each takes what fits it; what fits none stays."""
    kept, gone = ['["a","y"]', '["b","x"]'], ['["a","x"]', '["c","x"]', '["c","y"]']
    door.client.hset(door.count, mapping=dict.fromkeys((*kept, *gone), 1))
    door.apply(0, 1, "remove", 9, 2, "c:1", '["a","x"]', "one", "c:1", '["c",null]', "one")
    assert sorted(door.hash(door.count)) == kept


def _calls(door: Door, command: str) -> int:
    """How often the server has run a command, scripts included."""
    stats: dict[str, Any] = door.client.info("commandstats")
    calls: int = stats.get(f"cmdstat_{command}", {"calls": 0})["calls"]
    return calls


def test_a_removal_takes_the_exemplars_of_its_series(door: Door) -> None:
    """An exemplar of a bucket that is gone would come back with the next count."""
    fields = ('c:1 ["a","1.0"]', 'c:1 ["b","1.0"]', 'd:1 ["a","1.0"]')
    door.client.hset(door.count, mapping={'["a","1.0"]': 1, '["b","1.0"]': 1})
    door.apply(0, 1, "exemplar", 5, 3, *(text for field in fields for text in (field, "1 {}")))
    door.apply(1, 2, "remove", 9, 1, "c:1", '["a"]', "parts")
    assert set(door.hash(door.keys.exemplars)) == set(fields[1:])


def test_the_newest_exemplar_stands(door: Door) -> None:
    """A batch that was kept back by an outage does not cover what happened since."""
    door.add(0, 1)
    for seq, time in enumerate((5, 9, 7), 2):
        door.apply(seq - 1, seq, "exemplar", 5, 1, "c:1 []", f"{time} {{}}")
    assert door.hash(door.keys.exemplars) == {"c:1 []": "9 {}"}


def test_an_exemplar_needs_its_number(door: Door) -> None:
    """One of a series that has no place in its family would be read with every scrape, and bounded by nothing."""
    door.apply(
        0, 1, "add", 9, 2, '["a"]', 1, '["b"]', 1, "exemplar", 5, 2, 'c:1 ["a"]', "1 A", 'c:1 ["b"]', "1 B", limit=1
    )
    assert door.hash(door.keys.exemplars) == {'c:1 ["a"]': "1 A"}


def test_an_unset_gauge_is_this_writers_only(door: Door) -> None:
    """The value of another writer stays, and a value set by the same batch is there."""
    door.client.hset(door.keys.gauges, mapping={"w g": "1 1", "w h": "1 1", "x g": "1 1"})
    door.apply(0, 1, "unset", 4, 2, "g", "h", "gauge", 4, 1, "h", "2 2")
    assert door.hash(door.keys.gauges) == {"x g": "1 1", "w h": "2 2"}


def test_a_full_family_sends_new_series_to_overflow(door: Door) -> None:
    """At most so many label sets; what comes on top is in one series, to the last unit, and is told."""
    items = [text for number in range(5) for text in (f'["k{number}","x"]', str(number + 1))]
    reply = door.apply(0, 1, "add", 9, 5, *items, limit=3)
    overflow = '["__overflow__","__overflow__"]'
    assert door.hash(door.count) == {'["k0","x"]': "1", '["k1","x"]': "2", '["k2","x"]': "3", overflow: "9"}
    assert reply[4:] == ["0", "overflow", f"2 {door.count}"]
    door.apply(1, 2, "add", 9, 2, '["k1","x"]', 10, '["k9","x"]', 100, limit=3)
    assert door.hash(door.count)['["k1","x"]'] == "12"
    assert door.hash(door.count)[overflow] == "109"


def test_a_full_family_keeps_the_parts_of_a_series_together(door: Door) -> None:
    """A histogram's bound counts label sets, not numbers; a series that is refused is refused with all its parts."""
    door.apply(0, 1, "add_part", 9, 5, *PARTS, limit=3)
    assert len(door.hash(door.count)) == 5
    reply = door.apply(1, 2, "add_part", 9, 3, '["z","2.0"]', 7, '["z","sum"]', 9, '["a","2.0"]', 1, limit=3)
    overflow = {'["__overflow__","2.0"]': "7", '["__overflow__","sum"]': "9"}
    stored = door.hash(door.count)
    assert {field: text for field, text in stored.items() if "__overflow__" in field} == overflow
    assert stored['["a","2.0"]'] == "1"
    assert reply[5:] == ["overflow", f"1 {door.count}"]


@pytest.mark.parametrize("operation", ["add", "add_part"])
def test_returns_are_noted_where_a_family_may_be_full(door: Door, operation: str) -> None:
    """Those for whom there is room, and `__overflow__` when it comes; who was never removed is not among them."""
    parted, shape = operation == "add_part", "parts" if operation == "add_part" else "one"

    def telling(name: str) -> str:
        return f'["{name}","sum"]' if parted else f'["{name}"]'

    def add(seq: int, *names: str) -> str:
        fields = [field for name in names for field in ([f'["{name}","2.0"]'] if parted else []) + [telling(name)]]
        items = [text for field in fields for text in (field, "1")]
        return door.apply(seq - 1, seq, operation, 9, len(fields), *items, limit=2)[3]

    add(1, "a", "b", "c")
    gone = [text for name in ("b", "__overflow__") for text in ("c:1", f'["{name}"]', shape)]
    mark = door.apply(1, 2, "remove", 9, 2, *gone)[3]
    back = add(3, "a", "d")
    full = add(4, "a", "e", "f")
    add(5, "d", "e")
    assert door.hash(door.keys.returned) == {
        "c:1": mark, f"c:1 {telling('d')}": back, f"c:1 {telling('__overflow__')}": full,
    }  # fmt: skip


def test_a_removal_makes_room_in_a_full_family(door: Door) -> None:
    """The bound is on what is there."""
    door.apply(0, 1, "add", 9, 3, '["a"]', 1, '["b"]', 1, '["c"]', 1, limit=2)
    door.apply(1, 2, "remove", 9, 1, "c:1", '["a"]', "one", "add", 9, 1, '["d"]', 1, limit=2)
    assert set(door.hash(door.count)) == {'["b"]', '["__overflow__"]', '["d"]'}


def test_a_family_without_labels_is_never_full(door: Door) -> None:
    """There is only one series, however many numbers it has."""
    reply = door.apply(0, 1, "add_part", 9, 3, '["sum"]', 1, '["1.0"]', 1, '["2.0"]', 1, limit=1)
    assert (len(door.hash(door.count)), reply[5:]) == (3, [])


def test_a_family_without_definition_is_told(door: Door) -> None:
    """Forgotten or evicted: the first one is named; one that the same call defines is not missing."""
    reply = door.apply(0, 1, "define", 3, 1, "c:1", "{}", "expect", 3, 3, "c:1", "d:1", "e:1", "add", 9, 1, "[]", 1)
    assert reply[5:] == ["undefined", "d:1"]
    assert set(door.hash(door.keys.families)) == {"c:1"}


def test_a_definition_that_says_something_else_is_told(door: Door) -> None:
    """The text that stood there comes back with the answer; one that is the same, or older beside it, does not."""

    def define(seq: int, field: str, text: str) -> list[str]:
        return door.apply(seq - 1, seq, "define", 3, 1, field, text)[5:]

    assert define(1, "f:1", "A") == []
    assert define(2, "f:1", "A") == []
    assert define(3, "f:1", "B") == ["conflict", "f:1 A"]
    assert define(4, "f:2", "C") == ["conflict", "f:1 B"]
    assert define(5, "f:2", "C") == []
    assert define(6, "g:f:1", "D") == []


def test_the_layout_that_was_defined_last_is_the_newest_also_when_it_is_an_old_one(door: Door) -> None:
    """A roll-back of the application brings its definition back to the front, without a change of its text."""

    def defined_at(field: str) -> int:
        return int(door.hash(door.keys.families)[field].split(" ")[1])

    door.apply(0, 1, "define", 3, 1, "f:1", "A")
    door.apply(1, 2, "define", 3, 1, "f:2", "B")
    assert defined_at("f:2") > defined_at("f:1")
    reply = door.apply(2, 3, "define", 3, 1, "f:1", "A")
    assert defined_at("f:1") > defined_at("f:2")
    assert reply[5:] == ["conflict", "f:2 B"]


def test_what_is_defined_last_is_the_newest_also_within_one_batch_and_when_the_clock_went_back(door: Door) -> None:
    """Times of definition only grow: each one's is above those of the family's other layouts."""

    def newest() -> str:
        found = door.hash(door.keys.families)
        assert len({text.split(" ")[1] for text in found.values()}) == len(found)
        return max(found, key=lambda field: int(found[field].split(" ")[1]))

    reply = door.apply(0, 1, "define", 3, 3, "f:2", "B", "f:1", "A", "f:3", "C")
    assert reply[5:] == ["conflict", "f:2 B", "conflict", "f:1 A"]
    assert newest() == "f:3"
    future = 4_102_444_800_000_000
    door.client.hset(door.keys.families, "f:3", f"1 {future} C")
    assert door.apply(1, 2, "define", 3, 1, "f:1", "A")[5:] == ["conflict", "f:3 C"]
    assert newest() == "f:1"
    assert door.hash(door.keys.families)["f:1"].split(" ")[1] == str(future + 1)
    assert door.apply(2, 3, "define", 3, 1, "f:1", "A")[5:] == []


@pytest.mark.parametrize(
    ("prev", "seq", "given_up"),
    [("x", 1, 0), (0, "", 0), (0, 1, "x"), (-1, 1, 0), (2, 1, 0), ("0x0", 1, 0), (0, "1e3", 0), (0, "1.5", 0),
     (0, " 1", 0), ("nan", 1, 0), (0, "inf", 0), (0, 1, "-1")],
)  # fmt: skip
def test_malformed_numbers_write_nothing(door: Door, prev: object, seq: object, given_up: object) -> None:
    """The row would hold what is no number, so the call is refused."""
    before = door.everything()
    with pytest.raises(redis.ResponseError, match="malformed head"):
        door.apply(prev, seq, "add", 9, 1, "[]", 1, given_up=given_up)
    assert door.everything() == before


@pytest.mark.parametrize("tokens", [("a b", "t1"), ("", "t 1"), ("", "t1\n")])
def test_malformed_tokens_write_nothing(door: Door, tokens: tuple[str, str]) -> None:
    """A row is words with a space between two: a token that holds one would be two."""
    before = door.everything()
    with pytest.raises(redis.ResponseError, match="malformed head"):
        door.add(0, 1, tokens=tokens)
    assert door.everything() == before


@pytest.mark.parametrize(
    "body",
    [
        ("add",),
        ("add", 9),
        ("add", 9, 1),
        ("add", 9, 1, "[]"),
        ("add", 9, 2, "[]", 1),
        ("add", 9, 1, "[]", 1, "rest"),
        ("add", 10, 1, "[]", 1),
        ("add", 0, 1, "[]", 1),
        *(("add", fixed, 1, "w", 1) for fixed in range(1, len(Keys("n").fixed) + 1)),
        ("define", 9, 1, "f:1", "{}"),
        ("gauge", 3, 1, "w", "1 1"),
        ("add", "x", 1, "[]", 1),
        ("add", 9, "x", "[]", 1),
        ("add", 9, -1, "[]", 1),
        ("add", 9, "1.5", "[]", 1, "[]"),
        ("add", 9, "0.5", "[]"),
        ("sub", 3, 1, "[]", 1),
        ("add", 9, 1, "[]", 1, "define", 3, 1, "f:1"),
    ],
)
def test_a_malformed_body_writes_nothing(door: Door, body: tuple[object, ...]) -> None:
    """The shape of every section is checked before the first write, the fixed keys are out of reach."""
    before = door.everything()
    with pytest.raises(redis.ResponseError, match="malformed"):
        door.apply(0, 1, *body)
    assert door.everything() == before


def test_a_full_store_refuses_a_batch_with_nothing_written() -> None:
    """The row is written first: out of memory stops the script before any number, and the batch can come again."""
    with EmbeddedStore(options={"maxmemory-policy": "noeviction"}) as full:
        address = StoreAddress(full.url, "full")
        client = address.client()
        door = Door(client, address)
        door.add(0, 1)
        before = door.everything()
        client.config_set("maxmemory", "1")
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            door.add(1, 2)
        assert door.everything() == before
        client.config_set("maxmemory", "0")
        assert door.add(1, 2)[0] == "applied"
        assert door.hash(door.count) == {"[]": "2"}
        client.close()


def test_the_scripts_run_in_the_in_process_double(store: StoreAddress) -> None:
    """Fakeredis runs the same scripts, so that a simulator can."""
    fakeredis = pytest.importorskip("fakeredis")
    door = Door(fakeredis.FakeRedis(), store)
    assert door.add(0, 1, 5)[:2] == ["applied", "1"]
    assert door.add(0, 1, 5)[:2] == ["already", "1"]
    assert door.add(0, 1, 5, tokens=("", "other"))[:2] == ["behind", "1"]
    assert door.add(3, 4)[:2] == ["behind", "1"]
    assert door.add(1, 2, "0.5")[4] == "0"
    assert door.hash(door.count) == {"[]": "5.5"}
