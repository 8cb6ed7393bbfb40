"""How long a fleet takes to bring a store up to date that went back to an earlier state, as a failover may make it.

A thousand emulated replicas have every batch acknowledged; then the store is killed and started from an older copy of
itself. Each replica finds that out with its next call and sends again what is missing, in one call.
"""

from contextlib import closing
from time import monotonic
from typing import Any

from bench.emulation import NAMESPACE, Fleet, Order, fleet
from bench.meter import Meter
from bench.tables import show
from fleetmeter.connection.client import connect
from fleetmeter.embedded import EmbeddedStore
from fleetmeter.reader.families import families_of
from fleetmeter.reader.reading import Reader
from support.exposition import Series

REPLICAS = 1_000
KEPT = 2
"""Batches of each replica that the older copy holds."""

LOST = (1, 10)
"""Batches of each replica that it does not."""

_TOTALS = ("_total", "_count", "_sum")


def main() -> None:
    """Print how long it took, what it cost the store, and whether the totals are what was recorded."""
    rows = []
    with EmbeddedStore() as store, fleet(store.url, REPLICAS) as replicas:
        recorded = 1
        for lost in LOST:
            replicas.obey(Order(rounds=KEPT))
            _save(store)
            usual = replicas.obey(Order(rounds=lost))
            recorded += KEPT + lost
            _go_back(store)
            rows.append(_row(store, replicas, lost, recorded, usual.seconds))
    show(
        f"replay: {REPLICAS:,} emulated replicas, whose store lost the newest batches of each",
        ["batches lost", "recorded in s", "lost", "sent again in s", "store s", "emulation s", "µs/replica", "totals"],
        rows,
        [
            "recorded in: the time in which the emulation had those batches acknowledged before",
            "store s, µs/replica: the store's processor time",
            "In a real fleet each replica finds out by itself, at its next flush or heartbeat: within 5 s.",
        ],
    )


def _save(store: EmbeddedStore) -> None:
    client: Any = connect(store.url)
    client.save()
    client.close()


def _go_back(store: EmbeddedStore) -> None:
    """Kill the store and start it from what was saved last."""
    store.kill()
    store.start()


def _row(store: EmbeddedStore, replicas: Fleet, lost: int, recorded: int, usual: float) -> list[str]:
    """Let the fleet bring the store up to date; `recorded` is what each replica has counted in each series."""
    due = recorded * replicas.replicas
    missing = {series: due - total for series, total in _totals(store).items()}
    meter = Meter(store.url)
    before, started = meter.read(), monotonic()
    report = replicas.obey(Order(catch_up=True))
    seconds, spent = monotonic() - started, meter.read().since(before)
    meter.close()
    wrong = [series for series, total in _totals(store).items() if total != due]
    return [
        f"{lost} x {replicas.replicas:,}",
        f"{usual:.1f}",
        f"{sum(missing.values()):,}",
        f"{seconds:.1f}",
        f"{spent.processor_us / 1e6:.2f}",
        f"{report.processor_seconds:.1f}",
        f"{spent.processor_us / replicas.replicas:.0f}",
        "exact" if not wrong else f"WRONG: {len(wrong)} series",
    ]


def _totals(store: EmbeddedStore) -> dict[Series, int]:
    """Every counter, count and sum of the fleet, as the store has it."""
    with closing(Reader(store.url, NAMESPACE)) as reader:
        return {
            (family.definition.name + sample.suffix, frozenset(sample.labels)): round(sample.value)
            for family in families_of(reader.read())
            for sample in family.samples
            if sample.suffix in _TOTALS
        }
