"""The settings of one replica, from its environment and its command line."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from fleetmeter.connection.credentials import VARIABLES
from fleetmeter.secret_file import secret_of, twin
from fleetmeter_app.config.deployments import problem_of_key, problem_of_url
from fleetmeter_app.errors import ConfigError
from fleetmeter_exporter.flags import LOG_FLAGS, Flag, Given, Parser, log_format, log_level, read

KEY = "OPENAI_API_KEY"
CACHE_KEY = "FLEETMETER_APP_CACHE_KEY"

FLAGS = (
    Flag("host", "HOST", "address to listen on", "127.0.0.1"),
    Flag("port", "PORT", "port to listen on, 0 for any free one", "8000"),
    Flag("config", "FILE", "TOML file with tiers, intents, limits and prices; the packaged one if there is none"),
    Flag(
        "without-keys",
        "",
        "serve everybody while no API key was created, also where others than this machine can reach it",
        "false",
        kind="switch",
    ),
    Flag("check", "", "read the configuration, say whether it can be used, and end", "false", kind="switch"),
    *LOG_FLAGS,
)


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
    cache_key: str | None = field(default=None, repr=False)
    namespace: str | None = None
    without_keys: bool = False
    check: bool = False
    log_level: str = "info"
    log_format: str = "logfmt"

    def __post_init__(self) -> None:
        if self.openai_base_url is not None and (problem := problem_of_url(self.openai_base_url)):
            raise ConfigError(
                "environment", "OPENAI_BASE_URL", f"{problem}; expected a URL as in https://api.openai.com/v1"
            )
        if self.openai_api_key is not None and (problem := problem_of_key(self.openai_api_key)):
            raise ConfigError("environment", "OPENAI_API_KEY", problem)

    @property
    def is_private(self) -> bool:
        """Whether only this machine reaches the replica: it listens on a loopback address."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the variables; an empty one counts as not set. Raises as `from_arguments`."""
        return cls.from_arguments([], environ)

    @classmethod
    def from_arguments(cls, arguments: Sequence[str] | None, environ: Mapping[str, str]) -> Self:
        """Read the flags (None: of this process), each of which goes before its variable.

        Raises `ConfigError` or `SettingError`, which name the flag or the variable that cannot be used. `--help`,
        `--version` and unknown flags end the program.
        """
        parser = Parser(
            "fleetmeter-app",
            "The LLM gateway: one of any number of replicas.",
            f"Also read: OPENAI_BASE_URL, {KEY} or {twin(KEY)}, FLEETMETER_NAMESPACE, FLEETMETER_REDIS_URL, "
            f"{CACHE_KEY} or {twin(CACHE_KEY)} (32 bytes in base64, under which answers are kept), "
            f"and, for a URL without a password, {', '.join(VARIABLES)}.",
            "app",
        )
        given = read(FLAGS, parser, sys.argv[1:] if arguments is None else arguments, environ)
        config = given["config"].one[1]
        return cls(
            host=given["host"].one[1],
            port=port_of(given["port"]),
            config=Path(config) if config else None,
            openai_base_url=environ.get("OPENAI_BASE_URL") or None,
            openai_api_key=key_of(environ),
            redis_url=environ.get("FLEETMETER_REDIS_URL") or None,
            cache_key=secret_of(CACHE_KEY, environ, "the key of the cache's entries") or None,
            namespace=environ.get("FLEETMETER_NAMESPACE") or None,
            without_keys=given["without-keys"].on,
            check=given["check"].on,
            log_level=log_level(given),
            log_format=log_format(given),
        )


def key_of(environ: Mapping[str, str]) -> str | None:
    """The upstream's key, from its variable or its file; raises `ConfigError` for one that no header can carry."""
    key = secret_of(KEY, environ, "the upstream's key")
    if key and (problem := problem_of_key(key)):
        raise ConfigError("environment", KEY if environ.get(KEY) else twin(KEY), problem)
    return key or None


def port_of(given: Given) -> int:
    """A port that a flag names; raises `ConfigError`."""
    source, text = given.one
    if not (text.isascii() and text.isdecimal() and int(text) <= 65535):
        file = "command line" if source.startswith("--") else "environment"
        raise ConfigError(file, source, f"must be a port from 0 (any free one) to 65535, and is {text!r}")
    return int(text)
