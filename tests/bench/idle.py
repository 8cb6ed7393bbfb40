"""What a replica costs that has recorded once and is idle: its processor, and the store's calls.

All clients idle at the same time, each in a process of its own. A fourth process only sleeps: what it shows is the
limit of the measurement.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from time import process_time, sleep

from bench.clients import prepare
from bench.meter import Meter
from bench.processes import free_port, in_its_own_process
from bench.tables import show
from fleetmeter.embedded import EmbeddedStore

SECONDS = 20.0
SAMPLE = 15.0
"""Seconds over which the store's calls are counted: three heartbeats."""

SETTLE = 2.0
"""Seconds after the record until the measurement begins; the first flush is in them."""

START = 5.0
"""Seconds that the processes may take to start, on a busy machine."""

CLIENTS = ("nothing", "stock", "multiprocess", "fleetmeter")


def main() -> None:
    """Print processor seconds per hour of each idle process, and the calls of an idle replica."""
    with EmbeddedStore(port=free_port()) as store, ThreadPoolExecutor(len(CLIENTS)) as pool:
        meter = Meter(store.url)
        running = {name: pool.submit(in_its_own_process, __name__, name, store) for name in CLIENTS}
        sleep(START + SETTLE)
        before = meter.read()
        sleep(SAMPLE)
        spent = meter.read().since(before)
        seconds = {name: process.result() for name, process in running.items()}
        meter.close()
    show(
        f"idle: a process that has recorded once, over {SECONDS:.0f} s",
        ["client", "processor seconds per hour", "share of a processor"],
        [[name, f"{used / SECONDS * 3600:.2f}", f"{used / SECONDS:.5%}"] for name, used in seconds.items()],
        [
            f"an idle replica makes {spent.script_calls / SAMPLE:.2f} calls a second to the store, its heartbeats;",
            f"one takes {spent.script_us / max(1, spent.script_calls):.0f} µs there, in the script",
        ],
    )


def measure(client: str, port: int) -> float:
    """Processor seconds of this process while it is idle."""
    if client != "nothing":
        for record in prepare(client, port).values():
            record(1)
    sleep(SETTLE)
    started = process_time()
    sleep(SECONDS)
    return process_time() - started


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
