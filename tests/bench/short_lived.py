"""What ten thousand processes that live for a second leave behind: rows, memory of the store, time of a read.

Most of them are writers in this process, as starting ten thousand interpreters takes an hour; some are real ones. Time
passes by moving the rows' heartbeats back, as the store judges by its own clock.
"""

import subprocess
import sys
from statistics import median
from time import perf_counter
from typing import Any

from bench.processes import free_port
from bench.tables import show
from fleetmeter.embedded import EmbeddedStore
from fleetmeter.reader.families import families_of
from fleetmeter.reader.reading import Reader
from fleetmeter.schema.keys import SWEPT_FIELD
from fleetmeter.writer.housekeeping import EVERY, FAREWELL, GOODBYE_GRACE
from support.fleet import Replica
from support.processes import environment
from support.store import StoreAddress, new_address

WRITERS, REAL, TEN = 10_000, 200, 10
JOB = "import fleetmeter, prometheus_client as p; fleetmeter.install(); p.Counter('jobs', 'Jobs.').inc()"


def main() -> None:
    """Print what is there after ten, after all of them, and after a minute, and a quarter of an hour, with one more."""
    with EmbeddedStore(port=free_port()) as store:
        address = new_address(store)
        client: Any = address.client()
        rows = []
        _live(address, TEN)
        rows.append(_measured(f"{TEN} writers", address, client))
        _live(address, WRITERS - TEN)
        for _ in range(REAL):
            subprocess.run([sys.executable, "-c", JOB], env=environment(address), check=True)
        rows.append(_measured(f"{WRITERS:,} writers and {REAL} processes, at once", address, client))
        _pass(address, client, FAREWELL + EVERY)
        _live(address, 1)
        rows.append(_measured("two minutes later, one more", address, client))
        _pass(address, client, GOODBYE_GRACE)
        _live(address, 1)
        rows.append(_measured("a quarter of an hour later, one more", address, client))
        client.close()
    show(
        "short-lived processes: what they leave",
        ["after", "rows", "kept numbers", "keys", "memory of the store, KiB", "read, ms", "jobs"],
        rows,
        ["read: a whole snapshot, as each scrape makes one; kept numbers are in no scrape"],
    )


def _live(address: StoreAddress, count: int) -> None:
    """So many lives, one after the other: hello, a record, goodbye."""
    for _ in range(count):
        replica = Replica(address)
        replica.counter("jobs").inc(1)
        replica.flusher.flush(5.0, goodbye=True)
        replica.close()


def _pass(address: StoreAddress, client: Any, seconds: float) -> None:
    """Let time pass: everything that is stored is so much older."""
    back = int(seconds * 1e6)
    for key in (address.keys.writers, address.keys.retired):
        older = {}
        for field, text in client.hgetall(key).items():
            if field == SWEPT_FIELD.encode():
                older[field] = str(int(text) - back)
            elif not field.startswith(b"@"):
                applied, given_up, heartbeat, last, *token = text.decode().split()
                moved = str(int(last) - back) if last.isdigit() else last
                older[field] = " ".join((applied, given_up, str(int(heartbeat) - back), moved, *token))
        if older:
            client.hset(key, mapping=older)


def _measured(when: str, address: StoreAddress, client: Any) -> list[str]:
    reader = Reader(address.url, address.namespace, returns=True)
    times = []
    for _ in range(20):
        started = perf_counter()
        snapshot = reader.read()
        times.append(perf_counter() - started)
    reader.close()
    jobs = sum(
        sample.value
        for family in families_of(snapshot)
        for sample in family.samples
        if family.definition.name == "jobs"
    )
    kept = sum(not field.startswith(b"@") for field in client.hkeys(address.keys.retired))
    memory = client.info("memory")["used_memory"] / 1024
    return [
        when, f"{len(snapshot.rows):,}", f"{kept:,}", f"{client.dbsize():,}", f"{memory:,.0f}",
        f"{median(times) * 1e3:.1f}", f"{jobs:,.0f}",
    ]  # fmt: skip
