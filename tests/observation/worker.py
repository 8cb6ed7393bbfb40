"""Another program of the fleet: a worker that has given one of its metrics a label with too many values."""

import time

from prometheus_client import Counter, Gauge

import fleetmeter

MAX_SERIES = 20
"""Label sets that a family of this program may hold."""

if __name__ == "__main__":
    fleetmeter.install(max_series=MAX_SERIES, replica="worker")
    JOBS = Counter("worker_jobs", "Jobs done, by customer: one label too many.", ["customer"])
    LEVEL = Gauge("worker_level", "A gauge, so that a value can be refused.", multiprocess_mode="livemax")
    number = 0
    while True:
        number += 1
        JOBS.labels(f"customer-{number}").inc()
        LEVEL.set(number)
        time.sleep(0.5)
