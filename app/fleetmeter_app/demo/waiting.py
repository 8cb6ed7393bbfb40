"""Waiting for the first of several things, such as the user's wish to end."""

import asyncio
import signal
from collections.abc import Coroutine


async def first_of(*coroutines: Coroutine[object, object, object]) -> int:
    """Run all coroutines until one ends, and return its place. The others are cancelled.

    If one that ended has raised, the exception is raised here.
    """
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        return min(tasks.index(task) for task in done)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Wish:
    """The user's wish to end. The first SIGINT, SIGTERM or SIGHUP ends the load, the second one ends everything."""

    def __init__(self) -> None:
        self.to_end = asyncio.Event()
        self.at_once = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._receive)

    def _receive(self) -> None:
        (self.at_once if self.to_end.is_set() else self.to_end).set()
