"""The exposition of random families, beside prometheus_client's; `make fuzz` runs many more of them."""

import shutil

import pytest

from fuzz.run import run


@pytest.mark.parametrize("number", [1, 2])
def test_random_families_read_as_prometheus_client_writes_them(number: int) -> None:
    """The same families, samples, order and values in every format, from cached parts as from new ones."""
    result = run(number, 60, shutil.which("promtool"))
    assert not result.failure
    assert result.families > 100
