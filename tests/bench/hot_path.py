"""What recording costs: the stock client in one process, its multiprocess mode, and fleetmeter, in one run.

Each client runs in a process of its own, because it is chosen for a whole process. The three take turns, several times,
so that a change of the machine's speed reaches all of them; the best turn of each stands for it.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING

from fleetmeter.embedded import EmbeddedStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import Counter, Histogram

CLIENTS = ("stock", "multiprocess", "fleetmeter")
OPERATIONS = ("bound inc", "labels().inc()", "observe")
TURNS = 5
CALLS = 200_000


def main() -> None:
    """Print nanoseconds per call, and the ratio to the stock client."""
    best = {client: dict.fromkeys(OPERATIONS, float("inf")) for client in CLIENTS}
    with EmbeddedStore() as store:
        for _ in range(TURNS):
            for client in CLIENTS:
                for operation, nanoseconds in _turn(client, store.url).items():
                    best[client][operation] = min(best[client][operation], nanoseconds)
    print(f"hot path: ns per call, best of {TURNS} turns of {CALLS:,} calls; in brackets the ratio to the stock client")
    print(f"{'':16}" + "".join(f"{client:>22}" for client in CLIENTS))
    for operation in OPERATIONS:
        stock = best["stock"][operation]
        cells = (f"{best[client][operation]:.0f} ({best[client][operation] / stock:.2f})" for client in CLIENTS)
        print(f"{operation:16}" + "".join(f"{cell:>22}" for cell in cells))


def _turn(client: str, url: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as directory:
        environ = {**os.environ, "FLEETMETER_REDIS_URL": url, "FLEETMETER_NAMESPACE": "bench"}
        if client == "multiprocess":
            environ["PROMETHEUS_MULTIPROC_DIR"] = directory
        command = [sys.executable, str(Path(__file__)), client]
        output = subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout
    result: dict[str, float] = json.loads(output)
    return result


def measure(client: str) -> dict[str, float]:
    """Nanoseconds per call of each operation, with one client, in this process."""
    from prometheus_client import CollectorRegistry, Counter, Histogram

    if client == "fleetmeter":
        import fleetmeter

        fleetmeter.install()
    registry = CollectorRegistry()
    counter = Counter("bench_calls_total", "Calls.", ["method", "code"], registry=registry)
    histogram = Histogram("bench_seconds", "Durations.", registry=registry)
    bound = counter.labels("GET", "200")
    operations: dict[str, Callable[[], None]] = {
        "bound inc": lambda: _repeat_inc(bound),
        "labels().inc()": lambda: _repeat_labels(counter),
        "observe": lambda: _repeat_observe(histogram),
    }
    result = {}
    for name, run in operations.items():
        run()
        started = perf_counter_ns()
        run()
        result[name] = (perf_counter_ns() - started) / CALLS
    return result


def _repeat_inc(counter: "Counter") -> None:
    for _ in range(CALLS):
        counter.inc()


def _repeat_labels(counter: "Counter") -> None:
    for _ in range(CALLS):
        counter.labels("GET", "200").inc()


def _repeat_observe(histogram: "Histogram") -> None:
    for _ in range(CALLS):
        histogram.observe(0.3)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
