"""A task for taskiq."""

import asyncio
import os
import sys

from matrix_ledger import record
from taskiq_redis import ListQueueBroker

broker = ListQueueBroker(os.environ["BROKER"])


@broker.task(task_name="work")
async def work() -> None:
    """Record."""
    record()


async def main() -> None:
    """Put tasks into the queue."""
    await broker.startup()
    for _ in range(int(sys.argv[1])):
        await work.kiq()
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
