"""A replica that records blocks until a line comes in, and says how many: atomic_writer.py NAME AT_LEAST."""

import select
import sys
import time

from prometheus_client import Counter, Histogram

import fleetmeter


def main() -> None:
    """Record, then print the number of blocks."""
    name, least = sys.argv[1], int(sys.argv[2])
    fleetmeter.install()
    calls = Counter("t_calls", "x", ["k"]).labels(name)
    twin = Counter("t_twin", "x", ["k"]).labels(name)
    cost = Histogram("t_cost_usd", "x", ["k"], unit="usd", buckets=(1, 5)).labels(name)
    count = 0
    while count < least or not select.select([sys.stdin], [], [], 0)[0]:
        with fleetmeter.atomic():
            calls.inc()
            time.sleep(0.001)  # long enough for a batch to be sent meanwhile
            cost.observe((0.5, 2, 9)[count % 3])
            twin.inc(2)
        count += 1
        select.select([sys.stdin], [], [], 0.01)
    sys.stdout.write(str(count))


main()
