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
from fleetmeter.escaping import printable
from fleetmeter.llm import configure
from fleetmeter.llm.catalogue import SERVICE
from fleetmeter.pricing import ModelPrice, PriceList
from fleetmeter.schema.keys import Keys
from fleetmeter.secret_file import twin
from fleetmeter.settings import Settings, without_password
from fleetmeter_app.api import make_api
from fleetmeter_app.cache import PromptCache
from fleetmeter_app.calls import ModelCalls
from fleetmeter_app.config import GatewayConfig
from fleetmeter_app.errors import ConfigError
from fleetmeter_app.gateway import Gateway
from fleetmeter_app.settings import KEY, AppSettings
from fleetmeter_exporter import make_asgi_app
from fleetmeter_exporter.http.listeners import place
from fleetmeter_exporter.logs import configure as configure_log
from fleetmeter_exporter.logs import fields
from fleetmeter_exporter.redaction import redacted

log = logging.getLogger("fleetmeter.app")

_NEVER = ("openai", "httpx", "httpx2", "httpcore", "httpcore2")
"""Loggers that show whole requests at `debug`, and with them prompts."""


def create_app(settings: AppSettings | None = None, environ: Mapping[str, str] | None = None) -> FastAPI:
    """One replica, ready to be served: `uvicorn --factory fleetmeter_app.main:create_app` works too.

    Raises `ConfigError` and `SettingError`, which name what cannot be used. Opens no connection.
    """
    environ = os.environ if environ is None else environ
    settings = settings or AppSettings.from_env(environ)
    config = GatewayConfig.load(settings.config)
    if not settings.openai_api_key:
        raise ConfigError(
            "environment", KEY, f"is not set, nor {twin(KEY)}; the upstream needs a key, any text for a test one"
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
    for ending in (signal.SIGTERM, signal.SIGINT):  # uvicorn repeats the signal once it has stopped
        signal.signal(ending, lambda *_: sys.exit(0))
    try:
        settings = AppSettings.from_arguments(arguments, os.environ)
        configure_log(settings.log_level, settings.log_format, "app", also=("uvicorn",), never=_NEVER)
        try:  # before anything is installed: who cannot listen is no replica
            listener = socket.create_server(
                (settings.host, settings.port), family=socket.AF_INET6 if ":" in settings.host else socket.AF_INET
            )
        except OSError as error:
            reason = (error.strerror or str(error)).partition(" (while")[0]  # the address again
            return _refuse(f"cannot listen on {settings.host}:{settings.port}: {reason}", 1)
        with listener:
            _serve(create_app(settings), listener, settings)
    except (ConfigError, SettingError) as error:
        return _refuse(str(error), 2)
    return 0


def _refuse(message: str, status: int) -> int:
    sys.stderr.write(f"fleetmeter-app: {printable(redacted(message))}\n")
    return status


def _serve(app: FastAPI, listener: socket.socket, settings: AppSettings) -> None:
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
