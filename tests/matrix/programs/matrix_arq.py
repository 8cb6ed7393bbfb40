"""A job for arq."""

import asyncio
import os
import sys
from typing import Any

from arq import create_pool
from arq.connections import RedisSettings
from matrix_ledger import record


async def work(_: Any) -> None:
    """Record."""
    record()


class Settings:
    """The worker's."""

    functions = (work,)
    redis_settings = RedisSettings.from_dsn(os.environ["BROKER"])
    poll_delay = 0.05


async def main() -> None:
    """Put jobs into the queue."""
    pool = await create_pool(Settings.redis_settings)
    for _ in range(int(sys.argv[1])):
        await pool.enqueue_job("work")


if __name__ == "__main__":
    asyncio.run(main())
