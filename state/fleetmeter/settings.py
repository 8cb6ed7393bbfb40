"""The library's settings: arguments win over the environment, the environment over the defaults."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import redis

from fleetmeter.errors import SettingError
from fleetmeter.keys import Keys
from fleetmeter.store import connect

DEFAULT_URL = "redis://127.0.0.1:6379/0"
_SCHEMES = ("redis", "rediss", "unix")
_TAKEN = frozenset(
    ("decode_responses", "encoding", "encoding_errors", "health_check_interval", "retry", "retry_on_error",
     "retry_on_timeout")
)  # fmt: skip
"""Parameters of redis-py that decide how calls are made and read, which is fleetmeter's own to say."""


def check_url(setting: str, url: str) -> str:
    """The URL itself, if a store can be reached by it; raises `SettingError` without showing a password."""
    expected = "expected redis://host:port/db, rediss://host:port/db or unix:///path/to/socket?db=0"
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    if scheme not in _SCHEMES:
        found = f"the scheme is {scheme!r}" if scheme else "there is no scheme"
        raise SettingError(setting, f"{found}; {expected}")
    try:
        if not _is_utf8(url):
            raise ValueError("it holds characters that UTF-8 cannot hold")
        parts = _parts(url)
        database = "" if scheme == "unix" else parts.path.strip("/")
        if scheme == "unix" and not unquote(parts.path):
            raise ValueError("there is no path")
        if scheme != "unix" and not parts.hostname:
            raise ValueError("there is no host")
        if database and not database.isdecimal():
            raise ValueError("the database is no number")
        taken = sorted(_TAKEN & parse_qs(parts.query, keep_blank_values=True).keys())
        if taken:
            raise ValueError(f"the parameter {taken[0]!r} cannot be chosen")
        connection: Any = connect(url).connection_pool.make_connection()  # from every parameter; opens nothing
        for name in ("socket_timeout", "socket_connect_timeout"):
            parse_seconds(name, getattr(connection, name))
        _check_host(getattr(connection, "host", None) or "")
    except (ValueError, TypeError, redis.RedisError) as error:
        problem = str(error).rpartition("() ")[2]  # Python names the function that got an unexpected parameter
        raise SettingError(setting, f"{problem}; {expected}") from None  # a cause could show a password
    return url


def _check_host(host: str) -> None:
    """Raises `ValueError` for a host that the system could not even look up, in words that hold nothing of it."""
    try:
        host.encode("idna")
    except UnicodeError:
        raise ValueError("the host is no DNS name: between dots there are 1 to 63 characters") from None


def _is_utf8(text: str) -> bool:
    """Whether UTF-8 can hold it; what the system hands over may have surrogates in place of bytes that are none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parts(url: str) -> SplitResult:
    """A URL's parts; raises `ValueError`, in words that hold nothing of the URL, as Python's own would."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("this is no URL; percent-encode special characters of user and password") from None
    try:
        usable = parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("the port is no number from 1 to 65535; percent-encode special characters of the password")
    return parts


def without_password(url: str) -> str:
    """A URL that may be logged: user, password and parameters are left out."""
    parts = urlsplit(url)
    place = parts.path if parts.scheme == "unix" else f"{(parts.netloc.rpartition('@')[2])}{parts.path}"
    return f"{parts.scheme}://{place}"


def parse_seconds(setting: str, value: float | str) -> float:
    """A duration in seconds above 0; raises `SettingError`."""
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 3600:
        raise SettingError(setting, f"{value!r} is no duration; expected seconds, above 0 and below 3600")
    return seconds


@dataclass(frozen=True)
class Settings:
    """Where and as whom this process records. `flush_interval` is in seconds."""

    url: str = field(default=DEFAULT_URL, repr=False)
    namespace: str = "default"
    flush_interval: float = 0.25
    replica: str = ""

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        url: str | None = None,
        namespace: str | None = None,
        flush_interval: float | None = None,
        replica: str | None = None,
    ) -> Self:
        """Settings from arguments, then `FLEETMETER_…` variables, then defaults.

        Raises `SettingError`, which names the argument or the variable that cannot be used.
        """
        environ = os.environ if environ is None else environ

        def pick(argument: object, name: str, variable: str, default: object) -> tuple[str, str]:
            if argument is not None:
                return name, str(argument)
            return variable, environ.get(variable) or str(default)

        url_name, url_value = pick(url, "url", "FLEETMETER_REDIS_URL", DEFAULT_URL)
        space_name, space = pick(namespace, "namespace", "FLEETMETER_NAMESPACE", "default")
        interval_name, interval = pick(flush_interval, "flush_interval", "FLEETMETER_FLUSH_INTERVAL", 0.25)
        replica_name, name = pick(replica, "replica", "FLEETMETER_REPLICA", socket.gethostname())
        try:
            Keys(space)
        except SettingError as error:
            raise SettingError(space_name, error.problem) from None
        if not _is_utf8(name):
            raise SettingError(replica_name, f"{name!r} cannot be stored; expected text that UTF-8 can hold")
        return cls(check_url(url_name, url_value), space, parse_seconds(interval_name, interval), name)
