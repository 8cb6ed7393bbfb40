"""Two processes that count, and a page of prometheus_client's multiprocess mode that one of them serves.

It knows nothing of fleetmeter, unless it is told to install it: `python own_page.py installed|launched [alone]`. With
`alone` the exporter's package cannot be imported.
"""

import os
import sys

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

MODE, ALONE = sys.argv[1], sys.argv[2:] == ["alone"]
if ALONE:
    sys.modules["fleetmeter_exporter"] = None  # type: ignore[assignment]

JOBS = Counter("own_jobs", "Jobs.", ["kind"])
LEVEL = Gauge("own_level", "Level.", multiprocess_mode="sum")
SIZE = Histogram("own_size", "Sizes.", buckets=(1, 10))
JOBS.labels("early").inc(2)


def work(amount: int) -> None:
    """Count a little."""
    JOBS.labels("done").inc(amount)
    LEVEL.set(amount)
    SIZE.observe(amount)


def child(amount: int) -> None:
    """Count in a process of its own, which ends well."""
    pid = os.fork()
    if pid == 0:
        work(amount)
        flush()
        os._exit(0)
    os.waitpid(pid, 0)


def flush() -> None:
    """Hand over, with fleetmeter there."""
    if "fleetmeter" in sys.modules:
        sys.modules["fleetmeter"].flush()


def page() -> str:
    """What `/metrics` answers, as prometheus_client documents it: a registry for each request."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    lines = generate_latest(registry).decode().splitlines()
    return ";".join(sorted(line for line in lines if line.startswith("own_") and "_created" not in line))


if MODE == "installed":
    import fleetmeter

    fleetmeter.install()
child(3)
work(20)
sys.stdout.write(page() + "\n")
child(4)
sys.stdout.write(page() + "\n")
if MODE == "installed":
    fleetmeter.uninstall()
    JOBS.labels("done").inc(100)
    sys.stdout.write(page() + "\n")
