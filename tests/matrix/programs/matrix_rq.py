"""A job for RQ."""

import os
import sys

from redis import Redis
from rq import Queue


def work() -> None:
    """Record."""
    from matrix_ledger import record

    record()


if __name__ == "__main__":
    queue = Queue(sys.argv[2], connection=Redis.from_url(os.environ["BROKER"]))
    for _ in range(int(sys.argv[1])):
        queue.enqueue("matrix_rq.work")
