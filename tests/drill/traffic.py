"""The load of the drill: popular questions that the cache answers, and whatever a fault mixes in."""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count

import httpx

RATE = 20.0
"""Requests per second."""

_TIMEOUT = 20.0


class Traffic:
    """Asks the gateways in turn. `mixed` holds, by the fault's name, a share of the requests and who words them."""

    def __init__(self, gateways: Sequence[str]) -> None:
        self.mixed: dict[str, tuple[float, Callable[[int], dict[str, str]]]] = {}
        self.paused = False
        self._gateways = gateways
        self._draw = random.Random(7)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Ask until cancelled."""
        async with httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT) as client:
            for number in count():
                await asyncio.sleep(1 / RATE)
                if not self.paused and len(self._tasks) < 300:
                    address = self._gateways[number % len(self._gateways)]
                    task = asyncio.create_task(self._ask(client, address, self._next(number)))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)

    def _next(self, number: int) -> dict[str, str]:
        luck = self._draw.random()
        for share, words in self.mixed.values():
            if luck < share:
                return words(number)
            luck -= share
        # one in ten is new, so that the models have something to do
        return {"query": f"price of S{number if self._draw.random() < 0.1 else number % 30}"}

    async def _ask(self, client: httpx.AsyncClient, address: str, body: dict[str, str]) -> None:
        with suppress(httpx.HTTPError):  # a gateway that is killed or frozen is part of the drill
            await client.post(f"{address}/ask", json=body)
