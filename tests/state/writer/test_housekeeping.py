"""Putting away what ended writers left: rows, retired numbers, gauges, records; judged by the store's clock."""

from collections.abc import Iterator
from typing import Any

import pytest

from fleetmeter.schema.definition import Definition
from fleetmeter.schema.keys import CLOCK_FIELD, EPOCH_FIELD, HORIZON_FIELD, SWEPT_FIELD
from fleetmeter.schema.packing import FRACTION
from fleetmeter.writer import housekeeping
from fleetmeter.writer.housekeeping import (
    EVERY,
    FAREWELL,
    GOODBYE_GRACE,
    LIVES,
    REMOVED_LIFE,
    RETIRED_LIFE,
    SILENCE,
    Housekeeper,
)
from fleetmeter.writer.messages import Apply, Fold, Hello
from fleetmeter.writer.store import Store
from support.fleet import Replica, value
from support.packed import decoded
from support.store import StoreAddress

MODES = ("sum", "min", "max", "mostrecent", "all", "livesum")


class House:
    """A namespace whose rows have any age."""

    def __init__(self, address: StoreAddress) -> None:
        self.address = address
        self.keys = address.keys
        self.client: Any = address.client()
        self.store = Store(address.url, address.keys)
        self.client.hset(self.keys.writers, EPOCH_FIELD, f"E {self.now} 1")

    @property
    def now(self) -> int:
        """The store's time, µs."""
        seconds, micros = self.client.time()
        return int(seconds * 10**6 + micros)

    def writer(self, name: str, age: float, state: str = "alive", applied: int = 7, token: str = "") -> int:
        """A row that is so many seconds old; its heartbeat."""
        heartbeat = self.now - int(age * 1e6)
        self.client.hset(self.keys.writers, name, f"{applied} 1 {heartbeat} {state} {token}".rstrip())
        self.client.hset(self.keys.writer(name), mapping={"replica": name, "pid": "1"})
        return heartbeat

    def gauge(self, writer: str, mode: str, number: float, set_us: int = 5, name: str = "") -> str:
        """One writer's value of the gauge of a mode; its series."""
        definition = Definition.of(name or f"h_{mode}", "gauge", "x", "", (), (), mode)
        self.client.hset(self.keys.families, definition.field, f"1 1 {definition.to_json()}")
        series = f'["{definition.name}","{definition.layout}",[]]'
        self.client.hset(self.keys.gauges, f"{writer} {series}", f"{set_us} {number}")
        return series

    def sweep(self) -> None:
        """Put away what is due."""
        Housekeeper(self.store).sweep("E", self.now)

    def rows(self) -> set[str]:
        """The writers that have a row."""
        return {name.decode() for name in self.client.hkeys(self.keys.writers) if not name.startswith(b"@")}

    def hash(self, key: str) -> dict[str, str]:
        """A whole hash, as text."""
        return {name.decode(): text.decode() for name, text in self.client.hgetall(key).items()}


@pytest.fixture
def house(store: StoreAddress) -> Iterator[House]:
    """An empty namespace of epoch E."""
    house = House(store)
    yield house
    house.store.close()
    house.client.close()


def test_a_number_that_said_goodbye_is_dropped_after_its_grace(house: House) -> None:
    """No late copy of a call can come any more by then; nothing of it stays but the horizon."""
    heartbeat = house.writer("gone", GOODBYE_GRACE + 5, "goodbye")
    house.writer("going", FAREWELL - 30, "goodbye")
    house.sweep()
    assert house.rows() == {"going"}
    assert house.hash(house.keys.retired) == {HORIZON_FIELD: str(heartbeat)}
    assert not house.client.exists(house.keys.writer("gone"))
    assert house.client.exists(house.keys.writer("going"))


def test_a_row_that_said_goodbye_leaves_the_scrape_after_a_minute(house: House) -> None:
    """Its number is kept until the grace is over, and the horizon stays: it would tell living writers of a drop."""
    house.writer("gone", FAREWELL + 5, "goodbye")
    for mode in ("livesum", "sum"):
        series = house.gauge("gone", mode, 3)
    house.sweep()
    assert house.rows() == set()
    assert house.hash(house.keys.retired).keys() == {"gone"}
    assert not house.client.exists(house.keys.writer("gone"))
    assert house.hash(house.keys.gauges) == {f"@folded {series}": "5 3"}
    assert house.store.apply(Apply("E", "gone", 6, 7, 1)).status == "already"
    assert house.rows() == set()

    applied, given_up, heartbeat, folded = house.hash(house.keys.retired)["gone"].split()
    house.client.hset(
        house.keys.retired, "gone", f"{applied} {given_up} {heartbeat} {int(folded) - int(GOODBYE_GRACE * 1e6)}"
    )
    house.sweep()
    assert house.hash(house.keys.retired) == {HORIZON_FIELD: heartbeat}


def test_a_series_of_one_process_is_shown_until_the_grace_is_over(house: House) -> None:
    """A gauge of the mode `all` keeps the row of its writer, whose name it has as a label."""
    house.writer("gone", GOODBYE_GRACE - 60, "goodbye")
    house.gauge("gone", "livesum", 3)
    house.gauge("gone", "all", 3)
    house.gauge("gone", "sum", 3)
    house.sweep()
    assert house.rows() == {"gone"}
    assert value(house.address, "h_all", replica="gone:1") == 3
    house.writer("gone", GOODBYE_GRACE + 5, "goodbye")
    house.sweep()
    assert house.rows() == set()


def test_processes_that_live_for_a_moment_put_each_other_away(store: StoreAddress) -> None:
    """Nobody lives for long there: whoever says goodbye sweeps, if nobody has for a minute."""
    client, keys = store.client(), store.keys
    for number in range(3):
        replica = Replica(store)
        replica.counter("h_count").inc(1)
        assert replica.flusher.flush(5.0, goodbye=True)
        replica.close()
        seconds, micros = client.time()
        past = seconds * 10**6 + micros - int((FAREWELL + 5) * 1e6)
        rows = {raw: text.split() for raw, text in client.hgetall(keys.writers).items() if not raw.startswith(b"@")}
        assert len(rows) == 1, f"after {number + 1} processes"
        for raw, (applied, given_up, _, state, *_token) in rows.items():
            client.hset(keys.writers, raw, b"%s %s %d %s" % (applied, given_up, past, state))
        client.hset(keys.writers, SWEPT_FIELD, past)
    assert value(store, "h_count_total") == 3
    client.close()


def test_a_row_that_was_silent_for_a_day_is_folded(house: House) -> None:
    """Its number is kept, for the case that it wakes up; silent for less it stays as it is."""
    heartbeat = house.writer("silent", SILENCE + 5, token="t7")
    before_tokens = house.writer("older", SILENCE + 5)
    house.writer("quiet", SILENCE - 60)
    house.sweep()
    assert house.rows() == {"quiet"}
    folded = {name: text.split(" ") for name, text in house.hash(house.keys.retired).items()}
    assert {name: (*words[:3], *words[4:]) for name, words in folded.items()} == {
        "silent": ("7", "1", str(heartbeat), "t7"), "older": ("7", "1", str(before_tokens)),
    }  # fmt: skip


def test_a_folded_writer_that_wakes_up_is_known(house: House) -> None:
    """Apply and hello find its number and its token, so that nothing of it counts twice."""
    house.writer("a", SILENCE + 5, token="ta")
    house.writer("b", SILENCE + 5, token="tb")
    house.sweep()
    assert house.rows() == set()
    assert house.store.apply(Apply("E", "a", 7, 8, 1, prev_token="foreign", token="t8")).token == "ta"
    assert house.store.apply(Apply("E", "a", 7, 8, 1, prev_token="ta", token="t8")).status == "applied"
    found = house.store.hello(Hello("b", "X"), {})
    assert (found.row, found.given_up, found.token) == (7, 1, "tb")
    assert house.rows() == {"a", "b"}
    assert house.hash(house.keys.retired).keys() == {EPOCH_FIELD, HORIZON_FIELD, CLOCK_FIELD}


@pytest.mark.parametrize("tail", ["", " t7"])
def test_a_retired_number_is_kept_for_ninety_days(house: House, tail: str) -> None:
    """Then it goes, and the horizon tells a writer that comes back even later that its row was not lost.

    The days run from the folding, and the horizon is not the row's own heartbeat: a store that was restored from an old
    state finds all rows silent for long, and may have answered the writers later than those tell.
    """
    old, young = (house.now - int(age * 1e6) for age in (RETIRED_LIFE + 5, RETIRED_LIFE - 60))
    house.client.hset(house.keys.retired, mapping={"old": f"7 0 5 {old}{tail}", "young": f"7 0 5 {young}{tail}"})
    house.sweep()
    retired = house.hash(house.keys.retired)
    horizon = int(retired.pop(HORIZON_FIELD))
    assert retired == {"young": f"7 0 5 {young}{tail}"}
    assert abs(horizon - (house.now - int(SILENCE * 1e6))) < 60 * 10**6
    assert house.store.apply(Apply("E", "old", 7, 8, 0)).status == "unknown"
    assert house.store.hello(Hello("old", "X", horizon, ("E",)), {}).status == "dropped"


def test_a_removal_is_on_record_for_a_day(house: House) -> None:
    """Long enough for an exporter that served what is gone."""
    old, young = (house.now - int(age * 1e6) for age in (REMOVED_LIFE + 5, REMOVED_LIFE - 60))
    house.client.hset(house.keys.removed, mapping={"c:1": str(old), "d:1": str(young)})
    house.sweep()
    assert house.hash(house.keys.removed) == {"d:1": str(young)}


def test_gauges_of_ended_writers_join_one_remainder(house: House) -> None:
    """Sum, min, max and the newest value of a fleet know its ended members; those of every process go with it."""
    for writer, number, set_us in (("w1", 3, 50), ("w2", 5, 40), ("w3", 4, 45)):
        house.writer(writer, SILENCE + 5)
        for mode in MODES:
            house.gauge(writer, mode, number, set_us)
    house.writer("here", 1)
    for mode in MODES:
        house.gauge("here", mode, 4, 48)
    house.sweep()
    assert house.rows() == {"here"}
    shown = {mode: value(house.address, f"h_{mode}") for mode in MODES if mode != "all"}
    assert shown == {"sum": 16, "min": 3, "max": 5, "mostrecent": 3, "livesum": 4}
    assert value(house.address, "h_all", replica="here:1") == 4
    assert len(house.hash(house.keys.gauges)) == len(MODES) + 4


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "x"])
def test_a_value_that_is_no_ordinary_number_folds_too(house: House, number: str) -> None:
    """Nothing that a gauge may hold stops a sweep."""
    for writer in ("w1", "w2"):
        house.writer(writer, SILENCE + 5)
        series = house.gauge(writer, "sum", 1)
        house.client.hset(house.keys.gauges, f"{writer} {series}", f"5 {number}")
    house.sweep()
    assert house.rows() == set()
    assert list(house.hash(house.keys.gauges)) == [f"@folded {series}"]


def test_gauges_without_a_row_are_put_away_too(house: House) -> None:
    """A store that went back may have kept a value and lost its writer."""
    series = house.gauge("nobody", "sum", 3)
    house.sweep()
    assert house.hash(house.keys.gauges) == {f"@folded {series}": "5 3"}


def test_a_late_copy_of_a_sweep_changes_nothing(house: House) -> None:
    """Whether a writer goes is judged when the call arrives: one that woke up meanwhile stays, with its gauges."""
    house.writer("woke", 1)
    house.writer("left", GOODBYE_GRACE + 5, "goodbye")
    series = house.gauge("woke", "sum", 3)
    late = Fold("E", LIVES, writers=(("woke", ((series, "sum"),)), ("left", ())), retired=("woke",), removed=("c:1",))
    house.store.fold(late)
    before = house.hash(house.keys.gauges), house.rows()
    house.store.fold(late)
    assert (house.hash(house.keys.gauges), house.rows()) == before == ({f"woke {series}": "5 3"}, {"woke"})


def test_another_epoch_is_not_swept(house: House) -> None:
    """A call from a former life of the namespace touches nothing."""
    house.writer("silent", SILENCE + 5)
    house.store.fold(Fold("D", LIVES, writers=(("silent", ()),)))
    assert house.rows() == {"silent"}
    assert SWEPT_FIELD not in house.hash(house.keys.writers)


def test_one_replica_of_many_sweeps(house: House) -> None:
    """The others find that it is done; a sweep comes again when its time has passed."""
    now = 1000.0
    keepers = [Housekeeper(house.store, lambda: now) for _ in range(5)]
    for keeper in keepers:
        keeper.look("E", house.now)
    assert SWEPT_FIELD not in house.hash(house.keys.writers)  # not at once
    swept = set()
    for _ in range(2):
        now += 2 * EVERY
        for keeper in keepers:
            keeper.look("E", house.now)
        swept.add(house.hash(house.keys.writers)[SWEPT_FIELD])
    assert len(swept) == 1
    past = house.now - int((EVERY + 1) * 1e6)
    house.client.hset(house.keys.writers, SWEPT_FIELD, str(past))
    now += 2 * EVERY
    for keeper in keepers:
        keeper.look("E", house.now)
    assert int(house.hash(house.keys.writers)[SWEPT_FIELD]) > past


def test_many_writers_go_in_several_calls(house: House) -> None:
    """Functions that live for a moment leave thousands of rows; no single call holds the store for long."""
    pipeline = house.client.pipeline()
    old = house.now - int((GOODBYE_GRACE + 5) * 1e6)
    for number in range(1000):
        pipeline.hset(house.keys.writers, f"f{number}", f"1 0 {old} goodbye")
    pipeline.execute()
    house.sweep()
    assert house.rows() == set()


@pytest.mark.parametrize("raw", [b"what", b"\xff"])
def test_a_row_that_cannot_be_read_is_left_for_the_scrape_to_tell(house: House, raw: bytes) -> None:
    """A sweep never stops at one."""
    house.client.hset(house.keys.writers, b"odd", raw)
    house.writer("silent", SILENCE + 5)
    house.sweep()
    assert house.rows() == {"odd"}


def test_a_sweep_that_fails_costs_no_flush(store: StoreAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was recorded is handed over, and the trouble is told."""
    monkeypatch.setattr(housekeeping, "EVERY", 0.0)
    client = store.client()
    client.set(store.keys.removed, "text")
    replica = Replica(store)
    counter = replica.counter("h_count")
    counter.inc(3)
    assert replica.flush()
    assert decoded(client, store.keys, counter.definition) == {"[]": 3 * FRACTION}
    assert (replica.errors("refused") or 0) >= 1
    client.close()
    replica.close()
