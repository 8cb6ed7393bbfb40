"""The board's settings, from flags in the style of the exporter's and their environment twins."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from fleetmeter.errors import SettingError
from fleetmeter.settings import DEFAULT_URL, Settings, parse_seconds
from fleetmeter_exporter.flags import LOG_FLAGS, Flag, given, log_format, log_level
from fleetmeter_exporter.http.listeners import ListenAddress

PROGRAM = "board"
"""Stands in the names of environment twins: `FLEETMETER_BOARD_PROMETHEUS`."""

FLAGS = (
    Flag("redis.url", "URL", "the store that has the fleet's numbers", DEFAULT_URL, fallback="FLEETMETER_REDIS_URL"),
    Flag("namespace", "NAME", "the fleet to show", "default", fallback="FLEETMETER_NAMESPACE"),
    Flag("web.listen-address", "[HOST]:PORT", "address to listen on", "127.0.0.1:9848", "list"),
    Flag("web.config.file", "FILE", "TLS, users and headers in exporter-toolkit's format; read again when it changes"),
    Flag("web.allow-anyone", "", "serve other machines although no user is set", "false", "switch"),
    Flag("prometheus", "URL", "a Prometheus that scrapes the fleet, for more than the last hour"),
    Flag("prometheus.job", "NAME", "the job under which it does, if there are several"),
    Flag("interval", "SECONDS", "time between two looks at the store", "2"),
    *LOG_FLAGS,
)


@dataclass(frozen=True)
class BoardSettings:
    """The settings of a board; an empty `prometheus` means that there is none."""

    store: Settings
    addresses: tuple[ListenAddress, ...]
    web_config_file: str = ""
    allow_anyone: bool = False
    prometheus: str = field(default="", repr=False)
    prometheus_job: str = ""
    interval: float = 2.0
    log_level: str = "info"
    log_format: str = "logfmt"

    @classmethod
    def of(cls, parsed: Mapping[str, object], environ: Mapping[str, str]) -> Self:
        """From parsed flags, then the environment, then defaults. Raises `SettingError`, which names the setting."""
        found = given(FLAGS, parsed, environ, PROGRAM)
        url_name, url = found["redis.url"].one
        namespace_name, namespace = found["namespace"].one
        try:
            store = Settings.from_env(environ, url=url, namespace=namespace)
        except SettingError as error:
            named = {"url": url_name, "namespace": namespace_name}.get(error.setting, error.setting)
            raise SettingError(named, error.problem) from None
        listen = found["web.listen-address"]
        return cls(
            store,
            tuple(ListenAddress.parse(listen.source, text) for text in listen.values),
            found["web.config.file"].one[1],
            found["web.allow-anyone"].on,
            _prometheus(*found["prometheus"].one),
            found["prometheus.job"].one[1],
            parse_seconds(*found["interval"].one),
            log_level(found),
            log_format(found),
        )

    @property
    def only_here(self) -> bool:
        """Whether only this machine can reach the addresses."""
        return all(is_loopback(address.host) for address in self.addresses)


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own; an empty one means every interface."""
    if host.lower() == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _prometheus(name: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        good = not url or (parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0)
    except ValueError:
        good = False
    if not good:  # it may hold a password: it is not shown
        raise SettingError(name, "this is no URL of a Prometheus; expected one such as http://127.0.0.1:9090")
    return url.rstrip("/")
