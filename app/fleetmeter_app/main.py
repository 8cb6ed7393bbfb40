"""`fleetmeter-app`: composes one replica of the gateway and serves it."""

import logging
import math
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import uvicorn

import fleetmeter
from fleetmeter.errors import SettingError
from fleetmeter.escaping import printable
from fleetmeter.instrumentation.http import ASGIApp, HTTPMiddleware
from fleetmeter.instrumentation.http_metrics import HTTPMetrics
from fleetmeter.instrumentation.replica_metrics import replica_gauges
from fleetmeter.llm import configure
from fleetmeter.llm.catalogue import SERVICE
from fleetmeter.llm.guards import create_guard_children
from fleetmeter.process.installation import aflush
from fleetmeter.process.patience import EXIT_TIMEOUT
from fleetmeter.schema.keys import Keys
from fleetmeter.settings import Settings, without_password
from fleetmeter_app.caching.scripts import Scripts
from fleetmeter_app.caching.shared import SharedCache
from fleetmeter_app.caching.vault import Vault
from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.config.reload import Reload
from fleetmeter_app.config.settings import CACHE_KEY, AppSettings, key_of
from fleetmeter_app.errors import ConfigError
from fleetmeter_app.guarding.door import Door
from fleetmeter_app.guarding.guards import Guards
from fleetmeter_app.routing.router import NO_TIER
from fleetmeter_app.seams import Seams
from fleetmeter_app.serving.api import Api
from fleetmeter_app.serving.loaded import Loaded, default_deployment
from fleetmeter_app.serving.pipeline import Pipeline
from fleetmeter_app.serving.protocol import bounded
from fleetmeter_app.serving.upstreams import Upstreams
from fleetmeter_exporter import make_asgi_app
from fleetmeter_exporter.http.listeners import place
from fleetmeter_exporter.logs import configure as configure_log
from fleetmeter_exporter.logs import fields
from fleetmeter_exporter.memory import malloc_trim, map_large_blocks
from fleetmeter_exporter.redaction import redacted

log = logging.getLogger("fleetmeter.app")

_NEVER = ("aiohttp", "asyncio")
"""Loggers that show whole requests, or their addresses, at `debug`."""


_IDLE_SECONDS = 30
"""A connection without a request is closed after so long; the SDKs' clients close theirs earlier, so none is lost."""


def create_app(settings: AppSettings | None = None, environ: Mapping[str, str] | None = None) -> ASGIApp:
    """One replica, ready to be served: `uvicorn --factory fleetmeter_app.main:create_app` works too.

    Raises `ConfigError` and `SettingError`, which name what cannot be used. Opens no connection.
    """
    environ = os.environ if environ is None else environ
    settings = settings or AppSettings.from_env(environ)
    loaded = load(settings, environ)
    store = _store(settings, environ)
    keys = Keys(store.namespace)
    vault = Vault.from_text(CACHE_KEY, settings.cache_key)
    scripts = Scripts(store.url, keys.cache_entries, "the prompt cache", credentials=store.credentials)
    cache = SharedCache(scripts, keys, loaded.config.cache, vault)
    fleetmeter.install(
        url=store.url, namespace=store.namespace, flush_interval=store.flush_interval, replica=store.replica
    )
    configure_labels(loaded)
    SERVICE.info({"service": "fleetmeter-app", "version": fleetmeter.__version__})
    upstreams = Upstreams(loaded.config.upstream)
    guards = Guards(
        Door(store.url, keys, store.credentials),
        loaded.config,
        loaded.deployments,
        open_without_keys=settings.is_private or settings.without_keys,
    )
    seams = Seams(cache=cache, keys=guards.keys, rates=guards.rates, budgets=guards.budgets, breakers=guards.breakers)
    pipeline = Pipeline(loaded, upstreams.client, seams)

    def use(fresh: Loaded) -> None:
        configure_labels(fresh)
        upstreams.expect(fresh.config.upstream)
        guards.configure(fresh.config, fresh.deployments)
        pipeline.loaded = fresh

    def load_again() -> Loaded:
        return load(replace(settings, openai_api_key=key_of(environ)), environ)

    reload = Reload(settings.config, load_again, use)

    async def start() -> None:
        upstreams.client()
        await guards.start()
        reload.start()

    async def close() -> None:
        await reload.stop()
        await cache.close()
        await upstreams.close()
        await guards.close()

    api = Api(pipeline, metrics=make_asgi_app(url=store.url, namespace=store.namespace), start=start, close=close)
    gauges = replica_gauges()
    return HTTPMiddleware(
        api,
        metrics=HTTPMetrics(),
        on_shutdown=partial(aflush, EXIT_TIMEOUT),  # a store that is away must not hold the server for longer
        requests_gauge=gauges.requests,
        errors_gauge=gauges.errors,
    )


def load(settings: AppSettings, environ: Mapping[str, str]) -> Loaded:
    """The configuration that the settings name, made ready; raises `ConfigError`."""
    config = GatewayConfig.load(settings.config, environ)
    default = default_deployment(settings.openai_base_url, settings.openai_api_key)
    return Loaded.make(config, default, str(settings.config or "gateway.toml"))


def configure_labels(loaded: Loaded) -> None:
    """Close the label sets: what is configured, and what has a price."""
    config, prices = loaded.config, loaded.prices
    configure(
        models=[*prices.models(), *config.models],
        intents=config.intents,
        tiers=[*config.tiers, NO_TIER],
        tools=loaded.tools.names or None,
        normalise=prices.normalise,
    )
    create_guard_children(hedged={step.model for step in loaded.router.steps() if step.hedge_after_seconds is not None})


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM. Status 2 for a setting, 1 for an address, that cannot be used."""
    map_large_blocks()
    for ending in (signal.SIGTERM, signal.SIGINT):  # uvicorn repeats the signal once it has stopped
        signal.signal(ending, lambda *_: sys.exit(0))
    try:
        settings = AppSettings.from_arguments(arguments, os.environ)
        if settings.check:
            return _check(settings)
        configure_log(settings.log_level, settings.log_format, "app", also=("uvicorn",), never=_NEVER)
        try:  # before anything is installed: who cannot listen is no replica
            listener = socket.create_server(
                (settings.host, settings.port), family=socket.AF_INET6 if ":" in settings.host else socket.AF_INET
            )
        except OSError as error:
            reason = (error.strerror or str(error)).partition(" (while")[0]  # the address again
            return _refuse(f"cannot listen on {settings.host}:{settings.port}: {reason}", 1)
        with listener:
            app = create_app(settings)
            malloc_trim()  # what the start needed and requests do not: some 8 MB
            _serve(app, listener, settings)
    except (ConfigError, SettingError) as error:
        return _refuse(str(error), 2)
    return 0


def _check(settings: AppSettings) -> int:
    """Whether everything that is read at the start can be used: status 0, or an error as at the start."""
    loaded = load(settings, os.environ)
    Vault.from_text(CACHE_KEY, settings.cache_key)
    _store(settings, os.environ)
    sys.stdout.write(f"{printable(str(settings.config or 'gateway.toml'))}: it can be used: {_summary(loaded)}\n")
    return 0


def _summary(loaded: Loaded) -> str:
    counts = {"tiers": loaded.config.tiers, "models": loaded.config.models, "intents": loaded.config.intents}
    return ", ".join(f"{len(found)} {name}" for name, found in counts.items())


def _refuse(message: str, status: int) -> int:
    sys.stderr.write(f"fleetmeter-app: {printable(redacted(message))}\n")
    return status


def _serve(app: ASGIApp, listener: socket.socket, settings: AppSettings) -> None:
    store = _store(settings, os.environ)
    log.info(
        "serving",
        extra=fields(
            version=fleetmeter.__version__,
            namespace=store.namespace,
            store=without_password(store.url),
            address=f"http://{place(listener)}",
        ),
    )
    limits = GatewayConfig.load(settings.config).limits
    uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            loop="uvloop",
            http=bounded(limits),
            ws="none",
            proxy_headers=False,  # nobody asks for the client's address
            timeout_graceful_shutdown=math.ceil(limits.drain_seconds),
            timeout_keep_alive=_IDLE_SECONDS,
        )
    ).run(sockets=[listener])


def _store(settings: AppSettings, environ: Mapping[str, str]) -> Settings:
    """The library's settings; what is refused is named as the variable that it was given in."""
    given = {"FLEETMETER_REDIS_URL": settings.redis_url, "FLEETMETER_NAMESPACE": settings.namespace}
    return Settings.from_env({**environ, **{name: text for name, text in given.items() if text}})


if __name__ == "__main__":
    sys.exit(main())
