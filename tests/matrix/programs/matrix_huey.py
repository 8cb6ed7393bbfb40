"""A task for Huey."""

import os
import sys

from huey import RedisHuey
from matrix_ledger import record

huey = RedisHuey("matrix", url=os.environ["BROKER"])


@huey.task()
def work() -> None:
    """Record."""
    record()


if __name__ == "__main__":
    from matrix_huey import work as task  # under the name that the consumer knows

    for _ in range(int(sys.argv[1])):
        task()
