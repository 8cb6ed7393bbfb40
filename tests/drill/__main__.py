"""Runs the drill and prints the table. Exit status 1 where an alert did not reach the webhook, or did not resolve.

python -m drill --speed 30
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from drill.faults import Fault, one_by_one, side_by_side
from drill.receiver import Receiver, Told
from drill.stage import Stage
from drill.traffic import Traffic
from fleetmeter_app.demo.settings import DemoSettings

PATIENCE = 240.0
"""Seconds that an alert may take to arrive, or to resolve."""

WARM_UP = 75.0
"""Seconds of ordinary load first: the cache needs a past that it can fall from."""

_HEADINGS = ("fault", "alert", "fires after", "received after", "resolved after", "others told")


@dataclass
class Row:
    """One alert of one fault; seconds since the fault began, and for the last since it ended; None for never."""

    fault: str
    alert: str
    fires: float | None = None
    received: float | None = None
    resolved: float | None = None
    others: set[str] = field(default_factory=set)

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as it is printed."""
        times = (self.fires, self.received, self.resolved)
        shown = ("never" if seconds is None else f"{seconds:.0f} s" for seconds in times)
        return (self.fault, self.alert, *shown, ", ".join(sorted(self.others)) or "none")


class Drill:
    """Faults against one stage, and what came of them."""

    def __init__(self, stage: Stage, receiver: Receiver) -> None:
        self._stage = stage
        self._receiver = receiver

    async def run(self, fault: Fault, *, alone: bool) -> list[Row]:
        """Begin a fault, wait for its alerts, end it, wait until they resolve."""
        begun = time.monotonic()
        rows = [Row(fault.name, alert) for alert in fault.alerts]
        print(f"{fault.name} …", flush=True)
        await fault.begin()
        await asyncio.gather(*(self._seen(row, begun) for row in rows))
        ended = time.monotonic()
        await fault.end()
        await asyncio.gather(*(self._gone(row, begun, ended) for row in rows))
        if alone:
            told = {one.alert for one in self._receiver.told(begun) if one.status == "firing"}
            for row in rows:
                row.others = told - set(fault.alerts)
        return rows

    async def quiet(self) -> bool:
        """Wait until nothing fires."""
        return await _eventually(self._nothing_fires)

    async def _nothing_fires(self) -> bool:
        return not await self._stage.firing()

    async def _seen(self, row: Row, begun: float) -> None:
        async def fires() -> bool:
            return row.alert in await self._stage.firing()

        if await _eventually(fires):
            row.fires = time.monotonic() - begun
        row.received = await self._told(row.alert, "firing", begun, begun)

    async def _gone(self, row: Row, begun: float, ended: float) -> None:
        if row.received is not None:
            row.resolved = await self._told(row.alert, "resolved", begun + row.received, ended)

    async def _told(self, alert: str, status: str, since: float, counted_from: float) -> float | None:
        """Seconds until the receiver was told that an alert fires, or that all of its name have resolved."""

        async def told() -> bool:
            return self._is(alert, status, since)

        if not await _eventually(told):
            return None
        messages = [one.at for one in self._receiver.told(since) if (one.alert, one.status) == (alert, status)]
        return (messages[0] if status == "firing" else messages[-1]) - counted_from

    def _is(self, alert: str, status: str, since: float) -> bool:
        last: dict[frozenset[tuple[str, str]], Told] = {}
        for one in self._receiver.told(since):
            if one.alert == alert:
                last[frozenset(one.labels.items())] = one
        if status == "firing":
            return any(one.status == "firing" for one in last.values())
        return bool(last) and all(one.status == "resolved" for one in last.values())


async def _eventually(condition: Callable[[], Awaitable[bool]]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not await condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.5)
    return True


def table(rows: Iterable[Row]) -> str:
    """All rows under their headings."""
    cells = [_HEADINGS, *(row.cells for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


async def drill(speed: float) -> list[Row]:
    """Everything from the start of the programs to their end."""
    with Receiver() as receiver:
        settings = DemoSettings(alert_speed=speed, alert_webhook=receiver.url)
        environ = {name: text for name, text in os.environ.items() if not name.startswith(("FLEETMETER_", "OPENAI_"))}
        stage = Stage(settings, environ)
        try:
            if stage.fleet.alertmanager is None:
                raise SystemExit(f"drill: {stage.fleet.no_prometheus or stage.fleet.no_alertmanager}")
            await stage.ready()
            traffic = Traffic(list(stage.fleet.gateways.values()))
            load = asyncio.create_task(traffic.run())
            try:
                return await _all(Drill(stage, receiver), stage, traffic)
            finally:
                load.cancel()
        finally:
            stage.close()


async def _all(drill: Drill, stage: Stage, traffic: Traffic) -> list[Row]:
    print(f"ordinary load for {WARM_UP:.0f} s …", flush=True)
    await asyncio.sleep(WARM_UP)
    if not await drill.quiet():
        raise SystemExit(f"drill: ordinary load raises {await stage.firing()}")
    together = await asyncio.gather(*(drill.run(fault, alone=False) for fault in side_by_side(stage, traffic)))
    rows = [row for some in together for row in some]
    for fault in one_by_one(stage, traffic):
        await drill.quiet()
        rows += await drill.run(fault, alone=True)
    return rows


def main() -> int:
    """Run and judge."""
    parser = argparse.ArgumentParser(prog="drill", description="Faults, and whether their alerts arrive and resolve.")
    parser.add_argument("--speed", type=float, default=30.0, help="what all windows are divided by (default 30)")
    rows = asyncio.run(drill(parser.parse_args().speed))
    print(table(rows))
    return int(any(None in (row.fires, row.received, row.resolved) for row in rows))


if __name__ == "__main__":
    sys.exit(main())
