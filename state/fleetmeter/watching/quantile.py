"""Quantiles of a histogram's buckets, as PromQL's `histogram_quantile` computes them."""

from collections.abc import Mapping
from math import inf

QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
"""Those that views show, by the names that they have there."""


def quantile(share: float, buckets: Mapping[str, float]) -> float | None:
    """The value that `share` of all observations do not exceed; None without observations.

    `buckets` maps each upper bound to the number of observations up to it. Inside a bucket observations are taken to
    lie evenly. If the quantile lies beyond the last finite bound, that bound is returned.
    """
    bounds = sorted((inf if bound == "+Inf" else float(bound), count) for bound, count in buckets.items())
    if not bounds or bounds[-1][0] != inf or bounds[-1][1] <= 0:
        return None
    rank, low, below = share * bounds[-1][1], 0.0, 0.0
    for bound, count in bounds:
        if count >= rank and count > below:
            if bound == inf:
                return low
            return low + (bound - low) * (rank - below) / (count - below)
        low, below = (bound, count) if bound != inf else (low, below)
    return low
