"""Threads: `python threads.py 1000`.

Every thread counts into the same series of this process; one thread of fleetmeter's hands them over.
"""

import signal
import sys
import time
from threading import Event, Thread

from prometheus_client import Counter

import fleetmeter

fleetmeter.install()
jobs = Counter("jobs", "Jobs that were done.")
numbers = iter(range(int(sys.argv[1])))
told_to_end = Event()


def work() -> None:
    """Do one job after the other."""
    while not told_to_end.is_set() and (number := next(numbers, None)) is not None:
        time.sleep(0.002)
        jobs.inc()
        sys.stdout.write(f"{number}\n")


signal.signal(signal.SIGTERM, lambda *_: told_to_end.set())
threads = [Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
