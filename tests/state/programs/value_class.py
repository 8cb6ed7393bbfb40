"""A program written for the client's multiprocess mode, with our value class in the place of the client's own.

Its argument names what stands in the place of the pid. It forks one child, and waits for the end of its input.
"""

import os
import sys

from prometheus_client import Counter, Gauge, Histogram, Summary, values

from fleetmeter import flush
from fleetmeter.multiprocess import RedisValue

main = os.getpid()
values.ValueClass = RedisValue(process_identifier=lambda: sys.argv[1] if os.getpid() == main else "child")

calls = Counter("m_calls_total", "Calls.", ["k"])
seconds = Histogram("m_seconds", "Durations.", unit="seconds", buckets=(0.1, 1))
sizes = Summary("m_size", "Sizes.")
level = Gauge("m_level", "Level.", multiprocess_mode="livesum")
calls.labels("a").inc(10)
seconds.observe(0.5)
sizes.observe(3)
level.set(2)
pid = os.fork()
if pid == 0:
    calls.labels("a").inc()
    seconds.observe(5)
    level.inc(5)
    sys.exit()
assert os.waitpid(pid, 0)[1] == 0
assert flush()
sys.stdout.write("ready\n")
sys.stdout.flush()
sys.stdin.read()
