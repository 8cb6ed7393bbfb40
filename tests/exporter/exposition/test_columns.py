"""Columns of counts are cumulated alike, however large the counts are and whatever holds them."""

import random
from array import array
from itertools import accumulate

import pytest

from fleetmeter_exporter.exposition.columns import cumulated


@pytest.mark.parametrize("most", [0, 1, 2**47 - 1, 2**47, 2**63 - 1])
@pytest.mark.parametrize(("series", "buckets"), [(0, 3), (1, 1), (1, 4), (5, 2), (40, 4)])
def test_a_count_never_runs_into_that_of_the_next_series(most: int, series: int, buckets: int) -> None:
    """Large numbers are added one by one; small ones together, with the same sums."""
    dice = random.Random(most + series)
    columns = [
        array("q", [dice.choice([most, dice.randrange(most + 1)]) for _ in range(series)]) for _ in range(buckets)
    ]
    wanted = [list(accumulate(row)) for row in zip(*columns, strict=True)]
    found = [list(column) for column in cumulated(columns)]
    assert [list(row) for row in zip(*found, strict=True)] == wanted
    assert [list(column) for column in cumulated([list(column) for column in columns])] == found


def test_negative_counts_are_added_one_by_one() -> None:
    """No writer stores any; a store that is wrong is shown as it is."""
    columns = [array("q", [-1, 3, 0]), array("q", [5, -4, 0])]
    assert [list(column) for column in cumulated(columns)] == [[-1, 3, 0], [4, -1, 0]]
