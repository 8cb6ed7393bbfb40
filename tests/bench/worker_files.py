"""Writes what the processes of prometheus_client's multiprocess mode leave behind: `<samples> <processes> <copies>`.

Each process is a real one that makes its share of the series and ends; its files stay, in `PROMETHEUS_MULTIPROC_DIR`. A
series is in `copies` of the processes.
"""

import os
import sys

from prometheus_client import CollectorRegistry, Counter, Histogram

from bench.shape import BOUNDS, Shape, shapes

_AT_ONCE = 2


def main(samples: int, processes: int, copies: int) -> None:
    """Let the processes write, a few at a time."""
    families = shapes(samples, packed=False)
    running = 0
    for number in range(processes):
        if os.fork() == 0:
            _write(families, number, processes, copies)
            os._exit(0)
        running += 1
        if running == _AT_ONCE:
            _wait()
            running -= 1
    for _ in range(running):
        _wait()


def _wait() -> None:
    _, status = os.wait()
    if status:
        raise RuntimeError(f"a process that wrote files ended with {status}")


def _write(families: list[Shape], process: int, processes: int, copies: int) -> None:
    registry = CollectorRegistry()
    for shape in families:
        name, labels = shape.definition.name, shape.definition.labels
        mine = [number for number in range(shape.series) if (number - process) % processes < copies]
        if shape.definition.has_parts:
            histogram = Histogram(name, "A histogram.", labels, buckets=BOUNDS, registry=registry)
            for number in mine:
                histogram.labels(*shape.values(number)).observe(0.001 * number)
        else:
            counter = Counter(name, "A counter.", labels, registry=registry)
            for number in mine:
                counter.labels(*shape.values(number)).inc(number)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
