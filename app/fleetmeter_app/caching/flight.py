"""One answer on its way, read by any number of callers of this process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from fleetmeter_app.caching.entry import Facts

AHEAD = 262_144
"""Bytes that an answer may be ahead of its fastest reader: an upstream waits for its clients, as without a cache."""


class Abandoned(Exception):  # it is no error: nothing failed
    """An answer was given up while it was made: nobody waited for it any more, or the process ends."""


async def closed(chunks: AsyncIterator[bytes]) -> None:
    """Close a source of chunks that may be left early."""
    close = getattr(chunks, "aclose", None)
    if close is not None:
        await close()


@dataclass(frozen=True)
class Made:
    """An answer that somebody makes: its head, its bytes as they come, and what it is once they have all come.

    `facts` is asked after the last chunk; it returns None for an answer that must not be kept.
    """

    status: int
    content_type: str
    chunks: AsyncIterator[bytes]
    facts: Callable[[], Facts | None]


Make = Callable[[], Awaitable[Made]]
"""Begins to make an answer."""


class Flight:
    """The chunks of one answer, from the first on for each reader that joins.

    Beyond `most_bytes` it takes no new readers, and forgets what all of them have read. Once the last reader has left
    an answer that is not complete, `abandon` is called.
    """

    def __init__(self, most_bytes: int, abandon: Callable[[], object]) -> None:
        self.head: tuple[int, str] | None = None
        self.facts: Facts | None = None
        self.done = False
        self.open = True
        self._most_bytes = most_bytes
        self._abandon = abandon
        self._error: BaseException | None = None
        self._chunks: list[bytes] = []
        self._forgotten = 0
        self._readers: set[Reader] = set()
        self._size = 0
        self._changed = asyncio.Event()
        self._read = asyncio.Event()

    def join(self) -> "Reader":
        """A reader of the whole answer; it must be closed."""
        reader = Reader(self)
        self._readers.add(reader)
        return reader

    def begin(self, status: int, content_type: str) -> None:
        """The head is known."""
        self.head = status, content_type
        self._tell()

    async def add(self, chunk: bytes) -> None:
        """One more chunk; waits while every reader is far behind."""
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > self._most_bytes:
            self.open = False
        self._tell()
        while self._readers and min(self._size - reader.size for reader in self._readers) > AHEAD:
            self._read.clear()
            await self._read.wait()

    def end(self, facts: Facts | None = None) -> None:
        """The answer is complete."""
        self.facts = facts
        self.done = True
        self._tell()

    def fail(self, error: BaseException) -> None:
        """It will not become complete: readers get `error` behind the chunks that are there."""
        self._error = error
        self.open = False
        self.done = True
        self._tell()

    def known(self) -> Facts | None:
        """What the answer is, once it is complete."""
        return self.facts

    @property
    def body(self) -> bytes | None:
        """All chunks together; None if they were too many to be kept."""
        return None if self._forgotten or self._size > self._most_bytes else b"".join(self._chunks)

    async def first(self) -> tuple[int, str]:
        """Status and content type, once they are known; raises what the answer failed with."""
        while self.head is None:
            if self._error is not None:
                raise self._error
            await self._changed.wait()
        return self.head

    async def chunk(self, reader: "Reader") -> bytes | None:
        """The next chunk of a reader; None at the end."""
        while reader.count - self._forgotten == len(self._chunks):
            if self._error is not None:
                raise self._error
            if self.done:
                return None
            await self._changed.wait()
        chunk = self._chunks[reader.count - self._forgotten]
        reader.count += 1
        reader.size += len(chunk)
        self._read.set()
        if not self.open:
            self._forget()
        return chunk

    def leave(self, reader: "Reader") -> None:
        """A reader reads no more."""
        self._readers.discard(reader)
        self._read.set()
        if not self._readers and not self.done:
            self.open = False
            self._abandon()

    def _forget(self) -> None:
        read = min((reader.count for reader in self._readers), default=self._forgotten)
        del self._chunks[: read - self._forgotten]
        self._forgotten = read

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Reader:
    """One caller's way through a flight: `async for chunk in reader`, and `aclose()` in the end, however it ends."""

    def __init__(self, flight: Flight) -> None:
        self.count = 0
        self.size = 0
        self._flight = flight

    def __aiter__(self) -> "Reader":
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._flight.chunk(self)
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Read no more; the last one that leaves ends an answer that is not complete."""
        self._flight.leave(self)
