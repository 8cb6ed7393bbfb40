"""The library's settings: arguments win over the environment, the environment over the defaults."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import redis

from fleetmeter.connection.address import EXPECTED, Address, is_utf8, without_password
from fleetmeter.connection.client import connect
from fleetmeter.connection.credentials import USERNAME, Credentials
from fleetmeter.connection.provider import CredentialProvider, check_provider
from fleetmeter.errors import SettingError
from fleetmeter.excerpt import quoted
from fleetmeter.schema.definition import MAX_SERIES
from fleetmeter.schema.keys import Keys

__all__ = ["DEFAULT_URL", "Settings", "check_url", "parse_seconds", "without_password"]

DEFAULT_URL = "redis://127.0.0.1:6379/0"

DEFAULT_FLUSH_INTERVAL = 0.25
"""Seconds between two batches of a process that records all the time."""

FIELDS, PACKED = "fields", "packed"
"""What `numbers` may be: each number a field of a hash, or all numbers of a family packed into one string.

`fields` is for the time of an upgrade: while there is an exporter that cannot read packed numbers yet.
"""

FEWEST_SERIES, MOST_SERIES = 20, 10**9
"""Bounds of `max_series`. The lower leaves room for fleetmeter's own families; the upper is more than a store holds."""


def check_url(setting: str, url: str) -> str:
    """The URL itself, if a connection could be made from it. Opens nothing; `SettingError` shows no password."""
    try:
        Address.parse(url).check_hosts()
        connection: Any = connect(url).connection_pool.make_connection()  # from every parameter; opens nothing
        for name in ("socket_timeout", "socket_connect_timeout"):
            parse_seconds(name, getattr(connection, name))
    except (ValueError, TypeError, redis.RedisError) as error:
        problem = str(error).rpartition("() ")[2]  # Python names the function that got an unexpected parameter
        raise SettingError(setting, f"{problem}; {EXPECTED}") from None  # a cause could show a password
    return url


def parse_seconds(setting: str, value: float | str) -> float:
    """A duration in seconds, above 0 and below 3600. Raises `SettingError`."""
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 3600:
        raise SettingError(setting, f"{quoted(value)} is no duration; expected seconds, above 0 and below 3600")
    return seconds


def parse_series(setting: str, value: str) -> int:
    """A number of label sets; raises `SettingError`."""
    if not (value.isascii() and value.isdigit() and FEWEST_SERIES <= int(value) <= MOST_SERIES):
        expected = f"expected a whole number of label sets, {FEWEST_SERIES} to {MOST_SERIES}"
        raise SettingError(setting, f"{quoted(value)} cannot be used; {expected}")
    return int(value)


@dataclass(frozen=True)
class Settings:
    """The settings of this process: its store, its namespace, its name.

    `flush_interval` is in seconds, `max_series` is the number of label sets per family, `numbers` is how the store
    keeps what this process adds: `packed` or `fields`. `credentials` are for a URL without a password; `Credentials`
    says which source wins.
    """

    url: str = field(default=DEFAULT_URL, repr=False)
    namespace: str = "default"
    flush_interval: float = DEFAULT_FLUSH_INTERVAL
    replica: str = ""
    max_series: int = MAX_SERIES
    numbers: str = PACKED
    credentials: Credentials = field(default_factory=Credentials, repr=False)

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        url: str | None = None,
        namespace: str | None = None,
        flush_interval: float | None = None,
        replica: str | None = None,
        max_series: int | None = None,
        numbers: str | None = None,
        credential_provider: CredentialProvider | None = None,
    ) -> Self:
        """Settings from arguments, then `FLEETMETER_…` variables, then defaults.

        A `credential_provider` wins over every password of the environment. Raises `SettingError`, which names the
        argument or the variable that cannot be used.
        """
        environ = os.environ if environ is None else environ

        def pick(argument: object, name: str, variable: str, default: object) -> tuple[str, str]:
            if argument is not None:
                return name, str(argument)
            return variable, environ.get(variable) or str(default)

        url_name, url_value = pick(url, "url", "FLEETMETER_REDIS_URL", DEFAULT_URL)
        space_name, space = pick(namespace, "namespace", "FLEETMETER_NAMESPACE", "default")
        interval_name, interval = pick(
            flush_interval, "flush_interval", "FLEETMETER_FLUSH_INTERVAL", DEFAULT_FLUSH_INTERVAL
        )
        replica_name, name = pick(replica, "replica", "FLEETMETER_REPLICA", socket.gethostname())
        series_name, series = pick(max_series, "max_series", "FLEETMETER_MAX_SERIES", MAX_SERIES)
        numbers_name, form = pick(numbers, "numbers", "FLEETMETER_NUMBERS", PACKED)
        if form not in (FIELDS, PACKED):
            raise SettingError(numbers_name, f"{quoted(form)} is no way to keep numbers; expected {PACKED} or {FIELDS}")
        try:
            Keys(space)
        except SettingError as error:
            raise SettingError(space_name, error.problem) from None
        if not is_utf8(name):
            raise SettingError(replica_name, f"{quoted(name)} holds characters that UTF-8 cannot hold; expected text")
        url = check_url(url_name, url_value)
        has_password = Address.parse(url).has_password
        if credential_provider is None:
            credentials = Credentials() if has_password else Credentials.from_env(environ)
        elif has_password:
            problem = f"the URL of {url_name} holds a password too; leave out one of the two"
            raise SettingError("credential_provider", problem)
        else:
            provider = check_provider("credential_provider", credential_provider)
            credentials = Credentials(environ.get(USERNAME, ""), provider=provider)
        seconds, limit = parse_seconds(interval_name, interval), parse_series(series_name, series)
        return cls(url, space, seconds, name, limit, form, credentials)
