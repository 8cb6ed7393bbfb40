"""A real Prometheus watches failovers, briefly: `make chaos` does the same at full size."""

from collections.abc import Callable

import pytest

from chaos.table import table
from chaos.watched import PROGRAM, watched_failovers


@pytest.mark.timeout(300)
def test_a_real_prometheus_sees_no_reset(binary: Callable[[str], str]) -> None:
    """Of no counter, histogram or summary, while the master is less than what it has scraped; and ends with it all."""
    binary(PROGRAM)
    result = watched_failovers(2, writers=2)
    print(table([result]))
    assert not result.problems
