"""The shared cache as requests meet it: which of them it answers, and what may be removed from it."""

from fleetmeter.schema.keys import Keys
from fleetmeter_app.caching.cache import AnswerCache, Reply
from fleetmeter_app.caching.config import CacheConfig
from fleetmeter_app.caching.flight import Make
from fleetmeter_app.caching.question import Asked, Question, Wish, field_of, may_share
from fleetmeter_app.caching.scripts import Scripts
from fleetmeter_app.caching.shelf import Shelf
from fleetmeter_app.caching.vault import Vault
from fleetmeter_app.errors import ApiError

_FINAL = frozenset({400, 404, 413, 422})
"""Statuses that concern the question: whoever asks the same would get the same."""


class SharedCache:
    """The cache of one namespace. A change of `config` needs a restart."""

    def __init__(self, scripts: Scripts, keys: Keys, config: CacheConfig, vault: Vault) -> None:
        self._scripts = scripts
        self._vault = vault
        self._config = config
        self._shelf = Shelf(scripts, keys, config, vault)
        self._cache = AnswerCache(self._shelf, 4 * config.max_entry_bytes, _is_final)

    def question(self, asked: Asked) -> Question | None:
        """What a request is known as; None if its answer is not to be shared."""
        wish = Wish.from_header(asked.headers.get("cache-control"))
        if not self._config.enabled or not wish.kept or not may_share(asked.fields, sampled=self._config.sampled):
            return None
        field = field_of(self._vault, asked.endpoint, asked.caller.tenant, asked.model, asked.fields)
        return Question(field, wish.looked_up)

    async def answer(self, question: Question | None, intent: str, make: Make) -> Reply:
        """The answer to a question."""
        return await self._cache.answer(question, intent, make)

    async def invalidate(self, model: str | None, tenant: str | None) -> int:
        """Remove entries of a model, of a tenant, of both, or all. Raises `Unanswered` if the store does not answer."""
        return await self._shelf.drop(model, tenant)

    async def idle(self) -> None:
        """Wait until no answer is being made or stored."""
        await self._cache.idle()

    async def reachable(self) -> bool:
        """Whether the store answers now."""
        return await self._scripts.reachable()

    async def close(self) -> None:
        """Give up what is being made, store what is complete, and close the connection."""
        await self._cache.close()
        await self._scripts.close()


def _is_final(error: BaseException) -> bool:
    return isinstance(error, ApiError) and error.status in _FINAL
