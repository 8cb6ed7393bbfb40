"""When an exporter that has just started answers."""

import pytest

from fleetmeter.errors import StoreUnreachable
from fleetmeter_exporter.start import Start


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 7.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def test_counts_are_not_shown_before_replicas_had_time_to_send_them_again() -> None:
    """The exporter before this one may have served what the store has lost since."""
    clock = Clock()
    start = Start(lambda: True, 5.0, clock)
    assert start.seconds_left() == 5.0
    clock.now += 4.5
    assert start.seconds_left() == 0.5
    clock.now += 0.5
    assert start.seconds_left() == 0


def test_a_namespace_that_nobody_wrote_to_has_nothing_to_wait_for() -> None:
    """And what is written from then on cannot have been served by anybody else."""
    lives = iter((False, True))
    start = Start(lambda: next(lives), 5.0, Clock())
    assert [start.seconds_left(), start.seconds_left()] == [0, 0]


def test_a_store_that_was_away_gives_replicas_their_time_once_it_is_back() -> None:
    """While it is away nobody can send again: the seconds count from the last time that it could not be read."""
    away = True

    def holds_counts() -> bool:
        if away:
            raise StoreUnreachable("unreachable", "nobody there")
        return True

    clock = Clock()
    start = Start(holds_counts, 5.0, clock)
    for _ in range(4):
        with pytest.raises(StoreUnreachable):
            start.seconds_left()
        clock.now += 3
    away = False
    assert start.seconds_left() == 2.0
    clock.now += 2
    assert start.seconds_left() == 0
    away = True
    assert start.seconds_left() == 0, "what it has served it knows from then on"
