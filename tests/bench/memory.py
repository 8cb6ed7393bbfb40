"""What series cost in memory: in the process that counts them, in the store, and in the log of what may be sent again.

The process' share is the growth of its resident memory; each client runs in a process of its own.
"""

import gc
import json
import os
import resource
import sys
from pathlib import Path
from random import Random
from typing import Any

from bench.flush import flush_of
from bench.processes import free_port, in_its_own_process
from bench.tables import show
from fleetmeter.connection.client import connect
from fleetmeter.embedded import EmbeddedStore
from fleetmeter.schema.keys import Keys
from fleetmeter.values.delta import Delta
from fleetmeter.writer.replay import BUNDLE, KEEP_BYTES, ReplayLog

SERIES = 100_000
PER_FAMILY = 10_000
"""As many as a family may hold by default."""

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""With +Inf 12 buckets."""

KINDS = {"counters, 2 labels": ("counter", SERIES), "histograms, 12 buckets": ("histogram", SERIES // 10)}
CLIENTS = ("stock", "multiprocess", "fleetmeter")


def main() -> None:
    """Print bytes per series for each client, then those of the log per flush."""
    rows = []
    with EmbeddedStore(port=free_port()) as store:
        for kind, (metric, series) in KINDS.items():
            for client in CLIENTS:
                found = in_its_own_process(__name__, client, store, metric, series)
                stored = _stored(store, series) if client == "fleetmeter" else found["file"]
                cells = [found["made"], found["recorded"], found["highest"], stored]
                rows.append([f"{kind}, {client}", f"{series:,}", *(f"{cell:,.0f}" if cell else "-" for cell in cells)])
    show(
        "memory: bytes per series",
        ["series and client", "series", "made", "recorded", "highest", "stored"],
        rows,
        [
            "made: growth of the process when the series exist; recorded: after one record of each, which fleetmeter",
            "has handed over; highest: until then. stored: in Redis, once for the fleet, and two numbers of each",
            "histogram so far; in multiprocess mode in the file of each process, with all buckets",
        ],
    )
    show(
        f"memory: the log of acknowledged batches, {KEEP_BYTES / 2**20:.0f} MiB at most",
        ["flush of", "bytes per flush", "bytes per number", "minutes kept at 4 flushes/s"],
        [_logged(series) for series in (1, 20, 200, 2_000)],
    )


def _stored(store: EmbeddedStore, series: int) -> float:
    """Bytes per series in the store, and an empty namespace again."""
    client: Any = connect(store.url)
    keys = Keys("bench")
    kept = [keys.family("bench"), *keys.packed("bench")]
    total = sum(
        client.memory_usage(key, samples=0) for stem in kept for key in client.scan_iter(f"{stem}*", count=1000)
    )
    client.flushdb()
    client.close()
    return float(total / series)


def _logged(series: int) -> list[str]:
    """One size of flush: what the log keeps for it. The names are the same in each, the amounts are not."""
    log, flushes, amounts = ReplayLog(), 20 * BUNDLE + 1, Random(5)
    names = flush_of(series, min(series, 10), parted=False, packed=True).adds
    for _ in range(flushes):
        adds = {family: {name: amounts.randrange(1, 1_000) for name in numbers} for family, numbers in names.items()}
        log.append(Delta(adds=adds), 0.0)
    each = log.size / flushes
    return [f"{series:,} series", f"{each:,.0f}", f"{each / series:.1f}", f"{min(60.0, KEEP_BYTES / each / 240):.0f}"]


def measure(client: str, metric: str, series: int) -> dict[str, float]:
    """Bytes per series in this process: when they are made, when each has recorded, and the highest in between."""
    if client == "fleetmeter":
        import fleetmeter

        fleetmeter.install()
    names = [(f"method-{number % 10}", f"/v1/route/{number}") for number in range(series)]
    before = _resident()
    children = _children(metric, names)
    made = _resident() - before
    for number, child in enumerate(children):
        if metric == "counter":
            child.inc()
        else:
            child.observe(0.001 * (number % 12_000))
    if client == "fleetmeter" and not fleetmeter.flush(timeout=60):
        raise RuntimeError("the store did not take what was recorded")
    recorded = _resident() - before
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    file = sum(path.stat().st_size for path in Path(directory).iterdir()) if directory else 0
    found = {"made": made, "recorded": recorded, "highest": highest, "file": file}
    return {name: value / series for name, value in found.items()}


def _children(metric: str, names: list[tuple[str, str]]) -> list[Any]:
    from prometheus_client import CollectorRegistry, Counter, Histogram

    registry, labels = CollectorRegistry(), ["method", "route"]
    children = []
    for first in range(0, len(names), PER_FAMILY):
        name = f"bench_{first // PER_FAMILY}"
        family: Counter | Histogram = (
            Counter(name, "Calls.", labels, registry=registry)
            if metric == "counter"
            else Histogram(name, "Sizes.", labels, buckets=BOUNDS, registry=registry)
        )
        children += [family.labels(*values) for values in names[first : first + PER_FAMILY]]
    return children


def _resident() -> int:
    """Bytes of this process in memory, after a garbage collection."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[3], int(sys.argv[4]))))
