"""The clients that are measured side by side, and what an application does with each of them."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Loop = Callable[[int], None]
"""Does one thing so many times; a loop of its own, so that nothing but the call is in it."""

OPERATIONS = ("bound inc", "labels().inc()", "observe")


@dataclass(frozen=True)
class Client:
    """One client. A loop makes `calls` calls of one operation: fewer of what does I/O for each record.

    `shared` tells whether what it counts is seen outside its process.
    """

    calls: int
    shared: bool


CLIENTS = {
    "stock": Client(4_000, shared=False),
    "multiprocess": Client(4_000, shared=True),
    "fleetmeter": Client(4_000, shared=True),
    "pytheus": Client(4_000, shared=False),
    "pytheus, Rust": Client(4_000, shared=False),
    "pytheus, Redis": Client(10, shared=True),
    "pytheus, Rust and Redis": Client(1_000, shared=True),
}


def prepare(name: str, port: int) -> dict[str, Loop]:
    """The operations with one client, which is chosen for the whole process. The store answers at a loopback port."""
    return _pytheus(name, port) if name.startswith("pytheus") else _prometheus(name)


def _prometheus(name: str) -> dict[str, Loop]:
    from prometheus_client import CollectorRegistry, Counter, Histogram

    if name == "fleetmeter":
        import fleetmeter

        fleetmeter.install()
    registry = CollectorRegistry()
    counter = Counter("bench_calls_total", "Calls.", ["method", "code"], registry=registry)
    histogram = Histogram("bench_seconds", "Durations.", registry=registry)

    def look_up(calls: int) -> None:
        for _ in range(calls):
            counter.labels("GET", "200").inc()

    return _operations(counter.labels("GET", "200"), look_up, histogram)


def _pytheus(name: str, port: int) -> dict[str, Loop]:
    from pytheus.backends.base import SingleProcessBackend, load_backend
    from pytheus.backends.redis import MultiProcessRedisBackend
    from pytheus.metrics import Counter, Histogram

    backends: dict[str, Any] = {"pytheus": SingleProcessBackend, "pytheus, Redis": MultiProcessRedisBackend}
    if "Rust" in name:
        import pytheus_backend_rs as rust

        backends |= {"pytheus, Rust": rust.SingleProcessAtomicBackend, "pytheus, Rust and Redis": rust.RedisBackend}
    load_backend(backends[name], {"host": "127.0.0.1", "port": port} if "Redis" in name else {})
    counter = Counter("bench_calls_total", "Calls.", required_labels=["method", "code"])
    histogram = Histogram("bench_seconds", "Durations.")
    labels = {"method": "GET", "code": "200"}

    def look_up(calls: int) -> None:
        for _ in range(calls):
            counter.labels(labels).inc()

    return _operations(counter.labels(labels), look_up, histogram)


def _operations(bound: Any, look_up: Loop, histogram: Any) -> dict[str, Loop]:
    def increment(calls: int) -> None:
        for _ in range(calls):
            bound.inc()

    def observe(calls: int) -> None:
        for _ in range(calls):
            histogram.observe(0.3)

    return dict(zip(OPERATIONS, (increment, look_up, observe), strict=True))


def environment(name: str, url: str, directory: str) -> dict[str, str]:
    """The environment in which a client's process runs; the directory is for multiprocess mode's files."""
    environ = {**os.environ, "FLEETMETER_REDIS_URL": url, "FLEETMETER_NAMESPACE": "bench"}
    return environ | ({"PROMETHEUS_MULTIPROC_DIR": directory} if name == "multiprocess" else {})
