"""The hour in memory: what it adds up, where it has gaps, and how much it may hold."""

from collections.abc import Iterable

import pytest

from fleetmeter.errors import StateError
from fleetmeter.watching.history import KEPT, STEP, History, lines
from fleetmeter.watching.measures import MOST, OTHERS
from fleetmeter.watching.shown import remembered
from support.sightings import Samples, sample, sighting

BEGAN = 1_790_000_000.0


def requests(count: float, status: str = "200") -> Samples:
    """A fleet that has answered so many."""
    return {sample("http_requests_total", status=status, method="GET"): count}


def seen(counts: Iterable[tuple[float, float]]) -> History:
    """A history of requests, by seconds since its beginning."""
    history = History()
    for at, count in counts:
        history.add(sighting(BEGAN + at, requests(count)), {})
    return history


def test_every_growth_is_in_exactly_one_step() -> None:
    """The first sighting is where counting begins; the amounts of all points are what was counted since."""
    history = seen((second, 100 + 3 * second) for second in range(601))
    for seconds in (300, 900, KEPT):
        points = history.points(seconds)
        known = min(seconds, 600)
        assert sum(point.amount("requests")["200"] for point in points) == pytest.approx(3 * known, abs=3 * STEP * 2)
        assert len(points) <= 62
        assert all(line == pytest.approx(3.0) for line in lines(points, "requests")["200"])
    whole = history.last(KEPT)
    assert whole is not None
    assert whole.amount("requests") == {"200": 1800}
    assert whole.seconds == 600


def test_it_forgets_what_is_older_than_an_hour() -> None:
    """Memory has a bound: after two hours there are as many steps as after one."""
    history = seen((second, second) for second in range(0, 7200, 2))
    assert history.seconds <= KEPT + STEP
    whole = history.last(2 * KEPT)
    assert whole is not None
    assert whole.amount("requests")["200"] == pytest.approx(KEPT, abs=2 * STEP)


def test_values_of_a_label_have_a_bound_and_lose_nothing() -> None:
    """Values above the bound are one line; a value that had its own line keeps it, and the sum stays whole."""
    history = History()
    for step in range(3):
        many: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        for number in range(MOST + 25 * step):
            many |= requests(10 * step, f"s{number}")
        history.add(sighting(BEGAN + 5 * step, many), {})
    whole = history.last(KEPT)
    assert whole is not None
    found = whole.amount("requests")
    assert len(found) <= MOST + 1
    assert found[OTHERS] == 50 * 20
    assert sum(found.values()) == 90 * 20


def test_a_new_epoch_begins_a_new_history() -> None:
    """After a reset there is no rate that mixes both; counting goes on from there."""
    history = seen([(0, 100), (5, 200)])
    history.add(sighting(BEGAN + 10, requests(7), epoch="another"), {})
    assert history.last(KEPT) is None
    history.add(sighting(BEGAN + 15, requests(9), epoch="another"), {})
    whole = history.last(KEPT)
    assert whole is not None
    assert whole.amount("requests") == {"200": 2}


def test_a_total_that_becomes_smaller_is_noted_and_takes_nothing_away() -> None:
    """It counts as no growth, and when it happened is known."""
    history = seen([(0, 100), (5, 90)])
    assert history.went_back == BEGAN + 5
    history.add(sighting(BEGAN + 10, requests(95)), {})
    whole = history.last(KEPT)
    assert whole is not None
    assert whole.amount("requests") == {"200": 5}


def test_a_series_is_born_at_zero_unless_it_could_not_be_read_before() -> None:
    """A new status counts in full; one that was hidden by an unreadable part does not."""
    history = seen([(0, 100)])
    history.add(sighting(BEGAN + 5, {**requests(100), **requests(4, "500")}), {})
    whole = history.last(KEPT)
    assert whole is not None
    assert whole.amount("requests") == {"500": 4}
    hidden = sighting(BEGAN + 10, {})
    history.add(type(hidden)(hidden.snapshot, hidden.totals, {}, hidden.at, [StateError("x", "y", "z")]), {})
    history.add(sighting(BEGAN + 15, {**requests(100), **requests(4, "500")}), {})
    whole = history.last(KEPT)
    assert whole is not None
    assert whole.amount("requests") == {"500": 4}


def test_where_nothing_was_seen_there_is_no_line() -> None:
    """A time without sightings is a gap in each line; what was counted meanwhile is in the amounts."""
    history = seen(
        [*((second, second) for second in range(0, 60, 5)), *((second, second) for second in range(300, 360, 5))]
    )
    shown = remembered(history, 900)
    assert None in shown.lines["requests"]["200"]
    assert shown.amounts["requests"]["200"] == 355
    assert all(value == pytest.approx(1.0) for value in shown.lines["requests"]["200"] if value is not None)


def test_money_is_kept_in_whole_nanodollars() -> None:
    """A tenth of a cent a thousand times is a dollar, and no fraction less."""
    history = History()
    for step in range(1001):
        cost = sample("openai_total_cost_usd_total", model="m")
        history.add(sighting(BEGAN + step, {cost: step * 0.001}), {})
    whole = history.last(KEPT)
    assert whole is not None
    assert whole.amount("cost") == {"m": 1_000_000_000}


def test_a_reset_forgets_which_values_had_a_line() -> None:
    """After a reset the new values have lines of their own, whatever came before it."""
    history = History()
    for step, epoch in enumerate(("one", "one", "two", "two")):
        many: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        for number in range(MOST):
            many |= requests(1.0 + step, f"{epoch}{number}")
        history.add(sighting(BEGAN + 5 * step, many, epoch=epoch), {})
    whole = history.last(KEPT)
    assert whole is not None
    assert whole.amount("requests") == {f"two{number}": 1 for number in range(MOST)}
