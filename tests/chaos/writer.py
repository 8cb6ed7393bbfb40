"""A replica that records in bursts, some hundred times a second, and keeps a ledger of it.

Arguments: the ledger's path, the writer's name, a seed. It says `ready`, and obeys lines of its input: `pause` (it
hands over everything, then says `paused`) and `go`. At SIGTERM, or when its input ends, it hands over everything,
prints what its own metrics say as one line of JSON, and ends.
"""

import json
import random
import signal
import sys
import threading
from pathlib import Path

from prometheus_client import Counter, Histogram

import fleetmeter
from chaos.ledger import BOUNDS, BUCKETS, Ledger
from fleetmeter.process.installation import current
from fleetmeter.writer.telemetry import FLUSH_ERRORS

PATIENCE = 120
"""Times that a second is given to a store that does not take everything; what is left then shows as a difference."""


class Work:
    """What is recorded, and the ledger of it."""

    def __init__(self, ledger: Ledger, name: str, seed: int) -> None:
        self._ledger = ledger
        self._random = random.Random(seed)
        self._left = Counter("chaos_left", "One of two that are counted together.", ["writer"]).labels(name)
        self._right = Counter("chaos_right", "The other one.", ["writer"]).labels(name)
        self._records = Counter("chaos_records", "Records of all writers.")
        self._cost = Counter("chaos_cost_usd", "Money of all writers.")
        self._seconds = Histogram("chaos_seconds", "Durations of all writers.", buckets=BOUNDS)

    def burst(self) -> float:
        """Record a few times; seconds to wait until the next time."""
        for _ in range(self._random.randint(5, 60)):
            self._record()
        return self._random.uniform(0.05, 0.2)

    def _record(self) -> None:
        micros = self._random.choice((1, 900, 5_000, 50_000, 500_000, 5_000_000)) + self._random.randrange(100)
        nanodollars = self._random.randrange(1, 2_000_000_000)
        bucket = BUCKETS[sum(micros > bound * 1e6 for bound in BOUNDS)]
        kept = {"left": 1, "right": 1, "records": 1, "nanodollars": nanodollars, "microseconds": micros, bucket: 1}
        for name, amount in kept.items():
            self._ledger.add(name, amount)
        with fleetmeter.atomic():
            self._left.inc()
            self._right.inc()
        self._records.inc()
        self._cost.inc(nanodollars / 1e9)
        self._seconds.observe(micros / 1e6)


class Orders:
    """What the writer was told last."""

    def __init__(self) -> None:
        self.paused = False
        self.told = threading.Event()
        """Set when it shall end."""
        self.news = threading.Event()
        """Set when there is something new; whoever looks clears it."""

    def listen(self) -> None:
        """Read orders until there are no more; the writer ends then."""
        for line in sys.stdin:
            self.paused = line == "pause\n"
            self.news.set()
        self.end()

    def wait_to_go(self) -> None:
        """Wait until there is no pause any more, or the end has come."""
        while self.paused and not self.told.is_set():
            self.news.wait()
            self.news.clear()

    def end(self, *_: object) -> None:
        """End the writer; a signal handler too."""
        self.told.set()
        self.news.set()


def hand_over() -> None:
    """Give the store everything, however long it is away."""
    for _ in range(PATIENCE):
        if fleetmeter.flush(1):
            return


def report() -> str:
    """What this process' own metrics say of its life."""
    runtime = current()
    assert runtime is not None
    registry = runtime._telemetry.registry
    errors = {
        reason: int(registry.get_sample_value("fleetmeter_flush_errors_total", {"reason": reason}) or 0)
        for reason in FLUSH_ERRORS
    }
    lost = int(registry.get_sample_value("fleetmeter_lost_batches_total") or 0)
    return json.dumps({"lost": lost, "errors": {reason: count for reason, count in errors.items() if count}})


def main() -> None:
    """Record until told to end."""
    path, name, seed = sys.argv[1:]
    orders = Orders()
    signal.signal(signal.SIGTERM, orders.end)
    fleetmeter.install()
    work = Work(Ledger(Path(path)), name, int(seed))
    threading.Thread(target=orders.listen, daemon=True).start()
    print("ready", flush=True)
    while not orders.told.is_set():
        pause = work.burst()
        if orders.paused:
            hand_over()
            print("paused", flush=True)
            orders.wait_to_go()
        orders.told.wait(pause)
    hand_over()
    print(report(), flush=True)


if __name__ == "__main__":
    main()
