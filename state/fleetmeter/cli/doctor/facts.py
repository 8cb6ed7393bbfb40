"""What a store tells about itself, as far as this user may ask."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, TypeVar

import redis

from fleetmeter.connection.client import translated

_PROBES = 5
"""Calls whose median time is the latency."""

_SETTINGS = ("append*", "aof-load-truncated", "save", "maxmemory*", "min-replicas-*")

T = TypeVar("T")


@dataclass(frozen=True)
class Facts:
    """What was learnt; None is what this user is not allowed to see, or the server does not know.

    `latency` is in seconds; `ahead` is by how many seconds the store's clock is ahead of this machine's, give or take
    `latency`. `greeting` is what HELLO says of the server, `info` and `config` are as redis-py reads INFO and CONFIG
    GET, `cluster` is CLUSTER INFO, None also for a server that is no node of one.
    """

    latency: float
    ahead: float | None = None
    greeting: Mapping[str, str] = field(default_factory=dict)
    info: Mapping[str, Any] | None = None
    config: Mapping[str, str] | None = None
    cluster: Mapping[str, str] | None = None

    @property
    def mode(self) -> str:
        """`standalone`, `cluster`, `sentinel`, or nothing where the server does not say."""
        return self.greeting.get("mode", "") or str((self.info or {}).get("redis_mode", ""))


def gather(client: redis.Redis) -> Facts:
    """Ask for all of it. Raises `StoreUnreachable`, and `StoreRefused` for a user or password that is wrong."""
    with translated():
        greeting = _allowed(lambda: _texts(client.execute_command("HELLO")))  # type: ignore[no-untyped-call]
        latency, ahead = _clock(client)
        facts = Facts(
            latency,
            ahead,
            greeting or {},
            _allowed(lambda: dict(client.info())),
            _allowed(lambda: _config(client)),
        )
        if facts.mode == "cluster":
            return Facts(**{**vars(facts), "cluster": _allowed(lambda: _cluster(client))})
        return facts


def _allowed(ask: Callable[[], T]) -> T | None:
    """The answer; None where the server refuses to give one."""
    try:
        return ask()
    except redis.AuthenticationError:
        raise
    except redis.ResponseError:
        return None


def _clock(client: Any) -> tuple[float, float | None]:
    """Median time of a call; the store's clock against the middle of the fastest one."""
    tries = []
    for _ in range(_PROBES):
        started, at = time.monotonic(), time.time()
        told = _allowed(client.time)
        took = time.monotonic() - started
        tries.append((took, None if told is None else told[0] + told[1] / 1e6 - (at + took / 2)))
    return median(took for took, _ in tries), min(tries, key=lambda one: one[0])[1]


def _config(client: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for pattern in _SETTINGS:
        found.update(_texts(client.config_get(pattern)))
    return found


def _cluster(client: Any) -> dict[str, str]:
    reply = client.execute_command("CLUSTER INFO")
    if isinstance(reply, dict):
        return _texts(reply)
    pairs = (line.partition(":") for line in _text(reply).splitlines())
    return {name: value for name, _, value in pairs}


def _texts(reply: Any) -> dict[str, str]:
    """A reply of pairs, whatever the protocol's version, as texts."""
    pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=True)
    return {_text(name): _text(value) for name, value in pairs}


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
