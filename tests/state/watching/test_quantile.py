"""Quantiles are those that Prometheus computes of the same buckets."""

import pytest

from fleetmeter.watching.quantile import quantile

BUCKETS = {"0.1": 50.0, "0.5": 90.0, "1.0": 99.0, "+Inf": 100.0}


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 0.1), (0.25, 0.05), (0.9, 0.5), (0.95, 0.5 + 0.5 * 5 / 9), (0.99, 1.0), (0.999, 1.0)]
)
def test_inside_a_bucket_it_is_interpolated(share: float, expected: float) -> None:
    """Observations lie evenly in their bucket; beyond the last bound, that bound is all that is known."""
    assert quantile(share, BUCKETS) == pytest.approx(expected)


@pytest.mark.parametrize("buckets", [{}, {"0.1": 0.0, "+Inf": 0.0}, {"0.1": 5.0}])
def test_without_observations_there_is_none(buckets: dict[str, float]) -> None:
    """No number is made up; buckets without the last one are no histogram."""
    assert quantile(0.5, buckets) is None
