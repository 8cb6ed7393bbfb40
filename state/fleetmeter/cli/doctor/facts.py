"""What a store says about itself, as far as this user may ask."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, TypeVar

import redis

from fleetmeter.connection.client import translated

_PROBES = 5
"""Calls that are timed; the latency is their median."""

_SETTINGS = ("append*", "aof-load-truncated", "save", "maxmemory*", "min-replicas-*")

T = TypeVar("T")


@dataclass(frozen=True)
class Facts:
    """Facts about a store. A fact is None if this user is not allowed to see it, or if the server does not know it.

    `latency` is in seconds. `ahead` is how many seconds the store's clock is ahead of this machine's, give or take
    `latency`. `greeting` is the answer to HELLO; `info` and `config` are INFO and CONFIG GET as redis-py reads them.
    `cluster` is CLUSTER INFO; it is None, too, for a server that belongs to no cluster.
    """

    latency: float
    ahead: float | None = None
    greeting: Mapping[str, str] = field(default_factory=dict)
    info: Mapping[str, Any] | None = None
    config: Mapping[str, str] | None = None
    cluster: Mapping[str, str] | None = None

    @property
    def mode(self) -> str:
        """`standalone`, `cluster` or `sentinel`; empty if the server does not say."""
        return self.greeting.get("mode", "") or str((self.info or {}).get("redis_mode", ""))

    @property
    def server(self) -> tuple[str, str]:
        """Name and version, empty if not known. A Valkey may call itself Redis in HELLO; INFO has its true name."""
        info = self.info or {}
        if "valkey_version" in info:
            return "valkey", str(info["valkey_version"])
        return self.greeting.get("server", ""), self.greeting.get("version", "") or str(info.get("redis_version", ""))


def numbers_of(version: str) -> tuple[int, ...]:
    """The first three numbers of a version, for comparing it with another."""
    return tuple(int(digits) for digits in re.findall(r"\d+", version)[:3])


def gather(client: redis.Redis) -> Facts:
    """Ask the store for all facts. Raises `StoreUnreachable`, and `StoreRefused` if user or password is wrong."""
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
    """The answer; None if the server refuses to give it."""
    try:
        return ask()
    except redis.AuthenticationError:
        raise
    except redis.ResponseError:
        return None


def _clock(client: Any) -> tuple[float, float | None]:
    """The median time of a call, and how far the store's clock is ahead.

    The store's time is compared with the middle of the fastest call, because that one leaves least room for error.
    """
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
    """The pairs of a reply as texts, for both versions of the protocol: RESP2 sends a list, RESP3 a map."""
    pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=True)
    return {_text(name): _text(value) for name, value in pairs}


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
