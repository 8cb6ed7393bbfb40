"""asyncio: `python coroutines.py 1000`.

Recording does no I/O, so you may record anywhere in a coroutine. To hand over at once, `await fleetmeter.aflush()`,
which leaves the event loop free.
"""

import asyncio
import signal
import sys
from collections.abc import Iterator

from prometheus_client import Counter

import fleetmeter

fleetmeter.install()
jobs = Counter("jobs", "Jobs that were done.")


async def work(numbers: Iterator[int], told_to_end: asyncio.Event) -> None:
    """Do one job after the other."""
    while not told_to_end.is_set() and (number := next(numbers, None)) is not None:
        await asyncio.sleep(0.002)
        jobs.inc()
        sys.stdout.write(f"{number}\n")


async def main() -> None:
    """Let four tasks share the jobs."""
    told_to_end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told_to_end.set)
    numbers = iter(range(int(sys.argv[1])))
    await asyncio.gather(*(work(numbers, told_to_end) for _ in range(4)))


asyncio.run(main())
