"""The rate limits of the fleet: one script call counts a request under all limits of its key."""

from collections.abc import Sequence
from itertools import chain
from time import monotonic

from fleetmeter.errors import StoreError
from fleetmeter.llm.guards import record_key_rejection
from fleetmeter_app.errors import ApiError
from fleetmeter_app.guarding.caller import Caller
from fleetmeter_app.guarding.door import Door
from fleetmeter_app.store.convoy import Convoy
from fleetmeter_app.store.script import Script

_TAKE = Script("rates_take")

_LONGEST_WAIT = 60.0
"""Seconds: OpenAI's SDKs do not wait longer than that, so that a retry would come too early."""

_AGAIN = 0.5
"""Seconds between two tries while the store is away, so that a request waits for one that hangs now and then only."""


class Rates:
    """Counts requests. While the store is away they are not limited, or all refused if not `fail_open`."""

    def __init__(self, door: Door, *, fail_open: bool = True) -> None:
        self._door = door
        self._fail_open = fail_open
        self._convoy = Convoy(self._send)
        self._silent_until = 0.0

    def configure(self, *, fail_open: bool) -> None:
        """Go by another rule from now on."""
        self._fail_open = fail_open

    async def take(self, caller: Caller) -> None:
        """Count one request. Raises `ApiError` 429, with the time to wait, if the caller has none left."""
        if not caller.rates:
            return
        if monotonic() < self._silent_until:
            self._without_store()
            return
        try:
            wait_us = await self._convoy.ask(caller)
        except StoreError:
            self._silent_until = monotonic() + _AGAIN
            self._without_store()
            return
        if wait_us:
            record_key_rejection("rate_limited")
            seconds = wait_us / 1e6
            allowed = ", ".join(map(str, caller.rates))
            raise ApiError(
                429,
                "rate_limit_error",
                f"Rate limit reached for this key: {allowed}. Try again in {seconds:.3g} s.",
                code="rate_limit_exceeded",
                retry_after=seconds,
                should_retry=None if seconds <= _LONGEST_WAIT else False,
            )

    async def close(self) -> None:
        """Let nobody wait any more."""
        await self._convoy.close()

    async def _send(self, callers: Sequence[Caller]) -> list[int]:
        arguments = list(chain.from_iterable(map(_arguments, callers)))
        reply = await self._door.call(_TAKE, [self._door.keys.rates], arguments)
        return [int(wait) for wait in reply]

    def _without_store(self) -> None:
        if not self._fail_open:
            record_key_rejection("unavailable")
            message = "Requests cannot be counted just now; try again in a moment."
            raise ApiError(503, "server_error", message, code="store_unavailable", retry_after=1.0)


def _arguments(caller: Caller) -> list[str]:
    limits = [
        (f"{caller.key_id} {rate.limit}/{rate.seconds}", str(rate.limit), str(rate.seconds)) for rate in caller.rates
    ]
    return [str(len(limits)), *chain.from_iterable(limits)]
