"""The bodies of answers. Scrapes at the same time share one: it is read, written out and compressed once."""

import asyncio
import time
import weakref
import zlib
from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

from fleetmeter_exporter.exposition.body import Body
from fleetmeter_exporter.exposition.formats import Format
from fleetmeter_exporter.fleet import Fleet, Scrape
from fleetmeter_exporter.scraper import Scraper
from fleetmeter_exporter.shared import Shared

GZIP_LEVEL = 1
"""Level 1 makes 6 MB thirty times smaller, in a fifth of the time of level 6, whose result is hardly smaller
(`make bench`)."""

_GZIP = zlib.MAX_WBITS + 16
"""What tells zlib to write gzip's head, too."""

_Key = tuple[Format, frozenset[str], str, tuple[int, ...]]


class Exposed(NamedTuple):
    """The body of an answer, and whether any namespace could be read for it."""

    body: bytes | Body
    read: bool


class Answers:
    """Makes the answers to scrapes, in any event loop."""

    def __init__(self, scraper: Scraper) -> None:
        self._scraper = scraper
        self._reads = [Shared(fleet.scrape) for fleet in scraper.fleets]
        self._bodies: weakref.WeakValueDictionary[_Key, asyncio.Task[bytes | Body]] = weakref.WeakValueDictionary()

    async def body(self, form: Format, names: frozenset[str], coding: str, limit: float) -> Exposed:
        """The exposition of all namespaces. One that is not read within `limit` seconds has the error `timeout`."""
        started = time.perf_counter()
        reads = [read.ask() for read in self._reads]
        await asyncio.wait(reads, timeout=max(limit, 0.0))
        scrapes = [
            read.result() if read.done() else _too_slow(fleet, limit)
            for fleet, read in zip(self._scraper.fleets, reads, strict=True)
        ]
        key = (form, names, coding, tuple(map(id, scrapes)))
        task = self._bodies.get(key)
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            make = partial(self._made, scrapes, started, form, names, coding)
            task = self._bodies[key] = asyncio.create_task(asyncio.to_thread(make))
        return Exposed(await asyncio.shield(task), any(scrape.shown is not None for scrape in scrapes))

    def _made(
        self, scrapes: Sequence[Scrape], started: float, form: Format, names: frozenset[str], coding: str
    ) -> bytes | Body:
        body = self._scraper.body(scrapes, started, form, names)
        return compressed(body) if coding else body


def compressed(pieces: Iterable[bytes]) -> bytes:
    """Pieces of a body compressed with gzip, and without a time in it, so that equal bodies stay equal."""
    coder = zlib.compressobj(GZIP_LEVEL, wbits=_GZIP)
    return b"".join([*map(coder.compress, pieces), coder.flush()])


def _too_slow(fleet: Fleet, limit: float) -> Scrape:
    scrape = Scrape(fleet.namespace, seconds=limit)
    scrape.note("", "timeout", f"the store was not read within {limit:.1f} s, which is all the time of this scrape")
    return scrape
