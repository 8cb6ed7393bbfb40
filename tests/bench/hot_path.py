"""What recording costs with each client: the stock one, its multiprocess mode, fleetmeter, pytheus with its backends.

Each client runs in a process of its own, because it is chosen for a whole process. They take turns, several times, so
that a change of the machine's speed reaches all of them; the best loop of each stands for it.
"""

import json
import sys
from importlib.util import find_spec
from statistics import median
from time import perf_counter_ns

from bench.clients import CLIENTS, OPERATIONS, prepare
from bench.processes import free_port, in_its_own_process
from bench.tables import judged, show
from fleetmeter.embedded import EmbeddedStore

TURNS = 8
LOOPS = 12
"""Measured loops of one operation in one turn, after one that warms up; short ones, as only some run undisturbed."""

TARGETS = dict(zip(OPERATIONS, (1.15, 1.1, 0.7), strict=True))
"""What fleetmeter's cost may be, in the stock client's."""


def main() -> None:
    """Print nanoseconds per call, and the ratio to the stock client."""
    rust = find_spec("pytheus_backend_rs") is not None
    clients = {name: client for name, client in CLIENTS.items() if rust or "Rust" not in name}
    found: dict[str, dict[str, list[float]]] = {name: {op: [] for op in OPERATIONS} for name in clients}
    with EmbeddedStore(port=free_port()) as store:
        for _ in range(TURNS):
            for name in clients:
                for operation, loops in in_its_own_process(__name__, name, store).items():
                    found[name][operation] += loops
    stock = {operation: min(found["stock"][operation]) for operation in OPERATIONS}
    rows = []
    for name, client in clients.items():
        best = {operation: min(found[name][operation]) for operation in OPERATIONS}
        cells = [f"{best[operation]:,.0f} ({best[operation] / stock[operation]:.2f})" for operation in OPERATIONS]
        noise = max(median(found[name][operation]) / best[operation] for operation in OPERATIONS)
        rows.append([name, "all" if client.shared else "one process", *cells, f"{noise:.2f}"])
    ours = {operation: min(found["fleetmeter"][operation]) / stock[operation] for operation in OPERATIONS}
    show(
        f"hot path: ns per call, best of {TURNS * LOOPS} loops; in brackets the ratio to the stock client",
        ["client", "counts for", *OPERATIONS, "median / best"],
        rows,
        [
            *(
                judged(f"fleetmeter's {operation} in the stock client's", ours[operation], TARGETS[operation])
                for operation in OPERATIONS
            ),
            *(() if rust else ("skipped: pytheus' Rust backend, which has no wheel for this Python",)),
        ],
    )


def measure(name: str, port: int) -> dict[str, list[float]]:
    """Nanoseconds per call of each operation with one client, in this process, for each loop."""
    calls, loops = CLIENTS[name].calls, prepare(name, port)
    result: dict[str, list[float]] = {operation: [] for operation in loops}
    for number in range(1 + LOOPS):
        for operation, loop in loops.items():  # they take turns too
            started = perf_counter_ns()
            loop(calls)
            if number:
                result[operation].append((perf_counter_ns() - started) / calls)
    return result


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
