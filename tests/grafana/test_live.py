"""Dashboards, Prometheus, exporter, store, gateways and the upstream's ledger: one truth from end to end."""

import sys
from collections.abc import Callable

import pytest

from fleetmeter_dashboards.unrecorded import UNRECORDED
from observation.check import observe, table
from observation.dashboards import panels
from observation.fleet import running_fleet
from observation.worker import STANDS_IN


@pytest.mark.timeout(240)
def test_panels_show_what_the_ledger_holds(binary: Callable[[str], str]) -> None:
    """Raw totals equal the ledger exactly, panels' totals are what PromQL makes of them, and no panel is empty."""
    with running_fleet(binary("prometheus"), replicas=2) as fleet:
        report = observe(fleet, [(20, 10), (30, 10)])
    sys.stdout.writelines(f"{line}\n" for line in table(report))  # shown where it fails
    assert report.complaints == []
    assert report.answered == sum(len(panel.queries) for panel in panels())
    assert len(report.raw) == 16
    assert {row.panel for row in report.rows if row.witness is not None and row.series != "(mean)"} == {
        "What did the last hour cost?",
        "Cost of today?",
        "Cost of this month?",
        "How many calls have no price?",
        "Which model costs the most?",
        "What do routing and the cache save?",
        "What did each model do for its money?",
        "How many batches were lost?",
        "Which models are chosen?",
    }


def test_the_worker_stands_in_for_nobody_else() -> None:
    """What the worker records is what the gateway does not record yet, and is taken out of it in time."""
    assert STANDS_IN == UNRECORDED
