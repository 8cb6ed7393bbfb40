"""Connecting from asynchronous code: the same stores, settings and rules as in `client.py`, which is for threads."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import redis.asyncio
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from fleetmeter.connection.client import FOLLOWS, pool_arguments
from fleetmeter.connection.credentials import Credentials
from fleetmeter.connection.discovery import Finder
from fleetmeter.connection.routing import WatchfulConnection, WatchfulSSLConnection, is_elsewhere, leaves

T = TypeVar("T")


def connect_async(
    url: str, key: str, credentials: Credentials | None, timeout: float, max_connections: int
) -> redis.asyncio.Redis:
    """An asynchronous client that never repeats a call by itself; see `connect`.

    `timeout` is in seconds, for connections and for answers; it is used if the URL names none. When
    `max_connections` are in use, the next caller waits until one of them is free.
    """
    options = {"max_connections": max_connections, **pool_arguments(url, key, credentials, timeout)}
    options["connection_class"] = _ASYNCHRONOUS.get(options["connection_class"], _UnixConnection)
    options["retry"] = Retry(NoBackoff(), 0)
    return redis.asyncio.Redis.from_pool(redis.asyncio.BlockingConnectionPool(**options))


async def followed_async(call: Callable[[], Awaitable[T]]) -> T:
    """The twin of `client.followed`."""
    for _ in range(FOLLOWS):
        try:
            return await call()
        except redis.ResponseError as error:
            if not is_elsewhere(error):
                raise
    return await call()


class _Watchful:
    """The twin of `routing._Watchful`. It asks sentinels or nodes in a thread, because that is rare."""

    host: str
    port: int

    def __init__(self, *, finder: Finder | None = None, **options: Any) -> None:
        self._finder = finder
        self._stale = False
        super().__init__(**options)

    async def connect(self) -> None:
        """Open the connection, if it is not open or not of use any more."""
        if self._stale:
            await self.disconnect()  # type: ignore[attr-defined]  # as every connection of redis-py has it
            self._stale = False
        fresh = not self.is_connected  # type: ignore[attr-defined]
        await super().connect()  # type: ignore[misc]
        if fresh and self._finder is not None and self._finder.must_be_master:
            await self.send_command("ROLE")  # type: ignore[attr-defined]
            role = (await self.read_response())[0]
            if role not in (b"master", "master"):
                self._finder.distrust()
                await self.disconnect()  # type: ignore[attr-defined]
                raise redis.ConnectionError(f"{self.host}:{self.port} is no master any more")

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        """The next reply. If it says that the data is elsewhere, this connection is not used any more."""
        try:
            return await super().read_response(*arguments, **options)  # type: ignore[misc]
        except redis.ResponseError as error:
            self._stale |= leaves(error, self._finder, getattr(self, "host", ""))
            raise

    async def _connect(self) -> None:
        if self._finder is None:
            await super()._connect()  # type: ignore[misc]
            return
        self.host, self.port = await asyncio.to_thread(self._finder.find)
        try:
            await super()._connect()  # type: ignore[misc]
        except OSError:  # asyncio's TimeoutError too
            self._finder.distrust()
            raise


class _TcpConnection(_Watchful, Connection):
    pass


class _SSLConnection(_Watchful, SSLConnection):
    pass


class _UnixConnection(_Watchful, UnixDomainSocketConnection):
    pass


_ASYNCHRONOUS: dict[type, type] = {WatchfulConnection: _TcpConnection, WatchfulSSLConnection: _SSLConnection}
