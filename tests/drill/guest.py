"""A program that joins the fleet for some seconds and does one thing wrong: `python -m drill.guest unpriced`."""

import sys
import time
from collections.abc import Callable
from contextlib import closing

import redis
from prometheus_client import CollectorRegistry, Counter, Gauge

import fleetmeter
from fleetmeter.llm import Usage, record_openai_call
from fleetmeter.llm.catalogue import OPENAI_MODEL_SHUTDOWN_TIMESTAMP
from fleetmeter.process.installation import current
from fleetmeter.schema.keys import Keys

PAUSE = 3.0
"""Seconds between two records: some scrapes, so that Prometheus sees the second as an increase."""

DAY = 86_400

MAX_SERIES = 20
"""The least that can be set."""


def unpriced() -> None:
    """Call a model that has no price."""
    for _ in range(2):
        record_openai_call(
            model="house-model", endpoint="responses", intent="drill", duration=0.1, usage=Usage(prompt=10)
        )
        time.sleep(PAUSE)


def overflow() -> None:
    """Use a label with too many values, and go on with that: the second half is too much."""
    visits = Counter("drill_visits", "Visits.", ["visitor"])
    for number in range(2 * MAX_SERIES):
        visits.labels(str(number)).inc()
        time.sleep(PAUSE / 20)


def ending(days: float = 10) -> None:
    """Call a model that ends in ten days."""
    for _ in range(2):
        record_openai_call(model="old-model", endpoint="responses", intent="drill", duration=0.1)
        OPENAI_MODEL_SHUTDOWN_TIMESTAMP.labels("old-model").set(time.time() + days * DAY)
        time.sleep(PAUSE)


def postponed() -> None:
    """The same model goes on for longer."""
    ending(100)


def loss() -> None:
    """Keep nothing for sending again, and meet a store that lost what it had acknowledged."""
    runtime = current()
    assert runtime is not None
    writer, keys = runtime._exchange._writer, Keys(runtime.settings.namespace)
    writer.log._keep_bytes = 0
    jobs = Counter("drill_jobs", "Jobs.")
    for _ in range(4):
        jobs.inc()
        fleetmeter.flush()
    with closing(redis.Redis.from_url(runtime.settings.url, decode_responses=True)) as client:
        _, *rest = str(client.hget(keys.writers, writer.id)).split(" ")
        client.hset(keys.writers, writer.id, " ".join(["1", *rest]))
    jobs.inc()
    fleetmeter.flush()
    time.sleep(PAUSE)


def gauge() -> None:
    """Define a family, as a gauge."""
    Gauge("drill_stock", "Stock.", registry=CollectorRegistry()).set(1)
    time.sleep(PAUSE)


def counter() -> None:
    """Define the same family, as a counter."""
    Counter("drill_stock", "Stock.", registry=CollectorRegistry()).inc()
    time.sleep(PAUSE)


DEEDS: dict[str, Callable[[], None]] = {
    deed.__name__: deed for deed in (unpriced, overflow, ending, postponed, loss, gauge, counter)
}


def main() -> None:
    """Do what the argument says."""
    fleetmeter.install()
    DEEDS[sys.argv[1]]()
    fleetmeter.shutdown()


if __name__ == "__main__":
    main()
