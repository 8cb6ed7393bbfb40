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
from fleetmeter.housekeeping import LIVES, Fold, Leftovers
from fleetmeter.keys import STATE_FORMAT, SWEPT_FIELD, Keys
from fleetmeter.protocol import Answer, Apply, Hello
from fleetmeter.wire import encode

MAX_SERIES = 10_000
"""Label sets that a family may hold; what comes on top goes to one series whose label values are `__overflow__`."""

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

    def __init__(self, url: str, keys: Keys, max_series: int = MAX_SERIES) -> None:
        self.keys = keys
        self._max_series = max_series
        self._client = connect(url)
        self._hello = self._client.register_script(lua_source("hello"))
        self._apply = self._client.register_script(lua_source("apply"))
        self._fold = self._client.register_script(lua_source("fold"))

    def hello(self, call: Hello, identity: dict[str, str]) -> Answer:
        """Make a writer known, and say who it is."""
        keys = [self.keys.writers, self.keys.writer(call.writer), self.keys.retired]
        pairs = [text for pair in identity.items() for text in pair]
        with translated():
            reply: Any = self._hello(keys=keys, args=[call.writer, call.epoch, STATE_FORMAT, *pairs])
        return _answer(reply)

    def apply(self, call: Apply) -> Answer:
        """Send a batch, or a heartbeat."""
        body = encode(call.delta, self.keys)
        state = "goodbye" if call.goodbye else "alive"
        head = (call.epoch, call.writer, call.prev, call.seq, call.given_up, state, self._max_series)
        with translated():
            reply: Any = self._apply(keys=list(body.keys), args=[*head, *body.arguments])
        return _answer(reply)

    def leftovers(self) -> Leftovers:
        """The hashes that tell what is due to be put away."""
        with translated():
            hashes: Any = [
                self._client.hgetall(key) for key in (self.keys.writers, self.keys.retired, self.keys.removed)
            ]
        return Leftovers(*hashes)

    def gauge_fields(self) -> list[bytes]:
        """The fields of all gauges' values."""
        with translated():
            fields: Any = self._client.hkeys(self.keys.gauges)
        return list(fields)

    def definitions(self) -> dict[bytes, bytes]:
        """The families, as they are stored."""
        with translated():
            found: Any = self._client.hgetall(self.keys.families)
        return dict(found)

    def swept_us(self) -> int:
        """When ended writers were last put away, by the store's clock; 0 for never."""
        with translated():
            told: Any = self._client.hget(self.keys.writers, SWEPT_FIELD)
        return int(told or 0)

    def fold(self, call: Fold) -> None:
        """Put away what is due; the store judges it."""
        fixed = [self.keys.writers, self.keys.retired, self.keys.gauges, self.keys.removed]
        arguments: list[str] = [call.epoch, *(str(int(seconds * 1e6)) for seconds in LIVES), str(len(call.writers))]
        for writer, gauges in call.writers:
            arguments += [writer, str(len(gauges)), *(text for gauge in gauges for text in gauge)]
        for fields in (call.retired, call.removed):
            arguments += [str(len(fields)), *fields]
        with translated():
            self._fold(keys=[*fixed, *(self.keys.writer(writer) for writer, _ in call.writers)], args=arguments)

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        self._client.close()


def _answer(reply: list[bytes]) -> Answer:
    status, row, epoch, now, *more = (item.decode("utf-8", "replace") for item in reply)
    notes: dict[str, list[str]] = {}
    for kind, text in zip(more[1::2], more[2::2], strict=True):
        notes.setdefault(kind, []).append(text)
    identity, *words = epoch.split(" ")
    return Answer(
        status=status,
        row=int(row),
        epoch=identity,
        store_now_us=int(now),
        deliberate="reset" in words,
        horizon_us=int(notes.get("horizon", ["0"])[0]),
        refused=tuple(notes.get("refused", ())),
        refused_count=int(more[0]) if more else 0,
        overflowed=tuple(
            (key, int(count)) for count, _, key in (text.partition(" ") for text in notes.get("overflow", ()))
        ),
        conflicts=tuple(
            (field, text) for field, _, text in (note.partition(" ") for note in notes.get("conflict", ()))
        ),
    )
