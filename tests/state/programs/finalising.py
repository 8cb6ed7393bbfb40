"""Records at the very end: in a suspended generator, in `__del__`, in a cycle; the argument names which of them."""

import sys
import threading
from collections.abc import Iterator

from prometheus_client import Counter, Histogram

import fleetmeter

way = sys.argv[1]
fleetmeter.install()
counted = Counter("counted", "Records.", ["by"])
seconds = Histogram("work_seconds", "Work.")
for by in ("main", "finalizer", "cycle"):
    counted.labels(by)


def work() -> Iterator[None]:
    """A piece of work that is never finished."""
    with seconds.time():
        yield


def block() -> Iterator[None]:
    """A block that is never left."""
    with fleetmeter.atomic():
        counted.labels("main").inc()
        yield


class Counting:
    """Counts its own end."""

    def __init__(self, by: str) -> None:
        self.by = counted.labels(by)
        self.myself: object = None

    def __del__(self) -> None:
        self.by.inc()
        if way == "flush":
            fleetmeter.flush()
            fleetmeter.shutdown()


counted.labels("main").inc(3)
if way in ("generator", "all"):
    generator = work()
    next(generator)
if way in ("finalizer", "flush", "all"):
    kept = Counting("finalizer")
if way in ("cycle", "all"):
    cycle = Counting("cycle")
    cycle.myself = cycle
    del cycle
if way == "block":
    generator = block()
    next(generator)
    counted.labels("main").inc(4)
if way == "threads":
    kept = Counting("finalizer")

    def count() -> None:
        """Record until nobody runs any more."""
        while True:
            counted.labels("main").inc(0)

    sys.setswitchinterval(1e-6)
    for _ in range(3):
        threading.Thread(target=count, daemon=True).start()
