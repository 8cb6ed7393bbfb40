"""Dashboards, Prometheus, exporter, store, gateways and the upstream's ledger: one truth from end to end."""

import sys
from collections.abc import Callable

import pytest

from fleetmeter_dashboards.families import declared
from observation.check import observe, table
from observation.dashboards import panels
from observation.fleet import running_fleet

NOTHING_TO_TELL = {"client_retries_total", "label_overflows_total", "model_hedges_total", "openai_unpriced_calls_total"}
"""Counters that stay at 0 in a run without a mishap, without labels of the user's own, and without hedging, which is
off unless it is asked for."""


@pytest.mark.timeout(240)
def test_panels_show_what_the_ledger_holds(binary: Callable[[str], str]) -> None:
    """Raw totals equal the ledger exactly, panels' totals are what PromQL makes of them, and no panel is empty.

    The load makes the gateways record each family that is declared.
    """
    with running_fleet(binary("prometheus"), replicas=2) as fleet:
        report = observe(fleet, [(20, 10), (30, 10)])
        samples = fleet.exporter.samples()
    sys.stdout.writelines(f"{line}\n" for line in table(report))  # shown where it fails
    assert report.complaints == []
    shown = {name for name, _ in samples}
    counted = {name for (name, _), value in samples.items() if value > 0}
    silent = {
        family.shown
        for family in declared().values()
        if (shown if family.type == "gauge" else counted).isdisjoint(family.series)
    }
    assert {name for name in silent if not name.startswith("fleetmeter_")} <= NOTHING_TO_TELL
    assert report.answered == sum(len(panel.queries) for panel in panels())
    assert len(report.raw) == 28
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
