"""A gateway in the process of the test, with a real store and real models: it is asked as `/ask` asks it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fleetmeter_app.caching.scripts import Scripts
from fleetmeter_app.caching.shared import SharedCache
from fleetmeter_app.caching.vault import Vault
from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.seams import BudgetsSeam, NoBudgets, Seams
from fleetmeter_app.serving.ask import Questions
from fleetmeter_app.serving.loaded import Loaded, default_deployment
from fleetmeter_app.serving.pipeline import Pipeline
from fleetmeter_app.serving.upstreams import Upstreams
from support.guards import PATIENT
from support.store import StoreAddress


@asynccontextmanager
async def asked(
    config: GatewayConfig, store: StoreAddress, base_url: str, *, url: str = "", budgets: BudgetsSeam | None = None
) -> AsyncIterator[Questions]:
    """Takes questions; `url` is for a store in trouble. At the end, what is being made is made and stored."""
    scripts = Scripts(url or store.url, store.keys.cache_entries, "the prompt cache", timeout=PATIENT)
    cache = SharedCache(scripts, store.keys, config.cache, Vault())
    loaded = Loaded.make(config, default_deployment(base_url, "k"))
    upstreams = Upstreams(config.upstream)
    try:
        yield Questions(Pipeline(loaded, upstreams.client, Seams(cache=cache, budgets=budgets or NoBudgets())))
    finally:
        await cache.idle()
        await cache.close()
        await upstreams.close()
