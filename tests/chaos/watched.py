"""Failovers to a replica that lags, while a real Prometheus scrapes the exporter every second."""

import dataclasses
import random
import shutil
import time
from collections.abc import Iterator

from chaos.failovers import LAG
from chaos.fleet import SETTLED_WITHIN, Fleet
from chaos.ledger import difference
from chaos.table import Result
from chaos.views import numbers_of
from support.node import until
from support.prometheus import Prometheus
from support.sentinel import SentinelStore

PROGRAM = "prometheus"
SCRAPES = 2
"""Scrapes that Prometheus makes of what the new master has, before any writer sends again what that one lacks."""

_WHOLE_RUN = "1d"


def watched_failovers(
    count: int, writers: int = 3, seed: int = 10, server: str | None = None, numbers: str = "packed"
) -> Result:
    """The new master lacks what Prometheus has seen, and no writer is there to send it again, for a while.

    Raises `RuntimeError` where Prometheus is not installed.
    """
    binary = shutil.which(PROGRAM)
    if binary is None:
        raise RuntimeError(f"{PROGRAM} is not installed")
    dice = random.Random(seed)
    with (
        SentinelStore(server) as store,
        Fleet(store.url, writers, seed, numbers=numbers) as fleet,
        Prometheus(binary, f"127.0.0.1:{fleet.port}") as prometheus,
    ):
        for _ in range(count):
            fleet.work()
            _fail_over(store, fleet, prometheus, dice)
        fleet.work()
        result = fleet.finish("lagging failover, Prometheus", count, met=("behind",))
        return dataclasses.replace(result, watched=tuple(_complaints(fleet, prometheus, count)))


def _fail_over(store: SentinelStore, fleet: Fleet, prometheus: Prometheus, dice: random.Random) -> None:
    former, replica = store.master, store.replica
    replica.freeze()
    try:
        former.run("CLIENT", "KILL", "TYPE", "replica")  # what is in the link's buffers would reach it all the same
        time.sleep(dice.uniform(*LAG))
        fleet.pause()
        until("Prometheus with every record", lambda: not _missing(fleet, prometheus), within=SETTLED_WITHIN)
    finally:
        former.kill()
        replica.thaw()
    with fleet.frozen():
        store.wait_for_failover(former)
        since = time.time()
        until("scrapes of the new master", lambda: _scrapes(prometheus, since) >= SCRAPES, within=SETTLED_WITHIN)
    store.restart_as_replica(former)
    fleet.go_on()


def _missing(fleet: Fleet, prometheus: Prometheus) -> dict[str, int]:
    """How much more the ledgers have than Prometheus."""
    return difference(fleet.ledger(), numbers_of(prometheus.query('{__name__=~"chaos_.+"}')))


def _scrapes(prometheus: Prometheus, since: float) -> int:
    """How many scrapes since a moment showed the fleet's numbers."""
    seconds = max(1, int(time.time() - since))
    return int(prometheus.number(f"sum_over_time(fleetmeter_up[{seconds}s])") or 0)


def _complaints(fleet: Fleet, prometheus: Prometheus, failovers: int) -> Iterator[str]:
    """What must not be, over the whole run and all counters, histograms and summaries."""
    latest = fleet.scraper.judge.latest
    assert latest is not None
    for name in sorted({name for name, _ in latest.cumulative}):
        resets = prometheus.query(f"resets({name}[{_WHOLE_RUN}])")
        if not resets:
            yield f"it never saw {name}"
        for (_, labels), count in resets.items():
            if count:
                yield f"resets({name}{dict(labels)}) is {count:.0f}"
    if not any(prometheus.query(f"max_over_time(fleetmeter_snapshot_held[{_WHOLE_RUN}])").values()):
        yield f"it saw nothing held in {failovers} failovers: they did nothing"
    try:
        until("Prometheus with every record", lambda: not _missing(fleet, prometheus), within=SETTLED_WITHIN)
    except RuntimeError:
        yield f"the ledgers have more than it: {_missing(fleet, prometheus)}"
