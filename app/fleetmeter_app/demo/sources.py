"""The two sources of counts beside the client's own: the exporter and the upstream's ledger."""

import asyncio
import time

import httpx

from fleetmeter.watching.totals import Totals
from fleetmeter_app.demo.errors import DemoError
from fleetmeter_app.demo.fleet import DemoFleet
from fleetmeter_app.upstream.ledger import Ledger

_TIMEOUT = 5.0
"""Seconds that one answer may take."""


class Sources:
    """Reads both sources; an async context manager."""

    def __init__(self, fleet: DemoFleet) -> None:
        self._exporter = f"{fleet.exporter}/metrics"
        self._upstream = fleet.upstream
        self._client = httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT)

    async def __aenter__(self) -> "Sources":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def totals(self) -> Totals:
        """One scrape. Raises `DemoError`."""
        return Totals.parse((await self._get("the exporter", self._exporter)).text)

    async def ledger(self) -> Ledger | None:
        """The upstream's accounts; None if real models answer. Raises `DemoError`."""
        if self._upstream is None:
            return None
        document = (await self._get("the upstream", f"{self._upstream}/ledger")).json()
        return Ledger.from_json(document)

    async def _get(self, who: str, url: str) -> httpx.Response:
        deadline = time.monotonic() + _TIMEOUT
        while True:
            try:
                return (await self._client.get(url)).raise_for_status()
            except httpx.HTTPError as error:
                # Tried again for a while, because the server may just have closed an idle connection.
                if time.monotonic() > deadline:
                    raise DemoError(f"{who} does not answer at {url}: {str(error) or type(error).__name__}") from error
                await asyncio.sleep(0.2)
