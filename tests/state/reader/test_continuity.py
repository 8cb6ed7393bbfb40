"""What an exporter shows of a store that goes back: no number goes down but on purpose."""

from dataclasses import replace
from typing import Any

import pytest

from fleetmeter.reader.continuity import Continuity, Shown
from fleetmeter.reader.hashes import Hash
from fleetmeter.reader.returned import Returned
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.reader.verdict import Cause, Reason, Verdict
from fleetmeter.schema.definition import Definition, StoredDefinition
from fleetmeter.schema.rows import Epoch, Row

COUNTER = Definition.of("c", "counter", "x", "", ("k",), (), "")
FIELD = COUNTER.field
EPOCH = Epoch("E", 1, 1)


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def row(applied: int, given_up: int = 0, heartbeat_us: int = 10, *, goodbye: bool = False) -> Row:
    """A writer's row."""
    return Row(applied, given_up, heartbeat_us, goodbye)


def store(rows: dict[str, Row], counts: dict[str, int], **more: Any) -> Snapshot:
    """A snapshot of one family, by its label value."""
    raw = {f'["{key}"]'.encode(): str(number).encode() for key, number in counts.items()}
    values: dict[str, Any] = {
        "taken_us": 50,
        "epoch": EPOCH,
        "rows": rows,
        "definitions": (StoredDefinition(COUNTER, 1, 1),),
        "numbers": {FIELD: raw},
        "gauges": {},
        "replicas": {},
        "extras": None,
    }
    return Snapshot(**{**values, **more})


def numbers(shown: Shown) -> dict[str, int]:
    """What is served, by label value."""
    return {key.decode()[2:-2]: int(text) for key, text in shown.snapshot.numbers.get(FIELD, {}).items()}


@pytest.fixture
def clock() -> Clock:
    """A clock at some time."""
    return Clock()


@pytest.fixture
def continuity(clock: Clock) -> Continuity:
    """An exporter that has served {a: 10, b: 5} of one writer at row 10."""
    continuity = Continuity(30.0, clock)
    continuity.show(store({"w": row(10)}, {"a": 10, "b": 5}))
    return continuity


def test_a_store_that_went_on_is_shown_as_it_is(continuity: Continuity) -> None:
    """Rows at or above the served ones: every number is the store's."""
    shown = continuity.show(store({"w": row(11), "v": row(1)}, {"a": 11, "b": 5}))
    assert (numbers(shown), shown.held, shown.counts_behind) == ({"a": 11, "b": 5}, False, 0)


def test_a_lower_row_holds_what_was_served(continuity: Continuity) -> None:
    """While the writer may send again, the last good snapshot is shown as a whole, so that nothing is torn."""
    shown = continuity.show(store({"w": row(8), "v": row(3)}, {"a": 8, "b": 9}))
    assert (numbers(shown), shown.held, shown.counts_behind) == ({"a": 10, "b": 5}, True, 1)
    shown = continuity.show(store({"w": row(12), "v": row(3)}, {"a": 12, "b": 9}))
    assert (numbers(shown), shown.held, shown.counts_behind) == ({"a": 12, "b": 9}, False, 0)


def test_after_the_hold_each_number_is_the_larger_of_served_and_stored(continuity: Continuity, clock: Clock) -> None:
    """The lost part is flat until the store has caught up with it; everything else goes on."""
    behind = store({"w": row(8)}, {"a": 8, "b": 9})
    assert continuity.show(behind).held
    clock.now += 29.9
    assert continuity.show(behind).held
    clock.now += 0.1
    shown = continuity.show(behind)
    assert (numbers(shown), shown.held, shown.counts_behind) == ({"a": 10, "b": 9}, False, 1)
    shown = continuity.show(store({"w": row(9)}, {"a": 9, "b": 20}))
    assert (numbers(shown), shown.counts_behind) == ({"a": 10, "b": 20}, 1)
    shown = continuity.show(store({"w": row(11)}, {"a": 11, "b": 20}))
    assert (numbers(shown), shown.counts_behind) == ({"a": 11, "b": 20}, 0)


def test_a_second_roll_back_starts_a_hold_of_its_own(continuity: Continuity, clock: Clock) -> None:
    """What is shown while numbers are flat is what the next roll-back is measured against."""
    continuity.show(store({"w": row(8)}, {"a": 8, "b": 5}))
    clock.now += 30
    continuity.show(store({"w": row(8)}, {"a": 8, "b": 7}))
    shown = continuity.show(store({"w": row(7)}, {"a": 7, "b": 6}))
    assert (numbers(shown), shown.held) == ({"a": 10, "b": 7}, True)
    clock.now += 30
    shown = continuity.show(store({"w": row(7)}, {"a": 7, "b": 6}))
    assert (numbers(shown), shown.held, shown.counts_behind) == ({"a": 10, "b": 7}, False, 2)


def test_a_missing_row_holds_like_a_lower_one(continuity: Continuity) -> None:
    """The writer's hello was lost, and with it all that it counted."""
    assert continuity.show(store({}, {"a": 0, "b": 0})).held


@pytest.mark.parametrize(("applied", "held"), [(10, False), (9, True)])
def test_a_folded_row_is_judged_by_its_retired_number(continuity: Continuity, applied: int, held: bool) -> None:
    """Silent for a day is no loss; a folded number below the served one is."""
    snapshot = store({}, {"a": 10, "b": 5}, retired={"w": row(applied)})
    assert continuity.known == {"w"}
    assert continuity.show(snapshot).held is held


def test_a_row_that_said_goodbye_may_go(clock: Clock) -> None:
    """It is dropped a quarter of an hour later."""
    continuity = Continuity(30.0, clock)
    continuity.show(store({"w": row(10, goodbye=True)}, {"a": 10}))
    assert not continuity.show(store({}, {"a": 10})).held


def test_what_is_lost_of_a_writer_that_said_goodbye_stays_flat(clock: Clock) -> None:
    """Nobody sends it again: its numbers are kept at once, and nothing old is held."""
    continuity = Continuity(30.0, clock)
    continuity.show(store({"v": row(3), "w": row(10, goodbye=True)}, {"a": 10, "b": 5}))
    shown = continuity.show(store({"v": row(4)}, {"a": 7, "b": 9}))
    assert (numbers(shown), shown.held, shown.counts_behind) == ({"a": 10, "b": 9}, False, 1)


def test_a_removal_from_before_one_that_was_served_is_none(clock: Clock) -> None:
    """A store that went back has an older removal of the same series on record, which takes nothing away."""
    pattern = f'{FIELD} ["a"]'.encode()
    continuity = Continuity(30.0, clock)
    continuity.show(store({"w": row(10)}, {"a": 10}, removed={pattern: b"40"}))
    shown = continuity.show(store({"w": row(8)}, {}, removed={pattern: b"20"}))
    assert (numbers(shown), shown.held) == ({"a": 10}, True)


def test_a_row_that_may_have_been_dropped_unseen_is_not_waited_for(continuity: Continuity) -> None:
    """After a long gap between scrapes nobody can tell; nothing goes down, and nothing old is shown."""
    shown = continuity.show(store({}, {"a": 12, "b": 4}, horizon_us=10))
    assert (numbers(shown), shown.held, shown.counts_behind) == ({"a": 12, "b": 5}, False, 1)


def test_what_a_writer_gave_up_stays_flat_without_a_hold(continuity: Continuity) -> None:
    """Its row is where it was, but the store lacks batches that nobody can send again."""
    shown = continuity.show(store({"w": row(12, given_up=3)}, {"a": 9, "b": 7}))
    assert (numbers(shown), shown.held, shown.counts_behind) == ({"a": 10, "b": 7}, False, 1)


def test_an_empty_store_holds_what_was_served_until_the_namespace_begins_anew(
    continuity: Continuity, clock: Clock
) -> None:
    """No epoch where there was one: a failover to nothing. A new epoch is a decrease that everybody can see."""
    empty = store({}, {}, epoch=None, definitions=(), numbers={})
    assert continuity.show(empty).held
    clock.now += 30
    shown = continuity.show(empty)
    assert (numbers(shown), shown.held, shown.counts_behind) == ({"a": 10, "b": 5}, False, 2)
    assert shown.snapshot.definitions == (StoredDefinition(COUNTER, 1, 1),)
    assert shown.snapshot.epoch == EPOCH
    shown = continuity.show(store({"w": row(1)}, {"a": 1}, epoch=Epoch("F", 2, 1)))
    assert (numbers(shown), shown.held, shown.counts_behind) == ({"a": 1}, False, 0)


def test_the_same_life_that_comes_back_is_measured_against_what_was_served(
    continuity: Continuity, clock: Clock
) -> None:
    """Away for longer than the hold, and back with less: still no decrease."""
    continuity.show(store({}, {}, epoch=None, definitions=(), numbers={}))
    clock.now += 30
    continuity.show(store({}, {}, epoch=None, definitions=(), numbers={}))
    shown = continuity.show(store({"w": row(9)}, {"a": 9, "b": 6}))
    assert (numbers(shown), shown.counts_behind) == ({"a": 10, "b": 6}, 1)


@pytest.mark.parametrize("record", [FIELD, f'{FIELD} ["a"]', f"{FIELD} [null]"])
def test_a_removal_is_served_at_once(continuity: Continuity, record: str) -> None:
    """What somebody removed goes, while rows stand and while an older snapshot is held."""
    removed = {record.encode(): b"40"}
    held = continuity.show(store({"w": row(8)}, {"b": 4}, removed=removed))
    assert held.held
    assert "a" not in numbers(held)
    shown = continuity.show(store({"w": row(11)}, {"b": 6}, removed=removed))
    assert (numbers(shown), shown.counts_behind) == ({"b": 6}, 0)


def test_a_removal_that_was_served_already_excuses_nothing(clock: Clock) -> None:
    """An old record is no word about what is missing now."""
    removed = {f'{FIELD} ["a"]'.encode(): b"40"}
    continuity = Continuity(30.0, clock)
    continuity.show(store({"w": row(10)}, {"a": 10, "b": 5}, removed=removed))
    shown = continuity.show(store({"w": row(10)}, {"b": 5}, removed=removed))
    assert (numbers(shown), shown.counts_behind) == ({"a": 10, "b": 5}, 1)


def test_a_removal_lifts_a_floor(continuity: Continuity, clock: Clock) -> None:
    """A flat number that is removed goes, and comes back from where it is."""
    continuity.show(store({"w": row(8)}, {"a": 8, "b": 4}))
    clock.now += 30
    continuity.show(store({"w": row(8)}, {"a": 8, "b": 4}))
    removed = {f'{FIELD} ["a"]'.encode(): b"60"}
    shown = continuity.show(store({"w": row(9)}, {"a": 1, "b": 4}, removed=removed))
    assert (numbers(shown), shown.counts_behind) == ({"a": 1, "b": 5}, 1)


@pytest.mark.parametrize(("left", "behind"), [({}, 2), ({"a": 1}, 2), ({"a": 1, "b": 0}, 2), ({"a": 10, "b": 4}, 1)])
def test_numbers_that_vanished_without_a_word_do_not_go_down(
    continuity: Continuity, left: dict[str, int], behind: int
) -> None:
    """An evicted key, deleted by hand, or begun anew by the next increment: the rows know nothing of it."""
    shown = continuity.show(store({"w": row(11)}, left))
    assert (numbers(shown), shown.held) == ({"a": 10, "b": 5}, False)
    assert shown.counts_behind == behind


def test_a_sum_that_goes_down_is_no_loss_unless_it_was_lost(clock: Clock) -> None:
    """Observations may be negative; a sum that was rolled back stays flat until the store has caught up."""
    summary = Definition.of("s", "summary", "x", "", (), (), "")

    def seen(total: int, applied: int = 5, count: int = 3) -> Snapshot:
        raw = {b'["sum"]': str(total).encode(), b'["count"]': str(count).encode()}
        definitions = (StoredDefinition(summary, 1, 1),)
        return store({"w": row(applied)}, {}, numbers={summary.field: raw}, definitions=definitions)

    def total(shown: Shown) -> int:
        return int(shown.snapshot.numbers[summary.field][b'["sum"]'])

    continuity = Continuity(30.0, clock)
    continuity.show(seen(9))
    shown = continuity.show(seen(7, count=4))
    assert (total(shown), shown.counts_behind) == (7, 0)
    continuity.show(seen(3, applied=4))
    clock.now += 30
    assert total(continuity.show(seen(3, applied=4))) == 7
    assert total(continuity.show(seen(4, applied=5, count=5))) == 7
    assert total(continuity.show(seen(8, applied=6, count=6))) == 8
    assert total(continuity.show(seen(2, applied=7, count=7))) == 2


def test_a_sum_goes_down_by_no_observation_where_batches_were_given_up(clock: Clock) -> None:
    """Some of it is lost for good, as its writer says; what was observed since explains nothing."""
    summary = Definition.of("s", "summary", "x", "", (), (), "")
    continuity = Continuity(30.0, clock)
    for applied, given_up, total, count in ((5, 0, 9, 3), (6, 1, 7, 4)):
        raw = {b'["sum"]': b"%d" % total, b'["count"]': b"%d" % count}
        snapshot = store(
            {"w": row(applied, given_up)},
            {},
            numbers={summary.field: raw},
            definitions=(StoredDefinition(summary, 1, 1),),
        )
        shown = continuity.show(snapshot)
    assert dict(shown.snapshot.numbers[summary.field]) == {b'["sum"]': b"9", b'["count"]': b"4"}


def test_a_sum_that_goes_down_without_an_observation_is_lost(clock: Clock) -> None:
    """A key that was evicted and began anew with as many observations as were served, of another series or of this."""
    summary = Definition.of("s", "summary", "x", "", ("k",), (), "")

    def seen(a: tuple[int, int], b: tuple[int, int]) -> Snapshot:
        raw = {
            f'["{key}","{part}"]'.encode(): str(number).encode()
            for key, pair in (("a", a), ("b", b))
            for part, number in zip(("count", "sum"), pair, strict=True)
        }
        definitions = (StoredDefinition(summary, 1, 1),)
        return store({"w": row(5)}, {}, numbers={summary.field: raw}, definitions=definitions)

    continuity = Continuity(30.0, clock)
    continuity.show(seen((2, 90), (1, 50)))
    shown = continuity.show(seen((2, 70), (2, 40)))
    sums = {name: int(text) for name, text in shown.snapshot.numbers[summary.field].items() if b"sum" in name}
    assert sums == {b'["a","sum"]': 90, b'["b","sum"]': 40}


def test_a_bucket_that_is_zero_now_and_was_missing_was_not_observed(clock: Clock) -> None:
    """A hash has only buckets that were counted, a packed block all of them."""
    histogram = Definition.of("h_seconds", "histogram", "x", "seconds", (), ("0.1", "+Inf"), "")
    definitions = (StoredDefinition(histogram, 1, 1),)
    continuity = Continuity(30.0, clock)
    for raw in (
        {b'["sum"]': b"9", b'["+Inf"]': b"1"},
        {b'["sum"]': b"5", b'["0.1"]': b"0", b'["+Inf"]': b"1"},
    ):
        shown = continuity.show(store({"w": row(1)}, {}, numbers={histogram.field: raw}, definitions=definitions))
    assert shown.snapshot.numbers[histogram.field][b'["sum"]'] == b"9"


@pytest.mark.parametrize("defined", [True, False])
def test_a_sum_that_vanished_alone_is_kept(clock: Clock, defined: bool) -> None:
    """A histogram that nobody has observed yet is one number, its sum at 0: gone with its key, or its definition."""
    histogram = Definition.of("h_seconds", "histogram", "x", "seconds", (), ("0.1", "+Inf"), "")
    definitions = (StoredDefinition(histogram, 1, 1),)
    continuity = Continuity(30.0, clock)
    continuity.show(store({"w": row(1)}, {}, numbers={histogram.field: {b'["sum"]': b"0"}}, definitions=definitions))
    snapshot = store({"w": row(1)}, {}, numbers={histogram.field: {}}, definitions=definitions)
    shown = continuity.show(snapshot if defined else replace(snapshot, numbers={}, definitions=()))
    assert shown.snapshot.numbers[histogram.field] == {b'["sum"]': b"0"}
    assert (shown.snapshot.definitions, shown.held, shown.counts_behind) == (definitions, False, 1)


def test_a_sum_that_vanished_is_kept_though_its_series_was_observed(clock: Clock) -> None:
    """What is not there did not go down by an observation."""
    summary = Definition.of("s", "summary", "x", "", (), (), "")
    continuity = Continuity(30.0, clock)
    definitions = (StoredDefinition(summary, 1, 1),)
    before = {summary.field: {b'["sum"]': b"9", b'["count"]': b"3"}}
    continuity.show(store({"w": row(5)}, {}, numbers=before, definitions=definitions))
    left = {summary.field: {b'["count"]': b"4"}}
    shown = continuity.show(store({"w": row(6)}, {}, numbers=left, definitions=definitions))
    assert shown.snapshot.numbers[summary.field] == {b'["sum"]': b"9", b'["count"]': b"4"}


def test_a_counter_that_goes_on_counts_from_where_it_did(clock: Clock) -> None:
    """A store that was rolled back gets families and series anew, at a later time that nobody is told."""
    continuity = Continuity(30.0, clock)
    telling = {key: f'{FIELD} ["{key}"]'.encode() for key in "abc"}
    continuity.show(store({"w": row(10)}, {"a": 10, "b": 5}, returned=Returned({telling["a"]: b"7"})))
    later = {telling["a"]: b"40", telling["b"]: b"41", telling["c"]: b"42"}
    registered = (StoredDefinition(COUNTER, 39, 39),)
    shown = continuity.show(
        store({"w": row(11)}, {"a": 10, "b": 6, "c": 1}, returned=Returned(later), definitions=registered)
    ).snapshot
    assert shown.returned.of(FIELD) == {b'["a"]': 7, b'["c"]': 42}
    assert shown.definitions == (StoredDefinition(COUNTER, 1, 39),)


def test_times_that_are_as_they_were_are_not_compared_again(clock: Clock) -> None:
    """A store that was rolled back has other times than those shown for good; a scrape must not pay for that."""
    continuity = Continuity(30.0, clock)
    name = f'{FIELD} ["a"]'.encode()
    continuity.show(store({"w": row(10)}, {"a": 10}, returned=Returned({name: b"7"})))
    later = Returned({name: b"40"})
    first = continuity.show(store({"w": row(11)}, {"a": 11}, returned=later)).snapshot.returned
    second = continuity.show(store({"w": row(12)}, {"a": 12}, returned=later)).snapshot.returned
    assert first.of(FIELD) == {b'["a"]': 7}
    assert second is first


@pytest.mark.parametrize(
    ("record", "first_us", "times"),
    [(f'{FIELD} ["a"]', 1, {"a": 41, "b": 8}), (FIELD, 39, {"a": 41, "b": 42})],
)
def test_what_was_removed_counts_from_its_return(
    clock: Clock, record: str, first_us: int, times: dict[str, int]
) -> None:
    """A removal is the one reason for a later time."""
    continuity = Continuity(30.0, clock)
    telling = {key: f'{FIELD} ["{key}"]'.encode() for key in "ab"}
    before = {telling["a"]: b"7", telling["b"]: b"8"}
    continuity.show(store({"w": row(10)}, {"a": 10, "b": 5}, returned=Returned(before)))
    after = {telling["a"]: b"41", telling["b"]: b"42"}
    registered = (StoredDefinition(COUNTER, 39, 39),)
    shown = continuity.show(
        store(
            {"w": row(11)},
            {"a": 1, "b": 1},
            removed={record.encode(): b"40"},
            returned=Returned(after),
            definitions=registered,
        )
    ).snapshot
    assert shown.returned.of(FIELD) == {f'["{key}"]'.encode(): time for key, time in times.items()}
    assert shown.definitions == (StoredDefinition(COUNTER, first_us, 39),)


GATHERED = {f"{FIELD} [[]]".encode(): b"60000000"}


def came(**times: int) -> Returned:
    """When series came, by label value."""
    return Returned({f'{FIELD} ["{key}"]'.encode(): str(time).encode() for key, time in times.items()})


def test_of_gathered_removals_that_goes_which_the_store_lacks_or_that_came_anew(continuity: Continuity) -> None:
    """Nobody can name them any more: what is gone went with them, what is there and merely lower was lost."""
    continuity.show(store({"w": row(11)}, {"a": 10, "b": 5, "c": 7, "d": 8}, taken_us=50_000_000))
    anew = came(b=50_000_001, d=39_000_000)
    now = store({"w": row(12)}, {"b": 1, "c": 6, "d": 2}, taken_us=70_000_000, removed=GATHERED, came=anew)
    shown = continuity.show(now)
    assert (numbers(shown), shown.counts_behind) == ({"b": 1, "c": 7, "d": 8}, 2)


def test_who_read_after_gathered_removals_is_not_concerned(continuity: Continuity) -> None:
    """It knew of them when it read; what is missing since was lost."""
    continuity.show(store({"w": row(11)}, {"a": 10, "b": 5}, taken_us=75_000_000))
    shown = continuity.show(store({"w": row(12)}, {"b": 5}, taken_us=76_000_000, removed=GATHERED))
    assert (numbers(shown), shown.counts_behind) == ({"a": 10, "b": 5}, 1)


def test_gathered_removals_of_a_histogram_take_whole_series(continuity: Continuity) -> None:
    """A bucket that a series lacks was lost, if the series is there; its sum tells when it came."""
    layout = Definition.of("h", "histogram", "x", "", ("k",), ("1.0", "+Inf"), "")
    definitions = (StoredDefinition(layout, 1, 1),)
    three = {f'["{key}","{part}"]'.encode(): b"4" for key in "abc" for part in ("1.0", "sum")}
    continuity.show(store({"w": row(11)}, {}, definitions=definitions, numbers={layout.field: three}))
    left = {b'["b","sum"]': b"4", b'["c","sum"]': b"3", b'["c","1.0"]': b"1"}
    notes = {f"{layout.field} [[]]".encode(): b"60000000"}
    anew = Returned({f'{layout.field} ["c","sum"]'.encode(): b"60000000"})
    shown = continuity.show(
        store({"w": row(12)}, {}, definitions=definitions, numbers={layout.field: left}, removed=notes, came=anew)
    )
    assert shown.snapshot.numbers[layout.field] == {**left, b'["b","1.0"]': b"4"}


@pytest.mark.parametrize(
    ("rows", "more", "cause"),
    [
        ({"w": row(9)}, {}, Cause(Verdict.BEHIND, Reason.ROW_LOWER, "E", "w", row(10), row(9), False, 1)),
        ({}, {}, Cause(Verdict.BEHIND, Reason.ROW_MISSING, "E", "w", row(10), None, False, 1)),
        (
            {}, {"retired": {"w": row(8)}},
            Cause(Verdict.BEHIND, Reason.ROW_LOWER, "E", "w", row(10), row(8), True, 1),
        ),
        ({}, {"epoch": None}, Cause(Verdict.BEHIND, Reason.EPOCH_MISSING, "E")),
        ({"w": row(11, 2)}, {}, Cause(Verdict.LOSS, Reason.GIVEN_UP, "E", "w", row(10), row(11, 2), False, 1)),
        ({}, {"horizon_us": 10}, Cause(Verdict.LOSS, Reason.ROW_GONE, "E", "w", row(10), None, False, 1)),
        ({"w": row(10)}, {}, Cause(Verdict.AHEAD, Reason.NUMBERS_LOWER, "E")),
    ],
)  # fmt: skip
def test_what_is_shown_has_its_cause(
    continuity: Continuity, rows: dict[str, Row], more: dict[str, Any], cause: Cause
) -> None:
    """Which writer, the row that was served and the one that was found; or what else is not as it was."""
    shown = continuity.show(store(rows, {"a": 9, "b": 5}, **more))
    assert (shown.cause, shown.held) == (cause, cause.verdict is Verdict.BEHIND)
    assert continuity.show(store({"w": row(12, 2)}, {"a": 12, "b": 5})).cause is None


@pytest.mark.parametrize("place", ["rows", "retired"])
def test_a_batch_of_another_copy_in_the_place_of_the_one_served_is_a_loss(place: str) -> None:
    """Two copies of a process share an id; the store loses the batch of one, and has that of the other."""
    continuity = Continuity()
    first, other = row(1)._replace(token="one"), row(1)._replace(token="two")
    layout = Definition.of("h", "histogram", "x", "", (), ("1", "+Inf"), "")
    more: dict[str, Any] = {"definitions": (StoredDefinition(layout, 1, 1),)}
    served = {b'["sum"]': b"20", b'["1"]': b"1"}
    continuity.show(store({"w": first}, {}, numbers={layout.field: served}, **more))
    found = {b'["sum"]': b"15", b'["1"]': b"2"}
    here = {"rows": {}, "numbers": {layout.field: found}, **more, place: {"w": other}}
    shown = continuity.show(store(here.pop("rows"), {}, **here))
    assert shown.snapshot.numbers[layout.field] == {b'["sum"]': b"20", b'["1"]': b"2"}
    assert shown.cause == Cause(
        Verdict.LOSS, Reason.ROW_FOREIGN, "E", "w", first, other, folded=place == "retired", writers=1
    )


@pytest.mark.parametrize(("before", "now"), [("", "two"), ("one", ""), ("one", "one")])
def test_a_row_that_lacks_a_token_is_known_by_its_number(before: str, now: str) -> None:
    """A version without tokens took over, or was taken over; or nothing happened."""
    continuity = Continuity()
    continuity.show(store({"w": row(1)._replace(token=before)}, {"a": 1}))
    assert continuity.show(store({"w": row(1)._replace(token=now)}, {"a": 1})).cause is None


def test_of_many_causes_the_worst_is_told_with_the_number_of_writers(continuity: Continuity) -> None:
    """A loss that no waiting mends does not hide that others may send again."""
    three = {name: row(10) for name in "uvw"}
    continuity.show(store(three, {"a": 10, "b": 5}))
    shown = continuity.show(store({"u": row(10, 1), "v": row(3)}, {"a": 1, "b": 5}))
    assert shown.cause is not None
    assert (shown.cause.reason, shown.cause.writer, shown.cause.writers) == (Reason.ROW_LOWER, "v", 2)


def test_fractions_and_gauges_in_a_roll_back(clock: Clock) -> None:
    """A sum of fractions is held and kept like a count; a gauge is held with the rest, and then is the stored one."""
    continuity = Continuity(30.0, clock)
    gauge = {b'w ["g","x",[]]': b"1 7.5"}
    lower = {b'w ["g","x",[]]': b"1 3.25"}

    def snapshot(applied: int, a: str, b: str, gauges: dict[bytes, bytes]) -> Snapshot:
        raw = {b'["a"]': a.encode(), b'["b"]': b.encode()}
        return store({"w": row(applied)}, {}, numbers={FIELD: raw}, gauges=gauges)

    def seen(shown: Shown) -> tuple[list[bytes], dict[bytes, bytes], int]:
        return list(shown.snapshot.numbers[FIELD].values()), dict(shown.snapshot.gauges), shown.counts_behind

    assert seen(continuity.show(snapshot(10, "10.5", "3", gauge))) == ([b"10.5", b"3"], gauge, 0)
    assert seen(continuity.show(snapshot(9, "10.25", "3", lower))) == ([b"10.5", b"3"], gauge, 1)
    clock.now += 30
    assert seen(continuity.show(snapshot(9, "10.25", "3.5", lower))) == ([b"10.5", b"3.5"], lower, 1)
    assert seen(continuity.show(snapshot(11, "10.75", "3.5", lower))) == ([b"10.75", b"3.5"], lower, 0)


@pytest.mark.parametrize("came", [b'["0"]', b'["c"]'])
@pytest.mark.parametrize("lost", [b'["a"]', b'["b"]'])
def test_a_number_that_went_is_missed_though_another_came(clock: Clock, came: bytes, lost: bytes) -> None:
    """Where the fields differ, each number is compared with itself, wherever it stands now."""
    continuity = Continuity(30.0, clock)
    before = Hash([b'["a"]', b'["b"]'], [b"10.5", b"3"])
    first = store({"w": row(10)}, {}, numbers={FIELD: before})
    kept = {field: text for field, text in before.items() if field != lost}
    for numbers in ({came: b"1", **kept}, {**kept, came: b"1"}):
        continuity = Continuity(30.0, clock)
        continuity.show(first)
        now = Hash.flat([part for pair in numbers.items() for part in pair], before)
        shown = continuity.show(store({"w": row(11)}, {}, numbers={FIELD: now}))
        assert shown.snapshot.numbers[FIELD] == {**numbers, lost: before[lost]}
        assert shown.counts_behind == 1
