"""The checks' own reading of `increase()`, beside figures that were worked out by hand or measured on Prometheus."""

import pytest

from observation.arithmetic import increase


def test_a_steady_counter_is_carried_on_to_the_edges() -> None:
    """10 scrapes of +1, the window half an interval longer on each side: 10."""
    points = [(moment + 0.5, float(100 + moment)) for moment in range(10)]
    assert increase(points, 0.0, 10.0) == pytest.approx(10.0)


def test_a_counter_that_was_born_is_not_carried_below_zero() -> None:
    """Born at 0 in the middle of the window: nothing is added before its birth."""
    points = [(5.0, 0.0), (6.0, 2.0), (7.0, 4.0), (8.0, 6.0), (9.0, 8.0), (10.0, 10.0)]
    assert increase(points, 0.0, 10.0) == pytest.approx(10.0)


def test_the_first_value_of_a_born_series_is_lost() -> None:
    """Born at 7 and ended at 20: not 20, as nobody saw the first 7."""
    points = [(float(moment), 7.0 + moment) for moment in range(14)]
    assert 13.0 <= increase(points, 0.0, 13.0) < 14.0


def test_a_reset_counts_from_zero() -> None:
    """5, 8, then 1 and 3: 3 before the reset, 3 behind it."""
    points = [(0.0, 5.0), (1.0, 8.0), (2.0, 1.0), (3.0, 3.0)]
    assert increase(points, 0.0, 3.0) == pytest.approx(6.0)


def test_one_sample_is_no_increase() -> None:
    """It takes two to know a growth."""
    assert increase([(1.0, 5.0)], 0.0, 10.0) == 0.0
