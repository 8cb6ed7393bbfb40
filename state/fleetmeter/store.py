"""The door to Redis: the one place where a call leaves this process, and where its errors get our names."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from fleetmeter.errors import StoreRefused, StoreUnreachable
from fleetmeter.keys import STATE_FORMAT, Keys
from fleetmeter.protocol import Answer, Apply, Hello

TIMEOUT = 1.0
"""Seconds to wait for a connection or an answer; `socket_timeout` and `socket_connect_timeout` in the URL win."""


def connect(url: str) -> "redis.Redis":
    """A client that never repeats a call by itself: what is repeated, and how, is the protocol's to say."""
    return redis.Redis.from_url(
        url,
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        health_check_interval=0,
        decode_responses=False,
    )


@cache
def lua_source(name: str) -> str:
    """The text of one of the package's scripts."""
    return (files("fleetmeter") / "lua" / f"{name}.lua").read_text(encoding="utf-8")


@contextmanager
def translated() -> Iterator[None]:
    """Redis' and the system's errors as `StoreUnreachable` or `StoreRefused`, with the first one as their cause."""
    try:
        yield
    except redis.AuthenticationError as error:
        raise StoreRefused("auth", f"the store refused the user or the password: {error}") from error
    except redis.TimeoutError as error:
        raise StoreUnreachable("timeout", f"the store did not answer in time: {error}") from error
    except (redis.ConnectionError, OSError, UnicodeError) as error:  # the last for a host that is no DNS name
        raise StoreUnreachable("unreachable", f"the store cannot be reached: {error}") from error
    except redis.ResponseError as error:
        reason = "auth" if isinstance(error, redis.exceptions.NoPermissionError) else "refused"
        raise StoreRefused(reason, f"the store refused the call: {error}") from error
    except redis.RedisError as error:
        raise StoreUnreachable("unreachable", f"what answers there is no Redis or Valkey: {error}") from error


class Store:
    """The calls of a writer, sent to one store. Every method raises `StoreUnreachable` or `StoreRefused`."""

    def __init__(self, url: str, keys: Keys) -> None:
        self.keys = keys
        self._client = connect(url)
        self._hello = self._client.register_script(lua_source("hello"))
        self._apply = self._client.register_script(lua_source("apply"))

    def hello(self, call: Hello, identity: dict[str, str]) -> Answer:
        """Make a writer known, and say who it is."""
        keys = [self.keys.writers, self.keys.writer(call.writer), self.keys.retired]
        pairs = [text for pair in identity.items() for text in pair]
        with translated():
            reply: Any = self._hello(keys=keys, args=[call.writer, call.epoch, STATE_FORMAT, *pairs])
        return _answer(reply)

    def apply(self, call: Apply) -> Answer:
        """Send a batch, or a heartbeat."""
        keys = [self.keys.writers, self.keys.retired, *call.body.keys]
        head = (call.epoch, call.writer, call.prev, call.seq, call.given_up)
        with translated():
            reply: Any = self._apply(keys=keys, args=[*head, *call.body.arguments])
        return _answer(reply)

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        self._client.close()


def _answer(reply: list[bytes]) -> Answer:
    status, row, epoch, now, *refused = (item.decode("utf-8", "replace") for item in reply)
    return Answer(
        status=status,
        row=int(row),
        epoch=epoch.partition(" ")[0],
        store_now_us=int(now),
        refused=tuple(refused[1:]),
        refused_count=int(refused[0]) if refused else 0,
    )
