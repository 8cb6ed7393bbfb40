"""When an exporter that has just started answers."""

from collections.abc import Callable

import pytest

from fleetmeter.errors import StoreUnreachable
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.schema.rows import Epoch, Row
from fleetmeter_exporter.start import Start


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
