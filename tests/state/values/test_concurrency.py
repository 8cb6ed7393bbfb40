"""Many writers, many scrapes: no scrape is torn, every total is exact."""

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from fleetmeter.reader.families import families_of
from fleetmeter.reader.reading import Reader
from fleetmeter.schema.definition import Definition
from support.fleet import Replica
from support.store import StoreAddress

PROCESSES, THREADS, SCRAPES = 4, 16, 1000
EVENTS = 200
"""Blocks that each writer records at least."""

AMOUNTS = (0.5, 2, 9)
"""What the blocks observe in turn: one in each bucket."""

HISTOGRAM = Definition.of("t_cost_usd", "histogram", "x", "usd", ("k",), ("1.0", "5.0", "+Inf"), "")

PROGRAM = Path(__file__).parents[1] / "programs" / "atomic_writer.py"


def record(replica: Replica, cells: dict[str, Any], number: int) -> None:
    """One block, which lasts long enough for a batch to be sent meanwhile: a counter, a histogram, a counter."""
    block = replica.accumulator.begin()
    cells["calls"].inc(1)
    time.sleep(0.001)
    cells["sum"].inc(AMOUNTS[number % 3])
    cells[HISTOGRAM.bounds[number % 3]].inc(1)
    cells["twin"].inc(2)
    replica.accumulator.commit(block)


def write(address: StoreAddress, name: str, stop: threading.Event, totals: list[int]) -> None:
    """A writer that records blocks and flushes until it is told to stop."""
    replica = Replica(address, interval=0.005)
    cells: dict[str, Any] = {
        "calls": replica.counter("t_calls", "", ["k"], [name]),
        "twin": replica.counter("t_twin", "", ["k"], [name]),
        "sum": replica.cell(HISTOGRAM, (name,), "sum"),
        **{bound: replica.cell(HISTOGRAM, (name,), bound) for bound in HISTOGRAM.bounds},
    }
    count = 0
    while count < EVENTS or not stop.is_set():
        record(replica, cells, count)
        count += 1
        if count == 1:
            replica.flush()  # starts the thread, which sends by itself from here on
        stop.wait(0.01)
    assert replica.flush(10)
    replica.close()
    totals.append(count)


def check(reader: Reader) -> dict[str, float]:
    """Take a scrape that must not be torn; the number of blocks that it shows of each writer."""
    parts: dict[str, dict[str, float]] = {}
    for family in families_of(reader.read()):
        if family.definition.name.startswith("t_"):
            for sample in family.samples:
                labels = dict(sample.labels)
                key = family.definition.name + sample.suffix + labels.get("le", "")
                parts.setdefault(labels["k"], {})[key] = sample.value
    for shown in parts.values():
        calls = shown["t_calls_total"]
        assert shown["t_twin_total"] == 2 * calls
        assert shown["t_cost_usd_count"] == shown["t_cost_usd_bucket+Inf"] == calls
        assert shown["t_cost_usd_sum"] == calls // 3 * sum(AMOUNTS) + sum(AMOUNTS[: int(calls) % 3])
        assert shown["t_cost_usd_bucket1.0"] == (calls + 2) // 3
        assert shown["t_cost_usd_bucket5.0"] == (calls + 2) // 3 + (calls + 1) // 3
    return {name: shown["t_calls_total"] for name, shown in parts.items()}


def test_no_scrape_is_torn_and_every_total_is_exact(store: StoreAddress) -> None:
    """20 writers, 4 of them processes, and 1,000 scrapes: what one block recorded is seen together or not at all."""
    stop = threading.Event()
    totals: list[int] = []
    processes = [
        subprocess.Popen(
            [sys.executable, str(PROGRAM), f"p{number}", str(EVENTS)],
            env={**store.environ, "FLEETMETER_FLUSH_INTERVAL": "0.005"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(PROCESSES)
    ]
    threads = [threading.Thread(target=write, args=(store, f"t{number}", stop, totals)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    reader = Reader(store.url, store.namespace)
    seen: dict[str, float] = {}
    changes = 0
    try:
        for _ in range(SCRAPES):
            shown = check(reader)
            assert all(shown[name] >= count for name, count in seen.items()), "no count goes down"
            changes += shown != seen
            seen = shown
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        outputs = [process.communicate(b"stop\n", timeout=30)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * PROCESSES
    expected = sum(totals) + sum(int(output) for output in outputs)
    final = check(reader)
    reader.close()
    assert len(final) == PROCESSES + THREADS
    assert sum(final.values()) == expected
    assert changes > 50, "the scrapes met writers at work"
