"""Records until its input ends, then hands over and prints its ledger: by series, the calls and their load in quarters.

Conversions of hashes are looked for twice a second, and go in small steps, so that a test can interfere with them.
"""

import json
import os
import random
import sys
import threading
import time

from prometheus_client import Counter, Histogram

import fleetmeter
from fleetmeter.writer import conversion

conversion.EVERY, conversion.AGAIN, conversion.FIELDS_PER_STEP = 0.5, 1.0, 4
SERIES = 100

calls = Counter("calls", "Calls.", ["k"])
load = Counter("load", "Load, in quarters, of which floats hold every sum.", ["k"])
took = Histogram("took_seconds", "Times.", ["k"], buckets=(0.25, 1.0))
ended = threading.Event()


def wait_for_the_end_of_input() -> None:
    """End once the test has closed this process' input."""
    sys.stdin.read()
    ended.set()


fleetmeter.install()
threading.Thread(target=wait_for_the_end_of_input, daemon=True).start()
os.write(1, b"ready\n")
ledger: dict[str, list[int]] = {}
while not ended.is_set():
    key, quarters = str(random.randrange(SERIES)), random.randrange(1, 9)
    with fleetmeter.atomic():
        calls.labels(key).inc()
        load.labels(key).inc(quarters / 4)
        took.labels(key).observe(quarters / 4)
    counted = ledger.setdefault(key, [0, 0])
    counted[0] += 1
    counted[1] += quarters
    time.sleep(0.004)
handed_over = fleetmeter.flush(30)
fleetmeter.shutdown()
sys.stdout.write(json.dumps(ledger if handed_over else None))
