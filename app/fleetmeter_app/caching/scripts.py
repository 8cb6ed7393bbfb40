"""Calls of scripts in the store, many at a time over one connection."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import redis

from fleetmeter.connection.credentials import Credentials
from fleetmeter.connection.routing import is_elsewhere
from fleetmeter.errors import StoreError
from fleetmeter_app.store.convoy import Convoy
from fleetmeter_app.store.link import Link
from fleetmeter_app.store.script import Script

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


class Unanswered(Exception):  # it is no error of anybody's: the caller goes on without
    """The store did not take the call; `str()` says why."""


@dataclass(frozen=True)
class _Call:
    script: Script
    keys: Sequence[str]
    arguments: Sequence[Any]

    @property
    def size(self) -> int:
        return sum(len(argument) for argument in self.arguments if isinstance(argument, bytes | str))


class Scripts:
    """Calls scripts of one namespace. What is called while a round is on its way goes out together with the next.

    So a burst of a thousand lookups takes some sixteen round trips over one connection, and no lookup waits for a free
    connection. `purpose` says in the log who does without the store. Raises `SettingError` as `Link` does.
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
        self._clock = clock
        self._silent_until = 0.0
        self._refused = ""
        self._link = Link(
            url,
            key,
            credentials,
            timeout=timeout,
            connections=2,
            user=purpose,
            gone=f"{purpose} does without the store",
            back=f"{purpose} has the store again",
        )
        self._convoy: Convoy[_Call, Any] = Convoy(
            self._send, most=_CALLS, bytes_of=lambda call: call.size, most_bytes=_BYTES
        )

    async def call(self, script: Script, keys: Sequence[str], *arguments: Any) -> Any:
        """The reply of a script. Raises `Unanswered` if the store failed, now or less than `PAUSE` ago.

        The script may have run although no answer came: it must bear to be called again.
        """
        self._require_voice()
        reply = await self._convoy.ask(_Call(script, keys, arguments))
        if isinstance(reply, Unanswered):
            raise reply
        return reply

    async def reachable(self) -> bool:
        """Whether the store answers now."""
        try:
            return bool(await self._link.attempt(self._link.client.ping()))
        except StoreError:
            return False

    async def close(self) -> None:
        """Let calls on their way end, and close the connection."""
        await self._convoy.idle()
        await self._link.close()

    def _require_voice(self) -> None:
        if self._clock() < self._silent_until:
            raise Unanswered("the store did not answer a moment ago")

    async def _send(self, calls: Sequence[_Call]) -> list[Any]:
        self._require_voice()  # what came during a round that failed
        try:
            return await self._link.answer(self._round(calls))
        except StoreError as error:
            self._silent_until = self._clock() + PAUSE
            raise Unanswered(str(error)) from error

    async def _round(self, calls: Sequence[_Call]) -> list[Any]:
        """The reply of each call: a `ResponseError` stays one, as it concerns one call."""
        replies: list[Any] = []
        for _ in range(_ROUNDS):
            replies = await self._link.replies(
                [("EVALSHA", call.script.digest, len(call.keys), *call.keys, *call.arguments) for call in calls]
            )
            errors = [reply for reply in replies if isinstance(reply, redis.ResponseError)]
            if any(isinstance(error, redis.exceptions.NoScriptError) for error in errors):
                for text in {call.script.text for call in calls}:
                    await self._link.client.script_load(text)
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
