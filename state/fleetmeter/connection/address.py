"""The address of a store, taken from its URL.

Nothing is opened here. No error repeats any part of the URL, because any part may hold a secret by mistake.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from redis.connection import parse_url

Kind = Literal["single", "sentinel", "cluster"]
Node = tuple[str, int]
"""Host and port."""

EXPECTED = (
    "expected redis://host:port/db, unix:///path/to/socket?db=0, "
    "redis+sentinel://host:port,host:port/service/db or redis+cluster://host:port,host:port; "
    "rediss instead of redis for TLS; valkey means the same as redis, and valkeys as rediss"
)
"""The forms of a URL, for messages."""

TAKEN = frozenset(
    (
        "connection_class", "connection_pool_class", "credential_provider", "decode_responses", "encoding",
        "encoding_errors", "finder", "health_check_interval", "himport_registry", "maint_notifications_config",
        "redis_connect_func", "retry", "retry_on_error", "retry_on_timeout",
    )
)  # fmt: skip
"""Parameters of redis-py that a URL may not set: they decide how calls are made and read, and fleetmeter sets them."""

_BASES = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss", "unix": "unix"}
"""The first part of a scheme, such as `valkeys` in `valkeys+sentinel`, and redis-py's name for it."""

_FOUND_BY_ASKING: tuple[Kind, ...] = ("sentinel", "cluster")

_KINDS: dict[str, Kind] = {
    **dict.fromkeys(_BASES, "single"),
    **{f"{base}+{kind}": kind for base in _BASES if base != "unix" for kind in _FOUND_BY_ASKING},
}
_PORTS: dict[Kind, int] = {"single": 6379, "sentinel": 26379, "cluster": 6379}


@dataclass(frozen=True)
class Address:
    """A store's address: what kind of store it is, its nodes, and how to reach them.

    With Sentinel, `nodes` are the sentinels themselves, and `service` is their name for the master. `options` are
    redis-py's parameters of a connection, including user and password. `sentinel_options` are user and password of
    the sentinels, if the URL names them.
    """

    kind: Kind
    nodes: tuple[Node, ...]
    service: str
    options: Mapping[str, Any] = field(repr=False)
    sentinel_options: Mapping[str, Any] = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Take a URL apart. Raises `ValueError`, in words that hold nothing of the URL."""
        scheme, separator, rest = url.partition("://")
        kind = _KINDS.get(scheme.lower())
        if not separator or kind is None:
            found = f"the scheme is {scheme.lower()!r}" if separator else "there is no scheme"
            raise ValueError(found)
        if not is_utf8(url):
            raise ValueError("it holds characters that UTF-8 cannot hold")
        base = _BASES[scheme.lower().partition("+")[0]]
        if base == "unix":
            parts = _split(f"{base}://{rest}")
            if not unquote(parts.path):
                raise ValueError("there is no path")
            return cls(kind, (), "", _options(f"{base}://{rest}"), {})
        place, tail = _cut(rest)
        user, at, hosts = place.rpartition("@")
        nodes = tuple(_node(host, _PORTS[kind]) for host in hosts.split(","))
        if kind == "single" and len(nodes) > 1:
            raise ValueError("there are several hosts, which a Sentinel or a Cluster has")
        rear = _split(f"redis://host{tail}")
        path, service = rear.path.strip("/"), ""
        if kind == "sentinel":
            service, _, path = path.partition("/")
            if not service:
                raise ValueError("there is no service: the sentinels' name for the master")
        if path and not path.isdecimal():
            raise ValueError("the database is no number")
        if kind == "cluster" and path not in ("", "0"):
            raise ValueError("a cluster has database 0 only")
        options = _options(f"{base}://{user}{at}host/{path}?{rear.query}")
        sentinel = {
            name.removeprefix("sentinel_"): options.pop(name)
            for name in ("sentinel_username", "sentinel_password")
            if kind == "sentinel" and name in options
        }
        del options["host"]
        return cls(kind, nodes, unquote(service), options, sentinel)

    def check_hosts(self) -> None:
        """Raises `ValueError` for a host that the system could not even look up."""
        for host, _ in self.nodes:
            try:
                host.encode("idna")
            except UnicodeError:
                raise ValueError("the host is no DNS name: between dots there are 1 to 63 characters") from None

    @property
    def has_password(self) -> bool:
        """Whether the URL brings the password itself."""
        return bool(self.options.get("password"))


def without_password(url: str) -> str:
    """A URL that may be logged: user, password and parameters are left out."""
    scheme, _, rest = url.partition("://")
    place, tail = _cut(rest)
    path = tail.partition("?")[0].partition("#")[0]
    return f"{scheme}://{'' if scheme.lower() == 'unix' else place.rpartition('@')[2]}{path}"


def is_utf8(text: str) -> bool:
    """Whether UTF-8 can hold a text. Python puts lone surrogates, which UTF-8 cannot hold, for bytes that are no UTF-8.

    So a text from the environment or the command line may have some.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _cut(rest: str) -> tuple[str, str]:
    """A URL without its scheme, cut in two: user and hosts; then path, parameters and fragment."""
    end = min((at for mark in "/?#" if (at := rest.find(mark)) >= 0), default=len(rest))
    return rest[:end], rest[end:]


def _node(text: str, port: int) -> Node:
    parts = _split(f"redis://{text}")
    host = unquote(parts.hostname or "")
    if not host:
        raise ValueError("there is no host")
    return host, parts.port or port


def _split(url: str) -> SplitResult:
    """A URL's parts. Raises `ValueError` in words of our own, because Python's would show parts of the URL."""
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


def _options(url: str) -> dict[str, Any]:
    """redis-py's parameters of a URL that names one host."""
    taken = sorted(TAKEN & parse_qs(_split(url).query, keep_blank_values=True).keys())
    if taken:
        raise ValueError(f"the parameter {taken[0]!r} is set by fleetmeter; leave it out")
    options: dict[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]  # redis leaves it untyped
    return options
