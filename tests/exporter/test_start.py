"""When an exporter that has just started answers."""

from collections.abc import Callable

import pytest

from fleetmeter.errors import StoreUnreachable
from fleetmeter.reader.life import Life
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.schema.rows import Epoch, Row
from fleetmeter_exporter.start import Start, went_nowhere


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 7.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def holding(applied: int | None) -> Snapshot:
    """A namespace whose one writer is so far; None for one that nobody has written to."""
    rows = {} if applied is None else {"w": Row(applied, 0, 1, said_goodbye=False)}
    return Snapshot(1, None if applied is None else Epoch("e", 1, 1), rows, (), {}, {}, {}, None)


def finds(*found: Snapshot | None) -> Callable[[], Snapshot]:
    """A store that holds this, one after the other; None while it is away."""
    left = list(found)

    def read() -> Snapshot:
        snapshot = left.pop(0)
        if snapshot is None:
            raise StoreUnreachable("unreachable", "nobody there")
        return snapshot

    return read


def test_counts_are_not_shown_before_replicas_had_time_to_send_them_again() -> None:
    """The exporter before this one may have served what the store has lost since."""
    clock = Clock()
    start = Start(finds(holding(1), holding(1), holding(2)), 5.0, clock)
    assert start.seconds_left() == 5.0
    clock.now += 4.5
    assert start.seconds_left() == 0.5
    clock.now += 0.5
    assert start.seconds_left() == 0
    assert start.seconds_left() == 0, "nobody asks the store any more"


def test_a_namespace_that_nobody_wrote_to_has_nothing_to_wait_for() -> None:
    """And what is written from then on cannot have been served by anybody else."""
    start = Start(finds(holding(None)), 5.0, Clock())
    assert [start.seconds_left(), start.seconds_left()] == [0, 0]


def test_a_store_that_was_away_gives_replicas_their_time_once_it_is_back() -> None:
    """While it is away nobody can send again, however long that takes."""
    clock = Clock()
    start = Start(finds(None, None, holding(1), None, holding(1)), 5.0, clock)
    for _ in range(2):
        with pytest.raises(StoreUnreachable):
            start.seconds_left()
        clock.now += 3
    assert start.seconds_left() == 2.0
    clock.now += 1
    with pytest.raises(StoreUnreachable):
        start.seconds_left()
    clock.now += 1
    assert start.seconds_left() == 0, "one call that fails later is no absence"


@pytest.mark.parametrize("back", [0, None])
def test_a_store_that_goes_back_meanwhile_gives_replicas_their_time_anew(back: int | None) -> None:
    """What was served may be gone since it was first looked at, be it all of it."""
    clock = Clock()
    start = Start(finds(holding(1), holding(back), holding(1)), 5.0, clock)
    assert start.seconds_left() == 5.0
    clock.now += 4
    assert start.seconds_left() == 5.0
    clock.now += 5
    assert start.seconds_left() == 0


NOW = 100_000_000
ENDED, ALIVE, SILENT = (60_000_000, True), (99_000_000, False), (60_000_000, False)


def seen(birth_us: int, *rows: tuple[int, bool], swept_us: int = 0) -> Snapshot:
    """A namespace of some age at a time of 100 s, with rows of these heartbeats, which said goodbye or not."""
    writers = {str(at): Row(1, 0, heartbeat, goodbye) for at, (heartbeat, goodbye) in enumerate(rows)}
    return Snapshot(NOW, Epoch("e", birth_us, 1), writers, (), {}, {}, {}, None, swept_us=swept_us)


@pytest.mark.parametrize(
    ("snapshot", "started_us", "known"),
    [
        (seen(50_000_000, ENDED), 40_000_000, True),  # the namespace began in this life of the store
        (seen(1, ENDED), 40_000_000, True),  # somebody said goodbye to this store 40 s ago
        (seen(1, ENDED), 60_000_000, False),  # and to an earlier life of it
        (seen(1, ALIVE), 40_000_000, False),  # it has answered for a second at least: others had no time to notice
        (seen(1, ALIVE, ENDED), 40_000_000, True),
        (seen(1, ALIVE, swept_us=95_000_000), 40_000_000, True),
        (seen(1, ALIVE, swept_us=95_000_001), 40_000_000, False),
        (seen(50_000_000, SILENT), 40_000_000, False),  # killed, or data of long ago that somebody imported
        (seen(50_000_000), 40_000_000, True),
    ],
)
def test_a_store_that_cannot_have_gone_back_has_lost_nothing(
    snapshot: Snapshot, started_us: int, *, known: bool
) -> None:
    """Its namespace is younger than its process, or it has answered since for longer than a heartbeat."""
    assert went_nowhere(snapshot, Life(started_us), 5.0) is known
    start = Start(finds(snapshot, snapshot), 5.0, Clock(), lambda: Life(started_us))
    assert start.seconds_left() == (0 if known else 5.0)


def test_a_store_that_does_not_tell_is_asked_once() -> None:
    """A user who may not ask for INFO waits for the whole time, and leaves one refusal in the store's log."""
    asked = []

    def refused() -> None:
        asked.append(1)

    start = Start(finds(*[seen(50_000_000, ENDED)] * 3), 5.0, Clock(), refused)
    assert [start.seconds_left() for _ in range(3)] == [5.0] * 3
    assert len(asked) == 1


def test_who_has_seen_a_store_go_back_does_not_believe_its_uptime() -> None:
    """Older data was imported into a store that runs: the seconds are waited for."""
    stores = finds(seen(1, ALIVE), seen(1), *[seen(50_000_000, ENDED)] * 2)
    clock = Clock()
    start = Start(stores, 5.0, clock, lambda: Life(99_500_000))
    assert start.seconds_left() == 5.0
    assert start.seconds_left() == 5.0
    clock.now += 4
    assert start.seconds_left() == 1.0
