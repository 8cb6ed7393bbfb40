"""The load: asks the replicas in turn, at a steady rate, and counts every reply."""

import asyncio
from collections.abc import Mapping
from itertools import cycle
from typing import Any

import httpx

from fleetmeter_app.demo.traffic.mix import Mix
from fleetmeter_app.demo.traffic.questions import Question
from fleetmeter_app.demo.traffic.sdk import Sdk
from fleetmeter_app.demo.traffic.tally import ASK, Tally

_REPLY_SECONDS = 60.0
_MOST_IN_FLIGHT = 100
"""Requests without a reply at the same time. When there are so many, the load waits."""

_IDLE_SECONDS = 2.0
"""Seconds for which an idle connection is kept. uvicorn closes it after 5 s; a request sent just then would fail."""


class Load:
    """Asks `rate` questions per second of the gateways (name → address) and keeps the tally.

    `keys` are the teams' API keys, by team; without keys nobody needs one.
    """

    def __init__(
        self, gateways: Mapping[str, str], keys: Mapping[str, str], mix: Mix, rate: float, tally: Tally | None = None
    ) -> None:
        self.tally = Tally() if tally is None else tally
        self._gateways = cycle(gateways.items())
        self._keys = keys
        self._mix = mix
        self._pause = 1 / rate
        self._client = httpx.AsyncClient(
            timeout=_REPLY_SECONDS, trust_env=False, limits=httpx.Limits(keepalive_expiry=_IDLE_SECONDS)
        )
        self._sdk = Sdk(gateways, keys, self.tally)
        self._in_flight: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Ask until cancelled. Requests that are under way then go on."""
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            replica, address = next(self._gateways)
            request = self._mix.next()
            asking = (
                self._ask(replica, address, request)
                if isinstance(request, Question)
                else self._sdk.ask(replica, request)
            )
            self._in_flight.add(asyncio.create_task(asking))
            self._collect()
            while len(self._in_flight) >= _MOST_IN_FLIGHT:
                await asyncio.wait(self._in_flight, return_when=asyncio.FIRST_COMPLETED)
                self._collect()
            # If the load fell behind, it goes on at its rate, without a burst to catch up.
            due = max(due + self._pause, clock())
            await asyncio.sleep(due - clock())

    async def finish(self, seconds: float) -> None:
        """Wait for the replies that are still due. One that does not come in time counts as unknown."""
        if self._in_flight:
            _, late = await asyncio.wait(self._in_flight, timeout=seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        self._collect()

    async def close(self) -> None:
        """Drop the requests that are under way, and close the connections."""
        await self.finish(0.0)
        await self._client.aclose()
        await self._sdk.close()

    async def _ask(self, replica: str, address: str, question: Question) -> None:
        headers = {"content-type": question.content_type}
        if question.team in self._keys:
            headers["authorization"] = f"Bearer {self._keys[question.team]}"
        try:
            response = await self._client.post(f"{address}{ASK}", content=question.body, headers=headers)
        except (httpx.TransportError, asyncio.CancelledError):  # nobody awaits the task but `finish`
            self.tally.lose()
            return
        self.tally.record(replica, question, response.status_code, _json(response))

    def _collect(self) -> None:
        """Forget tasks that are done. An exception in one is a fault of the demo, and ends the load."""
        done = {task for task in self._in_flight if task.done()}
        self._in_flight -= done
        for task in done:
            task.result()


def _json(response: httpx.Response) -> dict[str, Any]:
    """The JSON object in a reply; empty if there is none, as in a server's plain 500."""
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
