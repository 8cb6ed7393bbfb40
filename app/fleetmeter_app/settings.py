"""The settings of one replica, from its environment and its command line."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from fleetmeter.connection.credentials import VARIABLES
from fleetmeter_app.errors import ConfigError


@dataclass(frozen=True)
class AppSettings:
    """Where a replica listens, what it reads, and whom it calls.

    None leaves a choice to the default of whoever uses it: the packaged configuration, OpenAI's own address,
    the library's store and namespace. What may hold a secret (key, URLs) shows in no repr.

    Raises `ConfigError` for an upstream that no call could reach: the SDK would find out with the first question.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    config: Path | None = None
    openai_base_url: str | None = field(default=None, repr=False)
    openai_api_key: str | None = field(default=None, repr=False)
    redis_url: str | None = field(default=None, repr=False)
    namespace: str | None = None

    def __post_init__(self) -> None:
        if self.openai_base_url is not None and (problem := _problem_of(self.openai_base_url)):
            raise ConfigError(
                "environment", "OPENAI_BASE_URL", f"{problem}; expected a URL as in https://api.openai.com/v1"
            )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the variables; an empty one counts as not set, one that cannot be used raises `ConfigError`."""

        def value(name: str) -> str | None:
            return environ.get(name) or None

        config = value("FLEETMETER_APP_CONFIG")
        return cls(
            host=value("FLEETMETER_APP_HOST") or cls.host,
            port=_port("environment", "FLEETMETER_APP_PORT", value("FLEETMETER_APP_PORT") or str(cls.port)),
            config=Path(config) if config else None,
            openai_base_url=value("OPENAI_BASE_URL"),
            openai_api_key=value("OPENAI_API_KEY"),
            redis_url=value("FLEETMETER_REDIS_URL"),
            namespace=value("FLEETMETER_NAMESPACE"),
        )

    @classmethod
    def from_arguments(cls, arguments: Sequence[str] | None, environ: Mapping[str, str]) -> Self:
        """Read the flags (None: of this process), each of which goes before its variable.

        Exits with status 2 for an unknown flag and 0 after --help, as argparse does.
        """
        parser = argparse.ArgumentParser(
            prog="fleetmeter-app",
            description="The LLM gateway: one of any number of replicas.",
            epilog="Also read: OPENAI_BASE_URL, OPENAI_API_KEY, FLEETMETER_NAMESPACE, FLEETMETER_REDIS_URL, "
            f"and, for a URL without a password, {', '.join(VARIABLES)}.",
        )
        parser.add_argument("--host", help="address to listen on (FLEETMETER_APP_HOST; 127.0.0.1)")
        parser.add_argument("--port", help="port to listen on (FLEETMETER_APP_PORT; 8000)")
        parser.add_argument("--config", type=Path, help="TOML file (FLEETMETER_APP_CONFIG; the packaged one)")
        flags = parser.parse_args(arguments)
        # A flag replaces its variable before that is read: a wrong variable must not stop who overrides it.
        if flags.port is not None:
            environ = {name: text for name, text in environ.items() if name != "FLEETMETER_APP_PORT"}
        settings = cls.from_env(environ)
        return replace(
            settings,
            host=flags.host or settings.host,
            port=settings.port if flags.port is None else _port("command line", "--port", flags.port),
            config=flags.config or settings.config,
        )


def _problem_of(url: str) -> str | None:
    """What keeps a URL from being an upstream's; never quotes it, as it may hold a password."""
    if not url.isprintable() or " " in url:
        return "has a space or a control character in it"
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:  # an IPv6 address that is none
        return "has no usable host"
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme not in ("http", "https"):
        return "does not begin with http:// or https://"
    if not host:
        return "has no host"
    if port == 0:
        return "has a port that is not from 1 to 65535"
    return None


def _port(file: str, key: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= 65535):
        raise ConfigError(file, key, f"must be a port from 0 (any free one) to 65535, and is {text!r}")
    return int(text)
