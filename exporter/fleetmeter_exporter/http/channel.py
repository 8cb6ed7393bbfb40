"""The way to one client: what is written to it, and how long it may take, within the limits."""

import asyncio
from typing import cast

from fleetmeter_exporter.http.limits import Limits


class Channel(asyncio.Protocol):
    """A client's transport with a timer, and a writer that waits for the client to take what it gets.

    `stalls_since` is when the client last stopped to take what is sent to it; None while it takes.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._deadline = 0.0
        self._closing = False
        self._gone = False
        self.stalls_since: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client is there, and its handshake is over."""
        # A TCP or TLS one. It is not asked for its class: uvloop before 0.22 has one that is none of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=self._limits.chunk_bytes)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  why does not matter
        """The client is gone; what is written goes on into the void."""
        self._gone = True
        self._disarm()
        self._writable.set()

    def pause_writing(self) -> None:
        """The client does not keep up."""
        self.stalls_since = self._loop.time()
        self._writable.clear()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self.stalls_since = None
        self._writable.set()

    def close(self, *, linger: bool = False) -> None:
        """End once what was written is sent. `linger`: the client may still be writing, and is to read first."""
        if self._closing or self._transport is None:
            self.abort()
            return
        self._closing = True
        if linger and not self._transport.is_closing():
            if self._transport.can_write_eof():
                self._transport.write_eof()
            self._transport.resume_reading()
            self._arm(self._limits.linger_seconds)
        else:
            self._transport.close()
            self._arm(self._limits.stall_seconds)

    def abort(self) -> None:
        """End at once, whatever was not sent."""
        self._closing = True
        if self._transport is not None:
            self._transport.abort()

    async def _write(self, data: bytes) -> None:
        """Write piece by piece as the client takes it; give it up when it stalls, or at the deadline."""
        view = memoryview(data)
        for start in range(0, len(data), self._limits.chunk_bytes):
            if self._gone or self._transport is None:
                return
            self._transport.write(view[start : start + self._limits.chunk_bytes])
            if not self._writable.is_set():
                stall = self._loop.time() + self._limits.stall_seconds
                try:
                    async with asyncio.timeout_at(min(stall, self._deadline)):
                        await self._writable.wait()
                except TimeoutError:
                    self.abort()
                    return

    def _read_on(self, *, on: bool) -> None:
        """Take what the client sends from now on, or leave it with the kernel."""
        assert self._transport is not None  # noqa: S101  there is one as soon as there are requests
        (self._transport.resume_reading if on else self._transport.pause_reading)()

    def _arm(self, seconds: float) -> None:
        """Close in so many seconds."""
        self._disarm()
        self._timer = self._loop.call_later(seconds, self.close)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
