"""The exposition of random families, beside prometheus_client's; `make fuzz` runs many more of them."""

import shutil

import pytest

from fuzz.formats.run import run as run_formats
from fuzz.run import run
from support.store import StoreAddress


@pytest.mark.parametrize("number", [1, 2])
def test_random_families_read_as_prometheus_client_writes_them(number: int) -> None:
    """The same families, samples, order and values in every format, from cached parts as from new ones."""
    result = run(number, 60, shutil.which("promtool"))
    assert not result.failure
    assert result.families > 100


@pytest.mark.parametrize("number", [1, 2])
def test_random_fleets_read_alike_in_both_formats_of_numbers(number: int, store: StoreAddress) -> None:
    """What the same calls record as fields, packed, or by replicas of either kind: line by line, and the exact sums."""
    result = run_formats(number, 4, store.url)
    assert not result.failure
    assert result.families > 30
