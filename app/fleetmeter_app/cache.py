"""The prompt cache that all replicas share: exact match, bounded in time and size, the oldest evicted first.

A script in the store changes the entry and returns what happened; the replica that asked records it like any other
metric. A store that is away costs a request one short wait at most: the cache then answers `error` by itself, for a
while.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import resources
from time import monotonic
from typing import Any, Literal

import redis
from pydantic import TypeAdapter

from fleetmeter.connection.client_async import connect_async, followed_async
from fleetmeter.connection.credentials import Credentials
from fleetmeter.errors import SettingError
from fleetmeter.schema.keys import Keys
from fleetmeter_app.config.limits import CacheConfig

log = logging.getLogger("fleetmeter.app")

GetResult = Literal["hit", "miss", "expired", "error"]
PutResult = Literal["stored", "refused", "error"]

TIMEOUT = 0.25
"""Seconds that a request waits for the cache."""

MAX_CONNECTIONS = 32
"""Connections of one replica, at most; a burst of questions waits for one, within `TIMEOUT`."""

PAUSE = 2.0
"""Seconds without a try after one that failed, so that a store which hangs does not slow every request."""


@dataclass(frozen=True)
class Entry:
    """An answer worth keeping: its text, and the call that it would cost to ask again.

    Token counts are the API's own; `nanodollars` is None where the model has no price.
    """

    text: str
    model: str
    tier: str
    prompt: int
    completion: int
    cached: int
    cache_write: int
    reasoning: int
    nanodollars: int | None

    def to_json(self) -> str:
        """The text that is stored."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @staticmethod
    def from_json(text: bytes) -> "Entry":
        """Read a stored text back; ValueError where it is none."""
        return _ENTRY.validate_json(text, strict=True)


_ENTRY = TypeAdapter(Entry)


@dataclass(frozen=True)
class Lookup:
    """What a get found; `entry` is there with a hit only."""

    result: GetResult
    entry: Entry | None = None


@dataclass(frozen=True)
class Stored:
    """What a put did, and how many entries it evicted: over time, and for room."""

    result: PutResult
    expired: int = 0
    evicted: int = 0


def digest_of(model: str, messages: Sequence[dict[str, str]], max_tokens: int | None) -> str:
    """The key of a question: equal for equal model, messages and limit, and for nothing else."""
    content = json.dumps([model, messages, max_tokens], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


class PromptCache:
    """The cache of one namespace. Its methods raise nothing for the store: they answer `error`.

    `timeout` is the longest wait of one call in seconds, connecting included.

    Raises `SettingError` for a URL that the library's own client takes and the asynchronous one does not.
    """

    def __init__(
        self,
        url: str,
        keys: Keys,
        config: CacheConfig,
        clock: Callable[[], float] = monotonic,
        timeout: float = TIMEOUT,
        credentials: Credentials | None = None,
    ) -> None:
        self._config = config
        self._timeout = timeout
        self._clock = clock
        self._silent_until = 0.0
        self._failing = False
        self._keys = [keys.cache_entries, keys.cache_expiry, keys.cache_order]
        self._client = connect_async(url, keys.cache_entries, credentials, timeout, MAX_CONNECTIONS)
        try:
            # opens none, but takes every parameter of the URL
            self._client.connection_pool.make_connection()  # type: ignore[no-untyped-call]  # redis leaves it untyped
        except TypeError as error:
            problem = str(error).rpartition("() ")[2]
            raise SettingError("FLEETMETER_REDIS_URL", f"the prompt cache cannot use it: {problem}") from error
        self._get = self._client.register_script(_lua("cache_get"))
        self._put = self._client.register_script(_lua("cache_put"))

    async def get(self, digest: str) -> Lookup:
        """Look an answer up."""
        reply = await self._call(self._get, digest)
        if reply is None:
            return Lookup("error")
        result, text = reply
        if result != b"hit":
            return Lookup(result.decode())
        try:
            return Lookup("hit", Entry.from_json(text))
        except ValueError:
            log.warning("the prompt cache's entry %s cannot be read; the question goes to a model", digest)
            return Lookup("error")

    async def put(self, digest: str, entry: Entry) -> Stored:
        """Store an answer; one above the configured size is refused."""
        text = entry.to_json()
        if len(text.encode()) > self._config.max_entry_bytes:
            return Stored("refused")
        ttl_us = int(self._config.ttl_seconds * 1e6)
        reply = await self._call(self._put, digest, text, ttl_us, self._config.max_entries)
        if reply is None:
            return Stored("error")
        expired, evicted = (int(item) for item in reply)
        return Stored("stored", expired, evicted)

    async def reachable(self) -> bool:
        """Whether the store answers now."""
        try:
            return bool(await self._client.ping())
        except (redis.RedisError, OSError):
            return False

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _call(self, script: Any, *arguments: object) -> Any:
        """The reply of a script; None where the store failed, now or a moment ago."""
        if self._clock() < self._silent_until:
            return None
        try:
            async with asyncio.timeout(self._timeout):
                reply = await followed_async(partial(script, keys=self._keys, args=arguments))
        except (redis.RedisError, OSError) as error:  # asyncio's TimeoutError is an OSError
            self._silent_until = self._clock() + PAUSE
            if not self._failing:
                reason = str(error) or "no answer in time"
                log.warning("the prompt cache does not answer, questions go to the models: %s", reason)
            self._failing = True
            return None
        if self._failing:
            log.warning("the prompt cache answers again")
        self._failing = False
        return reply


def _lua(name: str) -> str:
    return (resources.files("fleetmeter_app") / "lua" / f"{name}.lua").read_text(encoding="utf-8")
