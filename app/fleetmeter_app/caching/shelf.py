"""The cache in the store: one script call for each step, and no step that raises for the store."""

from dataclasses import dataclass
from secrets import token_hex
from typing import Literal
from urllib.parse import quote

from fleetmeter.schema.keys import Keys
from fleetmeter_app.caching.config import CacheConfig
from fleetmeter_app.caching.entry import Entry
from fleetmeter_app.caching.scripts import Scripts, Unanswered, log
from fleetmeter_app.caching.vault import Vault
from fleetmeter_app.store.script import Script

LEASE = 10.0
"""Seconds after which others make an answer whose maker has not been heard of: it renews its lease while it lives."""

_FIND, _KEEP, _LEASE, _DROP = (Script(f"cache_{name}") for name in ("find", "keep", "lease", "drop"))


@dataclass(frozen=True)
class Found:
    """What a lookup found.

    `state`: `hit` with the entry; `lead`: this caller makes the answer; `wait`: another process makes it; `miss`;
    `error`: the store did not answer, or the entry cannot be read. `expired`: an entry was there, too old.
    """

    state: Literal["hit", "lead", "wait", "miss", "error"]
    entry: Entry | None = None
    expired: bool = False


@dataclass(frozen=True)
class Stored:
    """What a put did, and how many entries it evicted: over time, and for room."""

    result: Literal["stored", "refused", "error"]
    expired: int = 0
    evicted: int = 0


class Shelf:
    """The entries of one namespace, and who makes which answer."""

    def __init__(
        self, scripts: Scripts, keys: Keys, config: CacheConfig, vault: Vault, *, lease: float = LEASE
    ) -> None:
        self._scripts = scripts
        self._config = config
        self._vault = vault
        self.lease = lease
        self._entries = [keys.cache_entries, keys.cache_expiry, keys.cache_order]
        self._flights = [keys.cache_flights, keys.cache_leases]

    async def find(self, field: str, token: str = "", *, looked_up: bool = True) -> Found:
        """Look an answer up; with a token, also ask to make it if it is not there."""
        lease = int(self.lease * 1e6)
        try:
            state, expired, value = await self._scripts.call(
                _FIND, self._entries + self._flights, field, token, lease, int(looked_up)
            )
        except Unanswered:
            return Found("error")
        if state != b"hit":
            return Found(state.decode(), expired=expired == b"1")
        try:
            return Found("hit", Entry.from_bytes(self._vault.opened(value, field)))
        except ValueError as error:
            log.warning("the prompt cache's entry %s cannot be read, a model is asked: %s", field, error)
            return Found("error")

    async def put(self, field: str, entry: Entry, token: str = "") -> Stored:
        """Store an answer, and end its making; one above the configured size is refused, and its making ended."""
        sealed = self._vault.sealed(entry.to_bytes(), field)
        if len(sealed) > self._config.max_entry_bytes:
            await self.give_up(field, token)
            return Stored("refused")
        ttl = int(self._config.ttl_seconds * 1e6)
        try:
            expired, evicted = await self._scripts.call(
                _KEEP, self._entries + self._flights, field, sealed, ttl, self._config.max_entries, token
            )
        except Unanswered:
            return Stored("error")
        return Stored("stored", int(expired), int(evicted))

    async def renew(self, field: str, token: str) -> None:
        """Keep making an answer; nothing happens if somebody else has taken over."""
        await self._set_lease(field, token, int(self.lease * 1e6))

    async def give_up(self, field: str, token: str) -> None:
        """End the making of an answer without one: who asks next makes it."""
        if token:
            await self._set_lease(field, token, 0)

    async def drop(self, model: str | None = None, tenant: str | None = None) -> int:
        """Remove entries, and return how many: all, or those of a model, of a tenant, or of both.

        Raises `Unanswered` if the store does not answer; what was removed by then stays removed.
        """
        place = removed = 0
        while place >= 0:
            count, place = await self._scripts.call(
                _DROP, self._entries, place, quote(model or "", safe=""), quote(tenant or "", safe=""),
                int(tenant is not None),
            )  # fmt: skip
            removed += count
        return removed

    async def _set_lease(self, field: str, token: str, lease: int) -> None:
        try:
            await self._scripts.call(_LEASE, self._flights, field, token, lease)
        except Unanswered:
            return  # the lease ends by itself; the log has it


def new_token() -> str:
    """A name for one try to make an answer."""
    return token_hex(8)
