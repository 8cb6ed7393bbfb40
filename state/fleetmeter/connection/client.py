"""Connecting to a store of any kind, and its errors in our names.

For every kind of store you get a plain client of one node. That is enough, because all keys of a namespace share a
slot: Sentinel and Cluster differ only in how the node is found when a connection is opened. The client never repeats
a call by itself. The protocol decides what is repeated, because a careless retry counts twice.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import AskError, MovedError, TryAgainError
from redis.retry import Retry

from fleetmeter.connection.address import Address
from fleetmeter.connection.credentials import Credentials, Login
from fleetmeter.connection.discovery import ClusterInquiry, Finder, Fixed, SentinelInquiry
from fleetmeter.connection.provider import NoPassword
from fleetmeter.connection.routing import (
    WatchfulConnection,
    WatchfulSSLConnection,
    WatchfulUnixConnection,
    is_elsewhere,
    node_of,
)
from fleetmeter.errors import StoreRefused, StoreUnreachable

try:
    from redis.maint_notifications import MaintNotificationsConfig
except ImportError:  # redis-py before 7 has none
    _QUIET: dict[str, Any] = {}
else:  # switched off: they would lengthen our timeouts, and call what a restricted user may not
    _QUIET = {"maint_notifications_config": MaintNotificationsConfig(enabled=False)}

# redis-py sends CLIENT SETINFO with each new connection unless these are None; a restricted user may not call it
_NAMELESS: dict[str, Any] = dict.fromkeys(
    ("driver_info",) if find_spec("redis.driver_info") else ("lib_name", "lib_version")
)

TIMEOUT = 1.0
"""Seconds to wait for a connection or an answer; `socket_timeout` and `socket_connect_timeout` in the URL win."""

FOLLOWS = 2
"""How often one call may be sent on to another node, before that counts as a failure."""

_WATCHFUL = {
    Connection: WatchfulConnection,
    SSLConnection: WatchfulSSLConnection,
    UnixDomainSocketConnection: WatchfulUnixConnection,
}

T = TypeVar("T")


def connect(url: str, key: str = "", credentials: Credentials | None = None, **options: Any) -> redis.Redis:
    """A client that never repeats a call by itself. Opens nothing before the first call.

    `key` is any key of the namespace: a cluster has it on one of its nodes, and that node is used. `credentials`
    are for a URL without a password. `options` are redis-py's and win over the URL. Raises `ValueError` for a URL
    that cannot be parsed.
    """
    return redis.Redis.from_pool(redis.ConnectionPool(**pool_arguments(url, key, credentials) | options))


def pool_arguments(
    url: str, key: str = "", credentials: Credentials | None = None, timeout: float = TIMEOUT
) -> dict[str, Any]:
    """The arguments of redis-py's pool of such connections; see `connect`.

    `timeout` is in seconds, for connections and for answers; it is used if the URL names none.
    """
    address = Address.parse(url)
    given = dict(address.options)
    kind = given.pop("connection_class", Connection)
    login = Login.of(given.pop("username", ""), given.pop("password", ""), credentials or Credentials())
    options: dict[str, Any] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        **given,
        **_QUIET,
        **_NAMELESS,
        "credential_provider": login,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        "health_check_interval": 0,
        "decode_responses": False,
    }
    if address.kind == "single":
        if address.nodes:
            options["host"], options["port"] = address.nodes[0]
        return options | {"connection_class": _WATCHFUL[kind]}
    look_up = {name: value for name, value in options.items() if name not in ("db", "client_name", "max_connections")}
    look_up["connection_class"] = kind
    finder: Finder
    if address.kind == "sentinel":
        sentinel = address.sentinel_options
        look_up["credential_provider"] = Login.of(
            sentinel.get("username", ""), sentinel.get("password", ""), Credentials()
        )
        finder = SentinelInquiry(address.service, address.nodes, look_up)
    else:
        finder = ClusterInquiry(key, address.nodes, look_up)
        options.pop("db", None)
    return options | {"connection_class": _WATCHFUL[kind], "finder": finder}


def followed(call: Callable[[], T]) -> T:
    """The answer of a call. If the store did nothing because another node has the data, the call is made again there.

    That happens `FOLLOWS` times at most.
    """
    for _ in range(FOLLOWS):
        try:
            return call()
        except redis.ResponseError as error:
            if not is_elsewhere(error):
                raise
    return call()


@contextmanager
def asked(client: redis.Redis, error: AskError) -> Iterator[redis.Redis]:
    """A client of the node to which the store redirects one call while a slot is being moved."""
    pool = client.connection_pool
    options = {**pool.connection_kwargs, "finder": Fixed(node_of(error, "localhost"))}
    there = redis.Redis.from_pool(redis.ConnectionPool(connection_class=pool.connection_class, **options))
    try:
        yield there
    finally:
        there.close()


@contextmanager
def translated() -> Iterator[None]:
    """Turns errors of redis-py and of the system into `StoreUnreachable` or `StoreRefused`, with the error as cause."""
    try:
        yield
    except NoPassword as error:
        raise StoreRefused("auth", str(error)) from error
    except redis.AuthenticationError as error:
        raise StoreRefused("auth", f"the store refused the user or the password: {error}") from error
    except redis.BusyLoadingError as error:
        raise StoreUnreachable("loading", f"the store is still loading its data: {error}") from error
    except redis.TimeoutError as error:
        raise StoreUnreachable("timeout", f"the store did not answer in time: {error}") from error
    except (redis.ConnectionError, OSError, UnicodeError) as error:  # the last for a host that is no DNS name
        raise StoreUnreachable("unreachable", f"the store cannot be reached: {error}") from error
    except MovedError as error:
        raise StoreRefused("refused", f"another node has the keys: {error.host}:{error.port}") from error
    except AskError as error:
        moving = f"the keys are just being moved to another node, {error.host}:{error.port}"
        raise StoreRefused("refused", f"{moving}; nothing was done, and it works again once they are there") from error
    except TryAgainError as error:
        raise StoreRefused("refused", f"the keys are just being moved to another node: {error}") from error
    except redis.ResponseError as error:
        reason = "auth" if isinstance(error, redis.exceptions.NoPermissionError) else "refused"
        # a store before 6.2 does not know HELLO; its error repeats the arguments, and so the password
        said = str(error).partition(", with args beginning with:")[0]
        raise StoreRefused(reason, f"the store refused the call: {said}") from error
    except redis.RedisError as error:
        raise StoreUnreachable("unreachable", f"something answers there that is no Redis or Valkey: {error}") from error
