"""What a scrape of the exporter takes, beside the least that it can take and beside other ways to the same exposition.

Every way is measured in one run, in turn, over one store with the same series. Before each turn a part of the numbers
changes and every writer gives a sign of life, outside of what is timed. Numbers are packed; with NUMBERS=fields
they are fields of hashes.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.drain import Drain, commands_of, parse_seconds
from bench.exporter import OPENMETRICS, TEXT, Answer, Exporter, shown
from bench.namespace import Namespace
from bench.processes import free_port
from bench.renderers import Renderer, through_a_collector, through_files, through_pytheus
from bench.shape import packs, shapes
from bench.tables import judged, show
from bench.turns import FEWEST, Times, Way, measured
from fleetmeter.embedded import EmbeddedStore

SAMPLES, MANY = 100_000, 1_000_000
WRITERS = 64
"""Living writers, and processes of multiprocess mode."""

COPIES = 8
"""Processes that hold each series in the second row of multiprocess mode."""

NEEDED = {SAMPLES: 2, MANY: 10}
"""GiB of memory that must be free."""

FASTER = 10
"""Times that our scrape shall be faster than `generate_latest`."""

FIRST_TRY, DREAM = 6, 3
"""Times the drain that it may take: what a first try gave, and what would be best."""

PATIENT = "?socket_timeout=60&socket_connect_timeout=60"
"""What everybody's URL says: on a busy machine a million numbers take longer than the usual second."""

OURS, DRAIN, STOCK = "fleetmeter-exporter, text", "drain the socket", "RedisCollector, generate_latest"
SHARE = 0.1
"""What changes between two scrapes."""


def main() -> None:
    """Print the table for 100,000 samples."""
    compared(SAMPLES)


def many() -> None:
    """Print the table for 1,000,000 samples."""
    compared(MANY)


def compared(samples: int) -> None:
    """Print what every way took, with its ratio to the drain and to `generate_latest`."""
    if (lack := lacking(samples)) is not None:
        print(f"scrape: {samples:,} samples left out: {lack}")
        return
    with EmbeddedStore(port=free_port()) as store, ExitStack() as ends:
        families = shapes(samples, packed=packs())
        namespace = ends.enter_context(closing(Namespace(store.url + PATIENT, "scrape", families, WRITERS)))
        times = measured(ways(samples, store, namespace, ends))
    drain, stock, ours = times[DRAIN], times[STOCK], times[OURS]
    show(
        f"scrape: {samples:,} samples, {'packed' if packs() else 'fields'}, half counters, half of histograms; "
        f"{SHARE:.0%} of the numbers change in between",
        [
            "way",
            "turns",
            "median ms",
            "min ms",
            "CPU ms",
            "MB",
            "peak RSS MB",
            "x drain",
            "x faster than generate_latest",
        ],
        [
            [*found.cells(name), f"{found.median / drain.median:.1f}", f"{stock.median / found.median:.2f}"]
            for name, found in times.items()
        ],
        [
            f"CPU: of the process that answers. {WRITERS} writers live. drain, hiredis: the same MULTI, its reply of",
            "raw numbers. Ours: over HTTP, on a new connection, to the last byte; the others without HTTP.",
            f"multiprocess: the files of {WRITERS} processes; each series is in 1 of them, as when each process had",
            f"its own, or in {COPIES}; where each process has met each series, it is in all {WRITERS}.",
            judged("our scrape, as a part of generate_latest's", ours.median / stock.median, 1 / FASTER),
            *(() if packs() else _beside_the_drain(ours.median / drain.median)),
        ],
    )


def _beside_the_drain(ratio: float) -> list[str]:
    """What is judged of hashes only; `bench.packed` holds packed numbers against the drain of hashes."""
    return [
        judged("our scrape, times the drain, as a first try", ratio, FIRST_TRY),
        judged("our scrape, times the drain, at best", ratio, DREAM),
    ]


def lacking(samples: int) -> str | None:
    """Why a state of this size cannot be measured here; None where it can."""
    text = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(text["MemAvailable"].split()[0]) / 2**20
    return None if free >= NEEDED[samples] else f"{free:.1f} GiB of memory are free, {NEEDED[samples]} are needed"


def ways(samples: int, store: EmbeddedStore, namespace: Namespace, ends: ExitStack) -> dict[str, Way]:
    """Every way, ready to be measured; `ends` ends what was started for them."""
    address = namespace.address
    exporter = ends.enter_context(Exporter(address))
    checked(exporter.first(), samples)
    drain = ends.enter_context(closing(Drain(store.port, commands_of(address.url, exporter.scrape))))
    stock = ends.enter_context(closing(Renderer(through_a_collector, address.url, address.namespace)))
    found = {
        DRAIN: Way(lambda times: times.took(drain.seconds(), len(drain.reply())), namespace, SHARE),
        "hiredis alone": Way(partial(_parse, drain), namespace, SHARE),
        OURS: Way(partial(ask, exporter, samples), namespace, SHARE, remembers=True),
        "the same, 100 % changed": Way(partial(ask, exporter, samples), namespace, 1, remembers=True),
        "text, gzip": Way(partial(ask, exporter, samples, coding="gzip"), namespace, SHARE, remembers=True),
        STOCK: Way(partial(_render, stock, samples), namespace, SHARE),
    }
    if samples == SAMPLES:
        found |= {
            "the same, nothing changed": Way(partial(ask, exporter, samples), namespace, 0, remembers=True),
            "OpenMetrics": Way(partial(ask, exporter, samples, accept=OPENMETRICS), namespace, SHARE, remembers=True),
            "OpenMetrics, gzip": Way(
                partial(ask, exporter, samples, accept=OPENMETRICS, coding="gzip"), namespace, SHARE, remembers=True
            ),
        }
    for copies in (1, COPIES) if samples == SAMPLES else (1,):
        directory = ends.enter_context(worker_files(samples, copies))
        files = ends.enter_context(closing(Renderer(through_files, directory)))
        name = f"multiprocess, {WRITERS} processes, in {copies}"
        found[name] = Way(partial(_render, files, samples), namespace, 0, fewest=1 if copies > 1 else FEWEST)
    if samples == SAMPLES:
        pytheus = ends.enter_context(closing(Renderer(through_pytheus, store.port, samples)))
        found["pytheus, Redis"] = Way(partial(_render, pytheus, samples), namespace, 0)
    return found if samples == SAMPLES else {name: replace(way, fewest=1) for name, way in found.items()}


def checked(answer: Answer, samples: int) -> Answer:
    """The answer itself; raises `RuntimeError` where it does not show every sample."""
    found = shown(answer.text)
    if (answer.status, found) != (200, samples):
        raise RuntimeError(
            f"{samples} samples expected: status {answer.status}, {found} samples: {answer.text[:500]!r}"
        )
    return answer


@contextmanager
def worker_files(samples: int, copies: int) -> Iterator[str]:
    """A directory with what multiprocess mode's processes wrote."""
    with tempfile.TemporaryDirectory(prefix="fm-bench-") as directory:
        environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": directory}
        command = [sys.executable, "-m", "bench.worker_files", str(samples), str(WRITERS), str(copies)]
        subprocess.run(command, env=environ, check=True)
        yield directory


def ask(exporter: Exporter, samples: int, times: Times, accept: str = TEXT, coding: str = "identity") -> None:
    """One turn: a scrape."""
    answer = checked(exporter.scrape(accept, coding), samples)
    times.took(answer.seconds, len(answer.body), answer.processor, exporter.megabytes()[1])


def _render(renderer: Renderer, samples: int, times: Times) -> None:
    rendering = renderer.render()
    if shown(rendering.body) != samples:
        raise RuntimeError(f"{samples} samples expected, {shown(rendering.body)} came")
    times.took(rendering.seconds, len(rendering.body), rendering.processor, rendering.most)


def _parse(drain: Drain, times: Times) -> None:
    reply = drain.reply()
    times.took(parse_seconds(reply, drain.replies), len(reply))
