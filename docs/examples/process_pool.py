"""ProcessPoolExecutor: `python process_pool.py 1000 spawn`, also fork or forkserver.

Each worker process is a replica. Forked workers have fleetmeter from their parent. The others import this module, which
calls `install()` at its top. From 3.12 on, Python warns of a fork beside threads, and this process has fleetmeter's
thread once it has recorded. So choose another start method, as Python 3.14 does, or fork before the first record.
"""

import multiprocessing
import signal
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor

from prometheus_client import Counter

import fleetmeter

fleetmeter.install()
jobs = Counter("jobs", "Jobs that were done.")


def work(number: int) -> None:
    """One job."""
    time.sleep(0.002)
    jobs.inc()
    sys.stdout.write(f"{number}\n")


if __name__ == "__main__":
    told_to_end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told_to_end.set())
    count = int(sys.argv[1])
    with ProcessPoolExecutor(2, multiprocessing.get_context(sys.argv[2])) as pool:
        for first in range(0, count, 20):
            if not told_to_end.is_set():
                list(pool.map(work, range(first, min(first + 20, count))))
