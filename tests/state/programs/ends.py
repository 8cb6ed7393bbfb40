"""A script that records and then ends, in the way that its argument names."""

import atexit
import sys
import threading
import time

from prometheus_client import Counter, Histogram

import fleetmeter

way = sys.argv[1]
jobs = Counter("jobs", "Jobs done.")
late = Counter("late", "Records of the last exit function.")
failures = Counter("failures", "Jobs that failed: none does.", ["reason"])
cost = Counter("cost_usd", "What they cost.", unit="usd")
size = Histogram("job_size", "Their size.", buckets=(1, 10))

atexit.register(late.inc, 7)  # registered before install(), and therefore called after everything of ours
fleetmeter.install()
failures.labels("network")


def work(count: int) -> None:
    """Record so many jobs."""
    for _ in range(count):
        with fleetmeter.atomic():
            jobs.inc()
            size.observe(3)
        cost.inc(0.0001)


def work_later() -> None:
    """Record when the main thread is at its end."""
    time.sleep(0.5)
    work(500)


work(500)
if way == "threads":
    threads = [threading.Thread(target=work, args=(500,)) for _ in range(4)]
    for thread in threads:
        thread.start()
elif way == "slow thread":
    threading.Thread(target=work_later).start()
elif way == "shutdown":
    fleetmeter.shutdown()
    work(500)
elif way == "sys.exit":
    sys.exit(3)
elif way == "raise":
    raise RuntimeError("nobody handles this")
elif way == "no thread to be had":
    threading.stack_size(1 << 46)  # no system gives a thread that much
    fleetmeter.shutdown()
    work(500)
