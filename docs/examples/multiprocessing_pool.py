"""multiprocessing.Pool: `python multiprocessing_pool.py 1000`.

The end of the `with` block terminates the workers by SIGTERM, and they hand over before they end. Such workers run no
exit functions, and fleetmeter does not need them.
"""

import signal
import sys
import threading
import time
from multiprocessing import Pool

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
    count = int(sys.argv[1])
    with Pool(2) as pool:
        signal.signal(signal.SIGTERM, lambda *_: told_to_end.set())  # not before: workers that inherit it would not end
        for first in range(0, count, 20):
            if not told_to_end.is_set():
                pool.map(work, range(first, min(first + 20, count)))
