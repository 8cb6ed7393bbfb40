"""Clients of a fleet of gateways: so many requests a second, or as fast as they are answered."""

import asyncio
import json
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle

import aiohttp

_MOST_IN_FLIGHT = 200
"""Beyond that a request is not sent: the machine is slower than it was when its capacity was measured."""
_REMEMBERED = 4.0
"""Seconds for which the end of a request is remembered."""
_SECONDS = 60.0


@dataclass
class Tally:
    """What came of the requests. `lost` ones had their connection broken, `skipped` ones were not sent."""

    statuses: Counter[int] = field(default_factory=Counter)
    lost: int = 0
    skipped: int = 0

    @property
    def sent(self) -> int:
        """How many were sent."""
        return sum(self.statuses.values()) + self.lost


@dataclass
class Server:
    """One replica as its clients see it."""

    address: str
    in_flight: int = 0
    ended: deque[float] = field(default_factory=deque)


class Load:
    """Asks chats, every fifth as a stream and every tenth a repetition, and embeddings, if there are any."""

    def __init__(self, addresses: Sequence[str], *, embeddings: bool = True) -> None:
        self.tally = Tally()
        self.servers = [Server(address) for address in addresses]
        self._turns = cycle(self.servers)
        self._embeddings = embeddings
        self._number = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def steady(self, session: aiohttp.ClientSession, rate: float, seconds: float) -> None:
        """So many requests a second for so long, then wait for the last answers."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        due = 0
        while loop.time() - began < seconds:
            while due < (loop.time() - began) * rate:
                due += 1
                if len(self._tasks) >= _MOST_IN_FLIGHT:
                    self.tally.skipped += 1
                    continue
                task = asyncio.create_task(self.one(session))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            await asyncio.sleep(1 / 100)
        await asyncio.gather(*self._tasks)

    async def closed(
        self, session: aiohttp.ClientSession, clients: int, *, requests: int | None = None, seconds: float = 1e9
    ) -> float:
        """So many clients, each with one request at a time, until that many were sent or the time is over: the rate."""
        loop = asyncio.get_running_loop()
        began, before = loop.time(), self.tally.sent
        left = requests if requests is not None else 10**12

        async def client() -> None:
            nonlocal left
            while left > 0 and loop.time() - began < seconds:
                left -= 1
                await self.one(session)

        await asyncio.gather(*(client() for _ in range(clients)))
        return (self.tally.sent - before) / (loop.time() - began)

    async def one(self, session: aiohttp.ClientSession) -> None:
        """One request to the next replica."""
        self._number += 1
        server = next(self._turns)
        path, body = self._request(self._number)
        server.in_flight += 1
        try:
            async with session.post(server.address + path, data=body, headers=_HEADERS) as response:
                await response.read()
                self.tally.statuses[response.status] += 1
        except (aiohttp.ClientError, OSError):
            self.tally.lost += 1
        finally:
            server.in_flight -= 1
            self._ended(server)

    def _ended(self, server: Server) -> None:
        now = asyncio.get_running_loop().time()
        server.ended.append(now)
        while server.ended[0] < now - _REMEMBERED:
            server.ended.popleft()

    def at_risk(self, server: Server, seconds: float) -> int:
        """Requests that a replica may not have handed over if it is killed now: under way, or ended since then."""
        since = asyncio.get_running_loop().time() - seconds
        return server.in_flight + sum(time >= since for time in server.ended)

    def _request(self, number: int) -> tuple[str, bytes]:
        if self._embeddings and number % 10 == 3:
            return "/v1/embeddings", json.dumps({"model": "text-embedding-3-small", "input": f"n {number}"}).encode()
        asked = number - number % 10 if number % 10 == 7 else number
        text = f"What is the price of share {asked}, and why did it change?"
        body = {"model": "auto", "messages": [{"role": "user", "content": text}]}
        return "/v1/chat/completions", json.dumps({**body, "stream": True} if number % 5 == 4 else body).encode()


_HEADERS = {"content-type": "application/json"}


def session() -> aiohttp.ClientSession:
    """Connections without a limit of their own."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=_SECONDS))
