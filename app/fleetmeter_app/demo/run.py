"""One demo from start to end: starts everything, puts load on it, shows it, compares the counts, stops everything."""

import asyncio
import importlib
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console

from fleetmeter.errors import FleetmeterError
from fleetmeter_app.demo.addresses import Addresses, addresses
from fleetmeter_app.demo.comparison.report import remarks, summary_table, verdict
from fleetmeter_app.demo.comparison.sides import Comparison, compare
from fleetmeter_app.demo.display import Display
from fleetmeter_app.demo.errors import DemoError
from fleetmeter_app.demo.fleet import NAMESPACE, DemoFleet, plan
from fleetmeter_app.demo.ports import require_free
from fleetmeter_app.demo.processes import Processes
from fleetmeter_app.demo.settings import REPLICAS, DemoSettings
from fleetmeter_app.demo.sources import Sources
from fleetmeter_app.demo.teams import create_keys
from fleetmeter_app.demo.traffic.mix import Mix
from fleetmeter_app.demo.view import Moment
from fleetmeter_app.demo.waiting import Wish, first_of

if TYPE_CHECKING:
    from fleetmeter_app.demo.traffic.load import Load

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
        started = await _start(settings, environ, processes, wish, console)
        if started is None:
            return _interrupted("before everything had started")
        fleet, load = started
        try:
            comparison = await _prove(settings, fleet, load, processes, wish, console)
        finally:
            await load.close()
        if comparison is None:
            return _interrupted("before the counts were compared")
        _show(comparison, console)
        return 0 if comparison.agrees else 1
    finally:
        processes.stop()


async def _start(
    settings: DemoSettings, environ: Mapping[str, str], processes: Processes, wish: Wish, console: Console
) -> "tuple[DemoFleet, Load] | None":
    """Start everything and wait until it answers; None if the user ends the demo before."""
    upstream = "" if settings.costs_money else " the upstream,"
    console.print(
        f"starting the store,{upstream} {REPLICAS} gateway replicas, the exporter and the board …", soft_wrap=True
    )
    store_url = processes.start_store()
    keys = {} if settings.costs_money else _create_keys(store_url)
    fleet = plan(settings, environ, processes.directory, store_url)
    for program in fleet.programs:
        processes.start(program)
    shown = Addresses(
        addresses(settings, fleet, store_url), lambda line: console.print(line, soft_wrap=True, highlight=False)
    )
    load: list[Load] = []

    async def become_ready() -> None:
        preparing = asyncio.create_task(_load(settings, fleet, keys))
        await processes.ready(shown.answers)
        load.append(await preparing)

    if await first_of(become_ready(), wish.to_end.wait()) != 0:
        return None
    if settings.costs_money:
        console.print(
            "OPENAI_API_KEY is set: real models answer, and every question costs money. "
            f"About {settings.rate:g} questions a second are asked; unset the key to use the demo's own upstream.",
            style="bold yellow", soft_wrap=True, highlight=False,
        )  # fmt: skip
    return fleet, load[0]


def _create_keys(store_url: str) -> Mapping[str, str]:
    try:
        return create_keys(store_url, NAMESPACE)
    except FleetmeterError as error:
        raise DemoError(f"the teams' keys cannot be created: {error}") from error


async def _load(settings: DemoSettings, fleet: DemoFleet, keys: Mapping[str, str]) -> "Load":
    """The load. OpenAI's SDK takes seconds to import, so that happens while the programs start."""
    module = await asyncio.to_thread(importlib.import_module, "fleetmeter_app.demo.traffic.load")
    load: Load = module.Load(fleet.gateways, keys, Mix(fleet.config, ours=not settings.costs_money), settings.rate)
    return load


async def _prove(
    settings: DemoSettings, fleet: DemoFleet, load: "Load", processes: Processes, wish: Wish, console: Console
) -> Comparison | None:
    """Run the load, then compare; None if the user ends the demo before there is a comparison."""
    moment = Moment(load.tally, settings.seconds)
    found: list[Comparison] = []

    async def scrape() -> None:
        while True:
            moment.totals = await sources.totals()
            await asyncio.sleep(_SCRAPE_SECONDS)

    async def compare_at_the_end() -> None:
        moment.ended = time.monotonic()
        await load.finish(_LAST_REPLIES_SECONDS)
        found.append(await _agreement(load, sources, moment))

    async with Sources(fleet) as sources:
        with Display(console, moment) as display:
            await first_of(
                load.run(), _end_of(settings.seconds), wish.to_end.wait(),
                processes.watch(), scrape(), display.keep_showing(),
            )  # fmt: skip
            await first_of(compare_at_the_end(), wish.at_once.wait(), processes.watch(), display.keep_showing())
    return found[0] if found else None


async def _agreement(load: "Load", sources: Sources, moment: Moment) -> Comparison:
    """The comparison, once all rows agree; or as it is after `_HAND_OVER_SECONDS`."""
    deadline = time.monotonic() + _HAND_OVER_SECONDS
    while True:
        ledger = await sources.ledger()
        moment.totals = await sources.totals()
        comparison = compare(load.tally, ledger, moment.totals)
        if comparison.agrees or time.monotonic() > deadline:
            return comparison
        await asyncio.sleep(0.1)


def _show(comparison: Comparison, console: Console) -> None:
    console.print("\nWhat the client got, what the upstream billed, and what the exporter shows:")
    console.print(summary_table(comparison))
    for text in remarks(comparison):
        console.print(text)
    console.print(verdict(comparison), soft_wrap=True)


async def _end_of(seconds: float | None) -> None:
    if seconds is None:
        await asyncio.Event().wait()
    else:
        await asyncio.sleep(seconds)


def _interrupted(when: str) -> int:
    sys.stderr.write(f"fleetmeter demo: ended {when}\n")
    return _INTERRUPTED
