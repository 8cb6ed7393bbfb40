"""Counts every 2 ms and writes when it did, before it counts: the ledger of a process that may be killed.

Argument: how many records to make; without it, it never ends.
"""

import itertools
import os
import sys
import time

from prometheus_client import Counter

import fleetmeter

fleetmeter.install()
timed = Counter("timed", "Records.")
os.write(1, b"ready\n")
for _ in range(int(sys.argv[1])) if len(sys.argv) > 1 else itertools.count():
    os.write(1, f"{time.monotonic()}\n".encode())
    timed.inc()
    time.sleep(0.002)
