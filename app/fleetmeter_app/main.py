"""`fleetmeter-app`: composes one replica of the gateway and serves it."""

import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence

import openai
import uvicorn
from fastapi import FastAPI

import fleetmeter
from fleetmeter.errors import SettingError
from fleetmeter.llm import configure
from fleetmeter.llm.catalogue import SERVICE
from fleetmeter.pricing import ModelPrice, PriceList
from fleetmeter.schema.keys import Keys
from fleetmeter.settings import Settings
from fleetmeter_app.api import make_api
from fleetmeter_app.cache import PromptCache
from fleetmeter_app.calls import ModelCalls
from fleetmeter_app.config import GatewayConfig
from fleetmeter_app.errors import ConfigError
from fleetmeter_app.gateway import Gateway
from fleetmeter_app.settings import AppSettings
from fleetmeter_exporter import make_asgi_app


def create_app(settings: AppSettings | None = None, environ: Mapping[str, str] | None = None) -> FastAPI:
    """One replica, ready to be served: `uvicorn --factory fleetmeter_app.main:create_app` works too.

    Raises `ConfigError` and `SettingError`, which name what cannot be used. Opens no connection.
    """
    environ = os.environ if environ is None else environ
    settings = settings or AppSettings.from_env(environ)
    config = GatewayConfig.load(settings.config)
    if not settings.openai_api_key:
        raise ConfigError(
            "environment", "OPENAI_API_KEY", "is not set; the upstream needs a key, any text for a test one"
        )
    prices = _prices(config, str(settings.config or "gateway.toml"))
    store = _store(settings, environ)
    cache = PromptCache(store.url, Keys(store.namespace), config.cache, credentials=store.credentials)
    fleetmeter.install(
        url=store.url, namespace=store.namespace, flush_interval=store.flush_interval, replica=store.replica
    )
    configure(
        models=[*prices.models(), *(tier.model for tier in config.tiers.values())],
        intents=config.intents,
        tiers=config.tiers,
        normalise=prices.normalise,
    )
    SERVICE.info({"service": "fleetmeter-app", "version": fleetmeter.__version__})
    client = openai.AsyncOpenAI(
        api_key=settings.openai_api_key,
        base_url=settings.openai_base_url,
        timeout=config.upstream.timeout_seconds,
        max_retries=config.upstream.max_retries,
    )

    async def close() -> None:
        await client.close()
        await cache.close()

    app = make_api(
        Gateway(config, cache, ModelCalls(client, prices), prices),
        metrics=make_asgi_app(url=store.url, namespace=store.namespace),
        store_answers=cache.reachable,
        close=close,
        max_query_characters=config.limits.max_query_characters,
    )
    fleetmeter.instrument_fastapi(app)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM. Status 2 for a setting, 1 for an address, that cannot be used."""
    logging.basicConfig(level="INFO", stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("httpx", "httpx2", "openai"):
        logging.getLogger(chatty).setLevel("WARNING")
    for ending in (signal.SIGTERM, signal.SIGINT):  # uvicorn repeats the signal once it has stopped
        signal.signal(ending, lambda *_: sys.exit(0))
    try:
        settings = AppSettings.from_arguments(arguments, os.environ)
        try:  # before anything is installed: who cannot listen is no replica
            listener = socket.create_server(
                (settings.host, settings.port), family=socket.AF_INET6 if ":" in settings.host else socket.AF_INET
            )
        except OSError as error:
            reason = (error.strerror or str(error)).partition(" (while")[0]  # the address again
            sys.stderr.write(f"fleetmeter-app: cannot listen on {settings.host}:{settings.port}: {reason}\n")
            return 1
        with listener:
            _serve(create_app(settings), listener)
    except (ConfigError, SettingError) as error:
        sys.stderr.write(f"fleetmeter-app: {error}\n")
        return 2
    return 0


def _serve(app: FastAPI, listener: socket.socket) -> None:
    logging.getLogger("fleetmeter.app").info("listening on http://%s:%d", *listener.getsockname()[:2])
    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run(sockets=[listener])


def _store(settings: AppSettings, environ: Mapping[str, str]) -> Settings:
    """The library's settings; what is refused is named as the variable that it was given in."""
    given = {"FLEETMETER_REDIS_URL": settings.redis_url, "FLEETMETER_NAMESPACE": settings.namespace}
    return Settings.from_env({**environ, **{name: text for name, text in given.items() if text}})


def _prices(config: GatewayConfig, file: str) -> PriceList:
    own = {}
    for model, table in config.prices.items():
        try:
            own[model] = ModelPrice.from_mapping(model, table)
        except SettingError as error:
            raise ConfigError(file, error.setting, error.problem) from error
    return PriceList(own, baseline=config.baseline_model)


if __name__ == "__main__":
    sys.exit(main())
