"""All API keys of the namespace, in memory: read again when they changed, once a second at most, or at need."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from fleetmeter.errors import StoreError
from fleetmeter_app.guarding.background import Background
from fleetmeter_app.guarding.door import Door
from fleetmeter_app.guarding.keys.record import VERSION_FIELD, StoredKey, read_keys

log = logging.getLogger("fleetmeter.app")

REMEMBERED = 1.0
"""Seconds between two looks at the store. A key that was revoked is refused within this and one call's `TIMEOUT`."""

SHORTEST = 0.2
"""Seconds between two looks that unknown keys cause, so that a flood of forged ones costs the store nothing."""


class Keyring:
    """Knows every key. `find` answers from memory; a background task keeps that fresh."""

    def __init__(self, door: Door, clock: Callable[[], float] = monotonic) -> None:
        self._door = door
        self._clock = clock
        self._keys: dict[str, StoredKey] = {}
        self._ever_revoked: dict[str, int] = {}
        self._version: bytes | None = None
        self._looked = self._began = float("-inf")
        self.fresh_at = float("-inf")
        self._looking = asyncio.Lock()
        self._background = Background(self._watch)

    @property
    def known(self) -> bool:
        """Whether the store has ever told which keys there are."""
        return self.fresh_at > float("-inf")

    @property
    def empty(self) -> bool:
        """Whether no key was ever created, as far as the store has told."""
        return not self._keys

    @property
    def silent_seconds(self) -> float:
        """Seconds since the store last told."""
        return self._clock() - self.fresh_at

    async def start(self) -> None:
        """Begin to look, now and again."""
        self._background.start()

    async def close(self) -> None:
        """Stop looking."""
        await self._background.stop()

    def find(self, key_id: str) -> StoredKey | None:
        """A key by its id. One that this process has seen revoked stays so, even if the store goes back."""
        found = self._keys.get(key_id)
        revoked = self._ever_revoked.get(key_id)
        return found if found is None or revoked is None else StoredKey(found.record, revoked)

    async def look(self) -> None:
        """Ask the store what changed since this call; a look within `SHORTEST` seconds before makes it wait so long.

        Whoever asked before a look begins shares it. A key that was created 0.1 s after the last look is thus found.
        """
        asked = self._clock()
        async with self._looking:
            if self._began > asked:
                return
            early = self._looked + SHORTEST - self._clock()
            if early > 0:
                await asyncio.sleep(early)
            self._began = self._clock()
            try:
                with suppress(StoreError):  # which the door has told
                    await self._refresh()
            finally:
                self._looked = self._clock()

    async def _refresh(self) -> None:
        asked = self._clock()
        version: bytes | None = await self._door.read("HGET", self._door.keys.api_keys, VERSION_FIELD)
        if version != self._version or not self.known:
            fields = await self._door.read("HGETALL", self._door.keys.api_keys)
            if isinstance(fields, list):
                fields = dict(zip(fields[::2], fields[1::2], strict=True))
            self._keys, unreadable = read_keys(fields)
            self._version = fields.get(VERSION_FIELD.encode())
            for key_id in unreadable:
                log.error("the API key %s cannot be read and is refused; revoke it and create another", key_id)
            for key_id, key in self._keys.items():
                if key.revoked_us is not None:
                    self._ever_revoked.setdefault(key_id, key.revoked_us)
        self.fresh_at = asked

    async def _watch(self) -> float:
        await self.look()
        return REMEMBERED
