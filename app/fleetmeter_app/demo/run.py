"""One demo from start to end: starts everything, puts load on it, shows it, compares the counts, stops everything."""

import asyncio
import sys
import time
from collections.abc import Mapping

from rich.console import Console

from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.demo.display import Display
from fleetmeter_app.demo.fleet import DemoFleet, plan
from fleetmeter_app.demo.load import Load
from fleetmeter_app.demo.ports import require_free
from fleetmeter_app.demo.processes import Processes
from fleetmeter_app.demo.questions import Questions
from fleetmeter_app.demo.settings import REPLICAS, DemoSettings
from fleetmeter_app.demo.sources import Sources
from fleetmeter_app.demo.summary import SummaryRow, compare, summary_table, verdict
from fleetmeter_app.demo.view import Moment
from fleetmeter_app.demo.waiting import Wish, first_of

_SCRAPE_SECONDS = 1.0
_LAST_REPLIES_SECONDS = 20.0
_HAND_OVER_SECONDS = 10.0
"""Seconds that the replicas may take to hand over their counts; their flush interval is 0.25 s."""

_INTERRUPTED = 130
"""The status of a program that SIGINT ended, as shells give it."""


async def run(settings: DemoSettings, environ: Mapping[str, str], console: Console) -> int:
    """Run a demo. Returns the exit status: 0 if all counts agree, 1 if some differ, 130 if it was ended before that.

    Raises `DemoError` if the demo cannot start, or if one of its programs ends. Everything is stopped in any case.
    """
    require_free(settings.asked_ports())
    wish = Wish()
    processes = Processes()
    try:
        fleet = await _start(settings, environ, processes, wish, console)
        if fleet is None:
            return _interrupted("before everything had started")
        _show_addresses(settings, fleet, console)
        load = Load(fleet.gateways, Questions(GatewayConfig.load(), trouble=not settings.costs_money), settings.rate)
        try:
            rows = await _prove(settings, fleet, load, processes, wish, console)
        finally:
            await load.close()
        if rows is None:
            return _interrupted("before the counts were compared")
        console.print(summary_table(rows))
        console.print(verdict(rows, load.tally, with_ledger=not settings.costs_money))
        return 0 if all(row.agrees for row in rows) else 1
    finally:
        processes.stop()


async def _start(
    settings: DemoSettings, environ: Mapping[str, str], processes: Processes, wish: Wish, console: Console
) -> DemoFleet | None:
    """Start everything and wait until it answers; None if the user ends the demo before."""
    upstream = "" if settings.costs_money else " the upstream,"
    console.print(
        f"starting the store,{upstream} {REPLICAS} gateway replicas, the exporter and the board …", soft_wrap=True
    )
    fleet = plan(settings, environ, processes.directory, processes.start_store())
    for program in fleet.programs:
        processes.start(program)
    ready = await first_of(processes.ready(), wish.to_end.wait()) == 0
    return fleet if ready else None


async def _prove(
    settings: DemoSettings, fleet: DemoFleet, load: Load, processes: Processes, wish: Wish, console: Console
) -> list[SummaryRow] | None:
    """Run the load, then compare: the rows of the summary; None if the user ends the demo before there are any."""
    moment = Moment(load.tally, settings.seconds)
    rows: list[SummaryRow] = []

    async def scrape() -> None:
        while True:
            moment.totals = await sources.totals()
            await asyncio.sleep(_SCRAPE_SECONDS)

    async def compare_at_the_end() -> None:
        moment.ended = time.monotonic()
        await load.finish(_LAST_REPLIES_SECONDS)
        rows.extend(await _agreement(load, sources, moment))

    async with Sources(fleet) as sources:
        with Display(console, moment) as display:
            await first_of(
                load.run(), _end_of(settings.seconds), wish.to_end.wait(),
                processes.watch(), scrape(), display.keep_showing(),
            )  # fmt: skip
            await first_of(compare_at_the_end(), wish.at_once.wait(), processes.watch(), display.keep_showing())
    return rows or None


async def _agreement(load: Load, sources: Sources, moment: Moment) -> list[SummaryRow]:
    """The rows, once all of them agree; or as they are after `_HAND_OVER_SECONDS`."""
    deadline = time.monotonic() + _HAND_OVER_SECONDS
    while True:
        ledger = await sources.ledger()
        moment.totals = await sources.totals()
        rows = compare(load.tally, ledger, moment.totals)
        if all(row.agrees for row in rows) or time.monotonic() > deadline:
            return rows
        await asyncio.sleep(0.1)


async def _end_of(seconds: float | None) -> None:
    if seconds is None:
        await asyncio.Event().wait()
    else:
        await asyncio.sleep(seconds)


def _show_addresses(settings: DemoSettings, fleet: DemoFleet, console: Console) -> None:
    first, *others = fleet.gateways.values()
    gateways = " ".join([first, *(f":{address.rpartition(':')[2]}" for address in others)])
    for name, text in (
        ("board", fleet.board or fleet.no_board or ""),
        ("gateways", f"{gateways}  POST /ask"),
        ("exporter", f"{fleet.exporter}/metrics"),
        ("prometheus", fleet.prometheus or fleet.no_prometheus or ""),
        ("alertmanager", fleet.alertmanager or fleet.no_alertmanager or ""),
        ("dashboards", _dashboards(fleet)),
        ("upstream", f"{fleet.upstream}/ledger" if fleet.upstream else settings.openai_base_url),
    ):
        console.print(f"{name:<12} {text}", soft_wrap=True, highlight=False)
    if settings.costs_money:
        console.print(
            "OPENAI_API_KEY is set: real models answer, and every question costs money. "
            f"About {settings.rate:g} questions a second are asked; unset the key to use the demo's own upstream.",
            style="bold yellow", soft_wrap=True, highlight=False,
        )  # fmt: skip


def _dashboards(fleet: DemoFleet) -> str:
    source = f"{fleet.prometheus} as" if fleet.prometheus else "a Prometheus that scrapes the exporter as"
    return f"import grafana/dashboards/*.json into a Grafana, with {source} its Prometheus data source"


def _interrupted(when: str) -> int:
    sys.stderr.write(f"fleetmeter demo: ended {when}\n")
    return _INTERRUPTED
