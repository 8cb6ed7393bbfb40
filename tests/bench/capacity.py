"""How many replicas one store can serve: a thousand emulated ones, each with 20 dirty series in every flush.

What the machine can emulate is less than what a store can serve, so the capacity is told from the store's processor
time per flush. Beside it: the same numbers by plain HINCRBYs, in one MULTI and in one call per increment.
"""

from statistics import quantiles
from typing import Any

from redis.client import Pipeline

from bench.emulation import COUNTERS, HISTOGRAMS, OWN, SERIES, Fleet, Order, Replica, fleet
from bench.meter import Meter, Reading
from bench.tables import show
from fleetmeter.embedded import EmbeddedStore
from fleetmeter.exchange import HEARTBEAT

REPLICAS = 1_000
SECONDS = 12.0
INTERVALS = (0.25, 1.0)
USABLE = 0.7
"""Share of the store's one thread that the writers may take: scrapes and other clients need theirs."""

NUMBERS = COUNTERS + 2 * HISTOGRAMS + len(OWN)


def main() -> None:
    """Print what was reached, what a flush cost the store, and the replicas that follow from it."""
    with EmbeddedStore() as store, fleet(store.url, REPLICAS) as replicas:
        meter = Meter(store.url)
        rows = [_row(meter, replicas, interval) for interval in INTERVALS]
        before = meter.read()
        beats = len(replicas.obey(Order(catch_up=True)).durations)
        beat = meter.read().since(before).processor_us / beats
        replica = Replica(store.url, REPLICAS)
        replica.flush()
        best = meter.cost(replica.flush, 100).processor_us
        several = meter.cost(lambda: _plain(meter.client.pipeline()), 100).processor_us
        single = meter.cost(lambda: _plain(meter.client), 20).processor_us
        meter.close()
    show(
        f"capacity: {REPLICAS:,} emulated replicas, {SERIES} dirty series ({NUMBERS} numbers) in every flush",
        [
            "interval",
            "flushes/s",
            "asked for",
            "p50 ms",
            "p99 ms",
            "store busy",
            "emulation busy",
            "store µs",
            "replicas",
        ],
        rows,
        [
            "busy: in processors; the emulation gets what others leave, and is the limit while the store is not busy",
            f"store µs: per flush, {best:.0f} at best; replicas: with {USABLE:.0%} of the store, always recording",
            f"a heartbeat costs the store {beat:.0f} µs: {_replicas(beat, HEARTBEAT)} idle replicas",
            f"a MULTI of as many HINCRBYs, not exactly once: {several:.0f} µs at best",
            f"a call per increment: {single:.0f} µs at best for as many increments, and more for more",
        ],
    )


def _plain(client: Any) -> None:
    """A flush's numbers by plain HINCRBY."""
    for number in range(NUMBERS):
        client.hincrby(f"plain-{number % 6}", f"/v1/route/{number}", 1)
    if isinstance(client, Pipeline):
        client.execute()


def _row(meter: Meter, replicas: Fleet, interval: float) -> list[str]:
    before = meter.read()
    report = replicas.obey(Order(seconds=SECONDS, interval=interval))
    spent: Reading = meter.read().since(before)
    flushes = len(report.durations)
    percentiles = quantiles(report.durations, n=100)
    each = spent.processor_us / flushes
    return [
        f"{interval} s",
        f"{flushes / report.seconds:,.0f}",
        f"{replicas.replicas / interval:,.0f}",
        f"{percentiles[49] * 1e3:.2f}",
        f"{percentiles[98] * 1e3:.2f}",
        f"{spent.processor_us / 1e6 / report.seconds:.0%}",
        f"{report.processor_seconds / report.seconds:.0%}",
        f"{each:.0f}",
        _replicas(each, interval),
    ]


def _replicas(microseconds: float, interval: float) -> str:
    """How many replicas may spend so much each interval."""
    return f"{USABLE * interval * 1e6 / microseconds:,.0f}"
