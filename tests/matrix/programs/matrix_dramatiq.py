"""An actor for Dramatiq."""

import os
import sys

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from matrix_ledger import record

dramatiq.set_broker(RedisBroker(url=os.environ["BROKER"]))


@dramatiq.actor
def work() -> None:
    """Record."""
    record()


if __name__ == "__main__":
    for _ in range(int(sys.argv[1])):
        work.send()
