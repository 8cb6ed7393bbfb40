"""Real stores under real faults, briefly: `make chaos` does the same at full size."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest

from chaos.failovers import cluster_failovers, sentinel_failovers, slot_moves
from chaos.network import lossy, troubles
from chaos.single import kills_with_dumps, kills_with_log, kills_with_writers, kills_without_persistence
from chaos.table import Result, table

SCENARIOS: Mapping[str, Callable[..., Result]] = {
    "cluster failovers": partial(cluster_failovers, 3),
    "slot moves": partial(slot_moves, 3),
    "sentinel failovers": partial(sentinel_failovers, 4),
    "troubles": partial(troubles, 6),
    "kills with dumps": partial(kills_with_dumps, 3),
    "kills with a log": partial(kills_with_log, 3),
    "kills without persistence": partial(kills_without_persistence, 2),
    "kills with a writer": partial(kills_with_writers, 2),
    "lost replies": partial(lossy, 15.0),
}

FORMATS = ("packed", "both")
"""Packed numbers, and a writer of either format; `make chaos` has fields alone, too."""

AT_ONCE = 4


@pytest.fixture(scope="module")
def running() -> Iterator[Mapping[tuple[str, str], Future[Result]]]:
    """All scenarios, some of them side by side."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            (name, numbers): pool.submit(scenario, writers=2, numbers=numbers)
            for numbers in FORMATS
            for name, scenario in SCENARIOS.items()
        }


@pytest.mark.timeout(300)
@pytest.mark.parametrize("numbers", FORMATS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_ledgers_equal_the_export_and_nothing_went_down(
    running: Mapping[tuple[str, str], Future[Result]], name: str, numbers: str
) -> None:
    """To the last unit, whatever became of the store; what it lost for good is counted, no scrape is torn."""
    result = running[name, numbers].result()
    print(table([result]))
    assert result.faults > 0
    assert result.records > 0
    assert result.scrapes > 0
    assert not result.problems
