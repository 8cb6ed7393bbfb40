"""The one way to the store that the guards share: a script, its reply, and a clear error when there is none."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from fleetmeter.connection.client_async import followed_async
from fleetmeter.connection.credentials import Credentials
from fleetmeter.schema.keys import Keys
from fleetmeter_app.store.link import Link
from fleetmeter_app.store.script import Script

TIMEOUT = 1.0
"""Seconds that one call may take, connecting included, before the store counts as away."""

MAX_CONNECTIONS = 4
"""Each guard has one call under way at a time, and there are four of them."""


class Door:
    """Calls scripts in the store. Opens nothing before the first call.

    `keys` are those of the namespace; a script gets some of them, and all that it touches.
    """

    def __init__(self, url: str, keys: Keys, credentials: Credentials | None = None, timeout: float = TIMEOUT) -> None:
        self.keys = keys
        self._link = Link(
            url,
            keys.circuits,
            credentials,
            timeout=timeout,
            connections=MAX_CONNECTIONS,
            user="the part that keeps keys, budgets and circuits",
            gone="keys, budgets and circuits go by what was known last",
            back="keys, budgets and circuits: the store answers again",
        )
        self._scripts: dict[Script, Any] = {}

    @property
    def away(self) -> bool:
        """Whether the last call failed."""
        return self._link.away

    async def call(self, script: Script, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
        """The reply of a script. Raises `StoreError`: if no answer came, it may have run all the same."""
        run = self._scripts.get(script)
        if run is None:
            run = self._scripts[script] = self._link.client.register_script(script.text)
        return await self._link.answer(followed_async(partial(run, keys=keys, args=arguments)))

    async def read(self, *command: str) -> Any:
        """The reply of a command that only reads; raises as `call`."""
        return await self._link.answer(followed_async(partial(self._link.client.execute_command, *command)))

    async def close(self) -> None:
        """Close the connections."""
        await self._link.close()
