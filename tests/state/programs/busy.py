"""Counts as fast as it can, in the main thread and in others, until it is told to end; its ledger outlives it.

Arguments: the ledger's path, what the application does about SIGTERM, the number of other threads. The ledger holds
two numbers per thread, `begun` before a record and `done` after it: whatever interrupts the thread, its true count is
one of these two.
"""

import mmap
import os
import signal
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any

from prometheus_client import Counter

import fleetmeter

path, way, others = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
PAIR = struct.Struct("<qq")
path.write_bytes(bytes(PAIR.size * (others + 1)))
with path.open("r+b") as file:
    ledger = mmap.mmap(file.fileno(), 0)

counted = Counter("counted", "Records by thread.", ["thread"])
signals = Counter("signals", "Signals that the application's own handler saw.")
told = threading.Event()


def count(thread: int) -> None:
    """Record and keep the ledger until told to end."""
    child = counted.labels(str(thread))
    number = 0
    while not told.is_set():
        PAIR.pack_into(ledger, thread * PAIR.size, number + 1, number)
        child.inc()
        number += 1
        PAIR.pack_into(ledger, thread * PAIR.size, number, number)
        if way.startswith("flush") and number % 10 == 0:
            fleetmeter.flush(60)
        if thread and number % 50 == 0:
            time.sleep(0.001)


def note(*_: Any) -> None:
    """The handler of an application that ends in its own time."""
    signals.inc()
    told.set()


def leave(*_: Any) -> None:
    """The handler of an application that ends wherever it is."""
    signals.inc()
    sys.exit(7)


def wait_for_the_end_of_input() -> None:
    """End once nobody can write to this process any more."""
    sys.stdin.read()
    told.set()


former: dict[str, Any] = {
    "note": note,
    "leave": leave,
    "flush and leave": leave,
    "ignore": signal.SIG_IGN,
}
if way in former:
    signal.signal(signal.SIGTERM, former[way])
fleetmeter.install()
if way == "note late":
    signal.signal(signal.SIGTERM, note)
threads = [threading.Thread(target=count, args=(number,), daemon=True) for number in range(1, others + 1)]
for thread in threads:
    thread.start()
os.write(1, b"ready\n")
if way == "ignore":
    threading.Thread(target=wait_for_the_end_of_input, daemon=True).start()
if way == "idle":
    counted.labels("0").inc(5)
    PAIR.pack_into(ledger, 0, 5, 5)
    sys.stdin.read()
else:
    count(0)
for thread in threads:
    thread.join()
