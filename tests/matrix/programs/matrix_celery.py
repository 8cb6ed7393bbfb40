"""A task for Celery."""

import os
import sys

from celery import Celery
from matrix_ledger import record

app = Celery("matrix_celery", broker=os.environ["BROKER"])


@app.task(name="work")
def work() -> None:
    """Record."""
    record()


if __name__ == "__main__":
    for _ in range(int(sys.argv[1])):
        app.send_task("work")
