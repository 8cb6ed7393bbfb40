"""A plugin for pytest: the tests that take long begin first, and have the marker `long`.

Begun last, one of them would keep a single worker busy while the others have ended. Each of these files starts whole
programs, or waits for clocks that only run in real time.
"""

from pathlib import Path

import pytest

_TESTS = Path(__file__).parents[1]
LONG = (
    "grafana/test_live.py",
    "grafana/test_alone.py",
    "grafana/test_trust.py",
    "chaos/test_watched.py",
    "board/test_page.py",
    "app/demo/test_demo.py",
    "chaos/test_chaos.py",
    "state/process/test_interpreters.py",
    "state/process/test_servers.py",
    "state/process/test_ways.py",
    "examples/test_examples.py",
    "soak/test_soak.py",
    "state/simulator/test_simulator.py",
    "state/test_rolling_deploy.py",
    "exporter/test_prometheus.py",
    "exporter/http/test_prometheus_tls.py",
    "exporter/http/test_load.py",
    "board/test_prometheus.py",
    "board/test_settings.py",
    "app/test_fleet.py",
    "app/test_main.py",
    "state/process/test_run.py",
    "state/process/test_gevent.py",
    "state/connection/test_store_sentinel.py",
    "exporter/test_main.py",
    "exporter/exposition/test_fuzz.py",
)
"""Files, the longest first."""


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them, and put them first."""
    places = {_TESTS / name: place for place, name in enumerate(LONG)}
    for item in items:
        if item.path in places:
            item.add_marker(pytest.mark.long)
    items.sort(key=lambda item: places.get(item.path, len(places)))
