"""The one way to the store that the guards share: a script, its reply, and a clear error when there is none."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from importlib import resources
from typing import Any

from fleetmeter.connection.client import translated
from fleetmeter.connection.client_async import connect_async, followed_async
from fleetmeter.connection.credentials import Credentials
from fleetmeter.errors import StoreError
from fleetmeter.schema.keys import Keys

log = logging.getLogger("fleetmeter.app")

TIMEOUT = 1.0
"""Seconds that one call may take, connecting included, before the store counts as away.

Longer than any healthy store needs, because the time that this process itself is busy is measured with it.
"""

MAX_CONNECTIONS = 4
"""Each guard has one call under way at a time, and there are four of them."""


class Door:
    """Calls scripts in the store. Opens nothing before the first call.

    `keys` are those of the namespace; a script gets some of them, and all that it touches.
    """

    def __init__(self, url: str, keys: Keys, credentials: Credentials | None = None, timeout: float = TIMEOUT) -> None:
        self.keys = keys
        self._timeout = timeout
        self._client = connect_async(url, keys.circuits, credentials, timeout, MAX_CONNECTIONS)
        self._scripts: dict[str, Any] = {}
        self._away = False

    async def call(self, name: str, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
        """The reply of a script of `lua/`. Raises `StoreError`: if no answer came, it may have run all the same."""
        script = self._scripts.get(name)
        if script is None:
            script = self._scripts[name] = self._client.register_script(source(name))
        return await self._answer(partial(script, keys=keys, args=arguments))

    async def read(self, *command: str) -> Any:
        """The reply of a command that only reads; raises as `call`."""
        return await self._answer(partial(self._client.execute_command, *command))

    async def _answer(self, call: Callable[[], Awaitable[Any]]) -> Any:
        try:
            with translated():
                async with asyncio.timeout(self._timeout):
                    reply = await followed_async(call)
        except StoreError as error:
            if not self._away:
                log.warning("keys, budgets and circuits go by what was known last: %s", error)
            self._away = True
            raise
        if self._away:
            log.warning("keys, budgets and circuits: the store answers again")
        self._away = False
        return reply

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def source(name: str) -> str:
    """The text of a script."""
    return (resources.files("fleetmeter_app") / "lua" / f"{name}.lua").read_text(encoding="utf-8")
