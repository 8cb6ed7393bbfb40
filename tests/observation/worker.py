"""Another service of the fleet: it records what the gateway does not, so that no panel is empty.

It counts no call, token or dollar: those are the gateways', and equal the upstream's ledger. One of its metrics has a
label with too many values, which a family refuses from `MAX_SERIES` on.
"""

import random
import time

from prometheus_client import Counter

import fleetmeter
from fleetmeter.llm import catalogue

MAX_SERIES = 20
"""Label sets that a family of this service may hold."""
STANDS_IN = frozenset(
    {
        "openai_time_to_first_token_seconds",
        "openai_stream_aborts_total",
    }
)
"""The families that it records in the place of the gateway."""
_MODELS = ("gpt-6-luna", "gpt-6.1-terra", "gpt-6.1-sol")
_ROUND = 0.1


def main() -> None:
    """Work until somebody ends it."""
    fleetmeter.install(max_series=MAX_SERIES, replica="worker")
    catalogue.SERVICE.info({"service": "research-worker", "version": "2.3.1"})
    jobs = Counter("worker_jobs", "Jobs done, by customer: one label too many.", ["customer"])
    draw = random.Random(7)
    number = 0
    while True:
        number += 1
        for model in _MODELS:
            catalogue.OPENAI_TIME_TO_FIRST_TOKEN.labels(model).observe(draw.lognormvariate(-1.2, 0.5))
            aborts = [catalogue.OPENAI_STREAM_ABORTS.labels(model, usage) for usage in ("reported", "estimated")]
            if draw.random() < 0.03:
                draw.choice(aborts).inc()
        if number % 20 == 0:
            jobs.labels(f"customer-{number}").inc()
        time.sleep(_ROUND)


if __name__ == "__main__":
    main()
