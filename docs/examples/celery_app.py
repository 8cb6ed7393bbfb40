"""Celery: `CELERY_BROKER_URL=redis://127.0.0.1:6379/1 celery --app celery_app worker`.

Each child of the prefork pool is a replica, and hands over when it ends: with the worker, after `max_tasks_per_child`,
or by SIGTERM. `worker_process_init` is not needed. The threads, gevent and solo pools count in the worker's process.
"""

import sys
import time

from celery import Celery
from prometheus_client import Counter

import fleetmeter

fleetmeter.install()
jobs = Counter("jobs", "Jobs that were done.")
app = Celery("celery_app")
app.conf.worker_redirect_stdouts = False  # what a task writes is no log record


@app.task  # type: ignore[untyped-decorator]  # Celery ships no types
def work(number: int) -> None:
    """One job."""
    time.sleep(0.002)
    jobs.inc()
    sys.stdout.write(f"{number}\n")
