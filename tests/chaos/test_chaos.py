"""Real stores under real faults, briefly: `make chaos` does the same at full size."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from chaos.failovers import cluster_failovers, sentinel_failovers, slot_moves
from chaos.network import lossy, troubles
from chaos.single import kills_with_dumps, kills_with_log, kills_with_writers, kills_without_persistence
from chaos.table import Result, table

SCENARIOS: Mapping[str, Callable[[], Result]] = {
    "cluster failovers": lambda: cluster_failovers(3, writers=2),
    "slot moves": lambda: slot_moves(2, writers=2),
    "sentinel failovers": lambda: sentinel_failovers(4, writers=2),
    "troubles": lambda: troubles(6, writers=2),
    "kills with dumps": lambda: kills_with_dumps(3, writers=2),
    "kills with a log": lambda: kills_with_log(3, writers=2),
    "kills without persistence": lambda: kills_without_persistence(2, writers=2),
    "kills with a writer": lambda: kills_with_writers(2, writers=2),
    "lost replies": lambda: lossy(15.0, writers=2),
}

AT_ONCE = 4


@pytest.fixture(scope="module")
def running() -> Iterator[Mapping[str, Future[Result]]]:
    """All scenarios, some of them side by side."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(scenario) for name, scenario in SCENARIOS.items()}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_ledgers_equal_the_export_and_nothing_went_down(running: Mapping[str, Future[Result]], name: str) -> None:
    """To the last unit, whatever became of the store; what it lost for good is counted, no scrape is torn."""
    result = running[name].result()
    print(table([result]))
    assert result.faults > 0
    assert result.records > 0
    assert result.scrapes > 0
    assert not result.problems
