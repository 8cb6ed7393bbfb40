"""What today and this month cost: only what is known, and since when."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from fleetmeter.watching.periods import Periods, Spent, day_start, month_start
from support.sightings import sample, sighting

NOON = datetime(2026, 11, 18, 12, 0).astimezone()
COST = sample("openai_total_cost_usd_total", model="m")


def look(periods: Periods, at: datetime, dollars: float, *, birth: datetime, epoch: str = "epoch") -> dict[str, Spent]:
    """Show it a fleet that has spent so much since its birth."""
    periods.add(sighting(at.timestamp(), {COST: dollars}, birth=birth.timestamp(), epoch=epoch))
    return periods.spent


def test_counting_that_began_today_is_all_of_today() -> None:
    """The total is today's and this month's cost, since counting began."""
    birth = NOON - timedelta(hours=3)
    found = look(Periods(), NOON, 1.5, birth=birth)
    assert found == dict.fromkeys(("today", "month"), Spent(1_500_000_000, birth.timestamp(), whole=True))


def test_an_older_total_is_known_since_the_first_look_only() -> None:
    """What was spent before is not guessed: it counts from the first look on, and is not whole."""
    periods, birth = Periods(), NOON - timedelta(days=90)
    assert look(periods, NOON, 100.0, birth=birth)["today"] == Spent(0, NOON.timestamp(), whole=False)
    found = look(periods, NOON + timedelta(seconds=5), 100.25, birth=birth)
    assert found == dict.fromkeys(("today", "month"), Spent(250_000_000, NOON.timestamp(), whole=False))


def test_counting_that_began_this_month_is_all_of_the_month_and_not_of_today() -> None:
    """Each period has its own answer."""
    birth = NOON - timedelta(days=10)
    found = look(Periods(), NOON, 3.0, birth=birth)
    assert found["month"] == Spent(3_000_000_000, birth.timestamp(), whole=True)
    assert found["today"] == Spent(0, NOON.timestamp(), whole=False)


def test_a_watch_that_has_seen_midnight_knows_the_day() -> None:
    """The last total before midnight is where the new day begins; the month goes on."""
    periods, birth = Periods(), NOON - timedelta(days=90)
    late = NOON.replace(hour=23, minute=59, second=58)
    early = late + timedelta(seconds=4)
    look(periods, late, 100.0, birth=birth)
    found = look(periods, early, 100.5, birth=birth)
    assert found["today"] == Spent(500_000_000, day_start(early).timestamp(), whole=True)
    assert found["month"] == Spent(500_000_000, late.timestamp(), whole=False)


def test_a_watch_that_missed_midnight_does_not_know_the_day() -> None:
    """What was spent before midnight while nobody looked is not the new day's: it counts from the next look on."""
    periods, birth = Periods(), NOON - timedelta(days=90)
    late, early = NOON.replace(hour=20), NOON.replace(hour=20) + timedelta(hours=6)
    look(periods, late, 100.0, birth=birth)
    assert look(periods, early, 140.0, birth=birth)["today"] == Spent(0, early.timestamp(), whole=False)
    found = look(periods, early + timedelta(seconds=2), 140.5, birth=birth)
    assert found["today"] == Spent(500_000_000, early.timestamp(), whole=False)
    assert found["month"] == Spent(40_500_000_000, late.timestamp(), whole=False)


@pytest.mark.parametrize("days", [0, 90])
def test_a_model_that_is_removed_has_cost_what_it_has_cost(days: int) -> None:
    """Neither is its sum taken from what others have cost, nor is what it cost today forgotten."""
    periods, birth = Periods(), NOON - timedelta(days=days)
    old = sample("openai_total_cost_usd_total", model="old")
    spent = []
    for seconds, sums in enumerate(({COST: 1.0, old: 500.0}, {COST: 2.0, old: 500.5}, {COST: 3.0}, {COST: 3.5})):
        periods.add(sighting(NOON.timestamp() + seconds, sums, birth=birth.timestamp()))
        spent.append(periods.spent["today"].nanodollars)
    first = 501_000_000_000 if days == 0 else 0
    assert spent == [first + grown for grown in (0, 1_500_000_000, 2_500_000_000, 3_000_000_000)]


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clocks change on 25 October 2026."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("berlin")
def test_a_day_when_the_clocks_change_has_one_beginning() -> None:
    """It goes on when the clocks change, and so does its month; each begins at its own midnight."""
    night = datetime.fromisoformat("2026-10-25T00:30:00+02:00")
    noon = datetime.fromisoformat("2026-10-25T12:00:00+01:00")
    assert day_start(noon).isoformat() == "2026-10-25T00:00:00+02:00"
    assert month_start(noon).isoformat() == "2026-10-01T00:00:00+02:00"
    periods, birth = Periods(), night - timedelta(days=90)
    look(periods, night - timedelta(minutes=30, seconds=1), 100.0, birth=birth)
    look(periods, night, 104.0, birth=birth)
    found = look(periods, noon, 105.0, birth=birth)
    assert found["today"] == Spent(5_000_000_000, day_start(noon).timestamp(), whole=True)
    assert found["month"].nanodollars == 5_000_000_000


def test_a_reset_begins_anew() -> None:
    """What was counted before a reset is gone from the store, and is not kept here either."""
    periods, birth = Periods(), NOON - timedelta(days=90)
    look(periods, NOON, 100.0, birth=birth)
    after = NOON + timedelta(minutes=1)
    found = look(periods, after + timedelta(seconds=5), 0.25, birth=after, epoch="another")
    assert found["today"] == Spent(250_000_000, after.timestamp(), whole=True)


def test_without_money_nothing_is_claimed() -> None:
    """No cost recorded, no figure."""
    periods = Periods()
    periods.add(sighting(NOON.timestamp(), {sample("http_requests_total", status="200"): 5.0}))
    assert periods.spent == {}


def test_where_periods_begin() -> None:
    """Midnight, and midnight of the first."""
    assert day_start(NOON).isoformat()[:19] == "2026-11-18T00:00:00"
    assert month_start(NOON).isoformat()[:19] == "2026-11-01T00:00:00"
