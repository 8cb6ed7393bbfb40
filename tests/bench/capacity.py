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
from fleetmeter.schema.rows import HEARTBEAT

REPLICAS = 1_000
SECONDS = 10.0
INTERVALS = (0.25, 1.0)
USABLE = 0.7
"""Share of the store's one thread that the writers may take: scrapes and other clients need theirs."""

NUMBERS = COUNTERS + 2 * HISTOGRAMS + len(OWN)


def main() -> None:
    """Print what was reached, what a flush cost the store, and the replicas that follow from it."""
    with EmbeddedStore() as store, fleet(store.url, REPLICAS) as replicas:
        meter, replica = Meter(store.url), Replica(store.url, REPLICAS)
        replica.flush()
        calls = {
            "flush": replica.flush,
            "heartbeat": replica.catch_up,
            "MULTI": lambda: _plain(meter.client.pipeline()),
            "single": lambda: _plain(meter.client),
        }
        reached, turns = [], []
        for interval in INTERVALS:
            turns.append({name: meter.cost(call, 60).processor_us for name, call in calls.items()})
            reached.append(_reached(meter, replicas, interval))
        meter.close()
    best = {name: min(turn[name] for turn in turns) for name in calls}
    show(
        f"capacity: {REPLICAS:,} emulated replicas, {SERIES} dirty series ({NUMBERS} numbers) in every flush",
        [
            "interval", "flushes/s", "asked for", "p50 ms", "p99 ms", "store busy", "emulation busy",
            "µs/flush", "replicas", "µs at best", "replicas at best",
        ],
        [
            [*row, f"{best['flush']:.0f}", _replicas(best["flush"], interval)]
            for interval, row in zip(INTERVALS, reached, strict=True)
        ],
        [
            "busy: in processors; the emulation gets what others leave, and is the limit while the store is not busy",
            f"replicas: with {USABLE:.0%} of the store's one thread, each recording all the time",
            f"a heartbeat: {best['heartbeat']:.0f} µs at best, {_replicas(best['heartbeat'], HEARTBEAT)} idle replicas",
            f"a MULTI of as many HINCRBYs, not exactly once: {best['MULTI']:.0f} µs at best",
            f"a call per increment: {best['single']:.0f} µs at best for as many increments, and more for more",
        ],
    )  # fmt: skip


def _plain(client: Any) -> None:
    """A flush's numbers by plain HINCRBY."""
    for number in range(NUMBERS):
        client.hincrby(f"plain-{number % 6}", f"/v1/route/{number}", 1)
    if isinstance(client, Pipeline):
        client.execute()


def _reached(meter: Meter, replicas: Fleet, interval: float) -> list[str]:
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
