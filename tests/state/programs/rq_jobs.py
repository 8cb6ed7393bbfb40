"""A job for RQ's workers; each notes in the ledger that it was done."""

import os

from prometheus_client import Counter

import fleetmeter

fleetmeter.install()
done = Counter("jobs", "Jobs done.")


def work(fail: bool = False) -> None:
    """Count and note it."""
    done.inc()
    ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(ledger, b"x")
    os.close(ledger)
    if fail:
        raise ValueError("this job fails")
