"""gevent: `python greenlets.py 1000`.

gevent must replace the standard library before anything else is imported. Then fleetmeter's thread is a greenlet, and
waits for the store without holding up the others.
"""

# ruff: noqa: E402
from gevent import monkey

monkey.patch_all()

import signal
import sys

import gevent
from gevent.event import Event
from prometheus_client import Counter

import fleetmeter

fleetmeter.install()
jobs = Counter("jobs", "Jobs that were done.")
numbers = iter(range(int(sys.argv[1])))
told_to_end = Event()


def work() -> None:
    """Do one job after the other."""
    while not told_to_end.is_set() and (number := next(numbers, None)) is not None:
        gevent.sleep(0.002)
        jobs.inc()
        sys.stdout.write(f"{number}\n")


gevent.signal_handler(signal.SIGTERM, told_to_end.set)
gevent.joinall([gevent.spawn(work) for _ in range(4)])
