"""Calls of scripts in the store, many at a time over one connection."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import resources
from time import monotonic
from typing import Any

import redis

from fleetmeter.connection.client_async import connect_async
from fleetmeter.connection.credentials import Credentials
from fleetmeter.connection.routing import is_elsewhere
from fleetmeter.errors import SettingError
from fleetmeter_app.caching.patience import within

log = logging.getLogger("fleetmeter.app")

TIMEOUT = 0.25
"""Seconds that the store may take for one round of calls, beside the time that this process does not listen."""

PAUSE = 2.0
"""Seconds without a try after one that failed, so that a store which hangs does not slow every request."""

_CALLS = 64
_BYTES = 4_000_000
"""Most calls of one round, and most bytes of their arguments: what follows waits for the next round."""

_ROUNDS = 3
"""Times that a round is sent because its data moved to another node, or its scripts were gone."""


class Script:
    """A Lua script of this package, and the digest that the store knows it by."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = (resources.files("fleetmeter_app") / "lua" / f"{name}.lua").read_text(encoding="utf-8")
        self.digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class Unanswered(Exception):  # it is no error of anybody's: the caller goes on without
    """The store did not take the call; `str()` says why."""


@dataclass
class _Call:
    script: Script
    keys: Sequence[str]
    arguments: Sequence[Any]
    reply: "asyncio.Future[Any]" = field(repr=False)

    @property
    def size(self) -> int:
        return sum(len(argument) for argument in self.arguments if isinstance(argument, bytes | str))

    def end(self, reply: Any) -> None:
        if self.reply.done():  # nobody waits any more
            return
        if isinstance(reply, Exception):
            self.reply.set_exception(reply)
        else:
            self.reply.set_result(reply)


class Scripts:
    """Calls scripts of one namespace. What is called while a round is on its way goes out together with the next.

    So a burst of a thousand lookups takes some sixteen round trips over one connection, and no lookup waits for a free
    connection. `purpose` says in the log who does without the store. Raises `SettingError` for a URL that the library's
    own client takes and the asynchronous one does not.
    """

    def __init__(
        self,
        url: str,
        key: str,
        purpose: str,
        *,
        credentials: Credentials | None = None,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._purpose = purpose
        self._timeout = timeout
        self._clock = clock
        self._silent_until = 0.0
        self._failing = False
        self._refused = ""
        self._waiting: list[_Call] = []
        self._sender: asyncio.Task[None] | None = None
        # its own limit only ends a connection that hangs: ours comes first
        self._client = connect_async(url, key, credentials, 4 * timeout, 2)
        try:
            # opens none, but takes every parameter of the URL
            self._client.connection_pool.make_connection()  # type: ignore[no-untyped-call]  # redis leaves it untyped
        except TypeError as error:
            problem = str(error).rpartition("() ")[2]
            raise SettingError("FLEETMETER_REDIS_URL", f"{purpose} cannot use it: {problem}") from error

    async def call(self, script: Script, keys: Sequence[str], *arguments: Any) -> Any:
        """The reply of a script. Raises `Unanswered` if the store failed, now or less than `PAUSE` ago.

        The script may have run although no answer came: it must bear to be called again.
        """
        if self._clock() < self._silent_until:
            raise Unanswered("the store did not answer a moment ago")
        call = _Call(script, keys, arguments, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send())
        return await call.reply

    async def reachable(self) -> bool:
        """Whether the store answers now."""
        try:
            return bool(await within(self._timeout, self._client.ping()))
        except (redis.RedisError, OSError):
            return False

    async def close(self) -> None:
        """Let calls on their way end, and close the connection."""
        if self._sender is not None:
            await asyncio.gather(self._sender, return_exceptions=True)
        await self._client.aclose()

    async def _send(self) -> None:
        while self._waiting:
            calls = self._taken()
            try:
                replies = await within(self._timeout, self._round(calls))
            except (redis.RedisError, OSError) as error:  # asyncio's TimeoutError is an OSError
                self._failed(str(error) or type(error).__name__)
                for call in calls + self._waiting:
                    call.end(Unanswered(str(error)))
                self._waiting.clear()
                return
            except BaseException:  # a loop that ends: nobody may wait for ever
                for call in calls + self._waiting:
                    call.reply.cancel()
                self._waiting.clear()
                raise
            self._answered()
            for call, reply in zip(calls, replies, strict=True):
                call.end(reply)

    def _taken(self) -> list[_Call]:
        count = size = 0
        for call in self._waiting:
            size += call.size
            if count and (count == _CALLS or size > _BYTES):
                break
            count += 1
        taken = self._waiting[:count]
        del self._waiting[:count]
        return taken

    async def _round(self, calls: Sequence[_Call]) -> list[Any]:
        """The reply of each call: a `ResponseError` stays one, as it concerns one call."""
        replies: list[Any] = []
        for _ in range(_ROUNDS):
            pipeline = self._client.pipeline(transaction=False)
            for call in calls:
                pipeline.execute_command("EVALSHA", call.script.digest, len(call.keys), *call.keys, *call.arguments)
            replies = await pipeline.execute(raise_on_error=False)
            errors = [reply for reply in replies if isinstance(reply, redis.ResponseError)]
            if any(isinstance(error, redis.exceptions.NoScriptError) for error in errors):
                for text in {call.script.text for call in calls}:
                    await self._client.script_load(text)
            elif not any(is_elsewhere(error) for error in errors):
                break
        return [self._judged(call, reply) for call, reply in zip(calls, replies, strict=True)]

    def _judged(self, call: _Call, reply: Any) -> Any:
        """A reply as it came; `Unanswered` for an error that concerns this call alone, such as a full store's."""
        if not isinstance(reply, Exception):
            return reply
        reason = f"{call.script.name}: {reply}"
        if reason != self._refused:
            log.warning("%s: the store refused %s", self._purpose, reason)
        self._refused = reason
        return Unanswered(str(reply))

    def _failed(self, reason: str) -> None:
        self._silent_until = self._clock() + PAUSE
        if not self._failing:
            log.warning("%s does without the store: %s", self._purpose, reason)
        self._failing = True

    def _answered(self) -> None:
        if self._failing:
            log.warning("%s has the store again", self._purpose)
        self._failing = False
