"""Another service of the fleet: one of its metrics has a label with too many values.

A family refuses these from `MAX_SERIES` on, so that there is a loss to be seen. The service counts no call, token or
dollar: those are the gateways', and equal the upstream's ledger.
"""

import time

from prometheus_client import Counter

import fleetmeter
from fleetmeter.llm import catalogue

MAX_SERIES = 20
"""Label sets that a family of this service may hold."""
_ROUND = 2.0


def main() -> None:
    """Work until somebody ends it."""
    fleetmeter.install(max_series=MAX_SERIES, replica="worker")
    catalogue.SERVICE.info({"service": "research-worker", "version": "2.3.1"})
    jobs = Counter("worker_jobs", "Jobs done, by customer: one label too many.", ["customer"])
    number = 0
    while True:
        number += 1
        jobs.labels(f"customer-{number}").inc()
        time.sleep(_ROUND)


if __name__ == "__main__":
    main()
