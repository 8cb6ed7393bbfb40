"""Other ways to an exposition of the same series, each in a process of its own."""

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from bench.processes import megabytes
from bench.shape import shapes

Make = Callable[..., Callable[[], bytes]]
"""Prepares a way, in its process; what it returns gives an exposition."""


@dataclass(frozen=True)
class Rendering:
    """One exposition: seconds, processor seconds, its bytes, and megabytes of the process at most."""

    seconds: float
    processor: float
    body: bytes
    most: float


class Renderer:
    """A process that makes an exposition whenever it is told to, by another `checkout` if one is named."""

    def __init__(self, make: Make, *arguments: object, checkout: str | None = None) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, arguments), daemon=True)
        before = [*sys.path]
        if checkout is not None:  # a child that is spawned gets the path of its parent
            sys.path[:0] = [str(Path(checkout, part).resolve(strict=True)) for part in ("state", "exporter", "app")]
        try:
            self._process.start()
        finally:
            sys.path[:] = before
        theirs.close()

    def render(self) -> Rendering:
        """An exposition of what there is now; what it took does not include its way through the pipe."""
        self._pipe.send(None)
        rendering: Rendering = self._pipe.recv()
        return rendering

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(10)
        self._process.kill()


def _serve(pipe: Connection, make: Make, arguments: Sequence[object]) -> None:
    render = make(*arguments)
    while True:
        try:
            pipe.recv()
        except EOFError:
            return
        started, used = perf_counter(), process_time()
        body = render()
        seconds, processor = perf_counter() - started, process_time() - used
        pipe.send(Rendering(seconds, processor, body, megabytes(os.getpid())[1]))


def through_the_exposition(url: str, namespace: str, accept: str) -> Callable[[], bytes]:
    """The exporter's own text, as its program makes it, without HTTP."""
    from fleetmeter_exporter import memory
    from fleetmeter_exporter.exposition.formats import negotiated
    from fleetmeter_exporter.scraper import Scraper

    memory.tune()
    scraper = Scraper.of(url, [namespace])
    return lambda: scraper.text([scraper.fleets[0].scrape()], perf_counter(), negotiated(accept))


def through_a_collector(url: str, namespace: str) -> Callable[[], bytes]:
    """The same state by `RedisCollector` in a registry, and prometheus_client's `generate_latest`."""
    from prometheus_client import CollectorRegistry, generate_latest

    from fleetmeter_exporter import RedisCollector

    registry = CollectorRegistry(support_collectors_without_names=True)
    RedisCollector(registry, url=url, namespace=namespace)
    return lambda: generate_latest(registry)


def through_files(directory: str) -> Callable[[], bytes]:
    """prometheus_client's multiprocess mode: `MultiProcessCollector` and `generate_latest`."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry(support_collectors_without_names=True)
    MultiProcessCollector(registry, path=directory)  # type: ignore[no-untyped-call]  # prometheus_client leaves it so
    return lambda: generate_latest(registry)


def through_pytheus(port: int, samples: int) -> Callable[[], bytes]:
    """Pytheus with its Redis backend, which keeps a hash for each counter, bucket, count and sum.

    The numbers are put there as its backend would, many in one call, instead of three calls for each.
    """
    import json

    import redis
    from pytheus.backends.base import load_backend
    from pytheus.backends.redis import MultiProcessRedisBackend
    from pytheus.exposition import generate_metrics
    from pytheus.metrics import Counter, Histogram

    load_backend(MultiProcessRedisBackend, {"host": "127.0.0.1", "port": port})
    with redis.Redis("127.0.0.1", port) as client:
        for shape in shapes(samples, packed=False):
            definition = shape.definition
            labels = list(definition.labels)
            hashes: Sequence[Any] = [definition.name]
            if definition.has_parts:
                bounds = [float(bound) for bound in definition.bounds[:-1]]
                Histogram(definition.name, "A histogram.", labels, buckets=bounds)
                hashes = [f"{definition.name}:{part}" for part in (*bounds, "+Inf", "count", "sum")]
            else:
                Counter(definition.name, "A counter.", labels)
            values = [dict(zip(labels, shape.values(number), strict=True)) for number in range(shape.series)]
            for key in hashes:
                client.hset(key, mapping={json.dumps(each): number for number, each in enumerate(values)})
    return lambda: generate_metrics().encode()
