"""Records, says so, and ends: by itself, or by an error of its own; the store may answer nothing at all."""

import logging
import sys

from prometheus_client import Counter

import fleetmeter

logging.basicConfig(level=logging.WARNING, format="%(message)s")
fleetmeter.install()
counter = Counter("stranded", "x", registry=None)
counter.inc(5)
if sys.argv[1] == "durable":
    try:
        with fleetmeter.durable(timeout=0.5):
            counter.inc()
    except fleetmeter.NotDurable as error:
        sys.stdout.write(f"not durable: {error.reason}")
elif sys.argv[1] == "error":
    raise SystemExit("failed by itself")
