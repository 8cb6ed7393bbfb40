"""What a scrape of 100,000 samples costs beside its time: by living writers, in memory, in the store, when series come.

Each table has an exporter, or several, of its own over a store of its own.
"""

import gzip
import socket
import threading
from contextlib import ExitStack, closing
from functools import partial
from statistics import median
from time import perf_counter

from bench.exporter import Exporter
from bench.meter import Meter
from bench.namespace import Namespace
from bench.processes import free_port
from bench.scrape import PATIENT, SAMPLES, SHARE, ask, checked
from bench.shape import packs, shapes
from bench.tables import judged, show
from bench.turns import HEAD, Way, measured
from fleetmeter.embedded import EmbeddedStore

FLEETS = {"1": (1, False), "1,000": (1_000, False), "1,000, with the gateway's gauges": (1_000, True)}
FLAT = 1.1
"""Times a scrape with one living writer that one with 1,000 may take."""

LEVELS = (1, 2, 3, 4, 5, 6, 9)
TURNS = 5


def main() -> None:
    """Print a table for each."""
    _writers()
    with (
        EmbeddedStore(port=free_port()) as store,
        closing(Namespace(store.url + PATIENT, "life", shapes(SAMPLES, packed=packs()), 1)) as namespace,
    ):
        body = _life(store, namespace)
    _coding(body)


def _writers() -> None:
    """The same series, and more and more writers."""
    with EmbeddedStore(port=free_port()) as store, ExitStack() as ends:
        asked = {}
        for at, (fleet, (writers, gauges)) in enumerate(FLEETS.items()):
            families = shapes(SAMPLES, packed=packs())
            namespace = Namespace(store.url + PATIENT, f"writers-{at}", families, writers, gauges=gauges)
            ends.callback(namespace.close)
            exporter = ends.enter_context(Exporter(namespace.address))
            checked(exporter.first(), SAMPLES)
            asked[fleet] = Way(partial(ask, exporter, SAMPLES), namespace, SHARE, remembers=True)
        times = measured(asked)
    one = times["1"]
    show(
        f"scrape: {SAMPLES:,} samples by the number of living writers, {SHARE:.0%} of the numbers changed in between",
        ["living writers", *HEAD, "x of 1 writer"],
        [[*found.cells(fleet), f"{found.median / one.median:.2f}"] for fleet, found in times.items()],
        [
            "Each writer has a row, which changes between two scrapes, and the machinery's gauge; of the gateway's",
            "three gauges two are a series on the wire for each living replica: 2,000 samples more.",
            judged("a scrape with 1,000 living writers, times one with 1", times["1,000"].median / one.median, FLAT),
            judged("the quickest of each", times["1,000"].least / one.least, FLAT),
        ],
    )


def _life(store: EmbeddedStore, namespace: Namespace) -> bytes:
    """One exporter from its first scrape on; an exposition of it."""
    rows = []
    with Exporter(namespace.address) as exporter:

        def row(what: str, samples: int, seconds: list[float]) -> None:
            now, peak = exporter.megabytes()
            times = (f"{median(seconds) * 1e3:,.1f}", f"{min(seconds) * 1e3:,.1f}") if seconds else ("-", "-")
            rows.append([what, f"{samples:,}", *times, f"{now:,.0f}", f"{peak:,.0f}"])

        def scraped(samples: int) -> float:
            namespace.beat()
            return checked(exporter.scrape(), samples).seconds

        row("started, nothing scraped", 0, [])
        first = checked(exporter.first(), SAMPLES)
        row("first scrape", SAMPLES, [first.seconds])
        usual = []
        for _ in range(TURNS):
            namespace.change(SHARE)
            usual.append(scraped(SAMPLES))
        row(f"{SHARE:.0%} of the numbers changed", SAMPLES, usual)
        _store(store, namespace, exporter)
        samples, new, same = SAMPLES, [], []
        for _ in range(TURNS):
            samples += namespace.grow(SHARE)
            new.append(scraped(samples))
            namespace.change(SHARE)
            same.append(scraped(samples))
        row(f"{SHARE:.0%} new series at each", samples, new)
        row("in between, none new", samples, same)
        namespace.forget_half()
        row("half of the families forgotten", samples // 2, [scraped(samples // 2)])
        row("a scrape later", samples // 2, [scraped(samples // 2)])
    show(
        "scrape: one exporter's life",
        ["what", "samples", "median ms", "min ms", "MB resident", "MB at most"],
        rows,
        ["new series: each time some more; the samples are those at the end"],
    )
    return first.body


def _store(store: EmbeddedStore, namespace: Namespace, exporter: Exporter) -> None:
    """How long one scrape keeps the store from others."""
    meter = Meter(store.url)
    executed, waited = [], []
    for _ in range(TURNS):
        namespace.beat()
        meter.client.config_resetstat()
        with Pinging(store.port) as pinging:
            exporter.scrape()
        executed.append(meter.client.info("commandstats")["cmdstat_exec"]["usec"] / 1e3)
        waited.append(pinging.longest * 1e3)
    with Pinging(store.port) as idle:
        threading.Event().wait(median(waited) / 1e3 + 0.2)
    meter.close()
    show(
        f"scrape: how long one scrape of {SAMPLES:,} samples keeps the store from others, in ms",
        ["what", "median", "min", "max"],
        [
            [what, *(f"{value:.1f}" for value in (median(found), min(found), max(found)))]
            for what, found in (
                ("inside EXEC, as the store counts it", executed),
                ("longest wait of another client's PING", waited),
            )
        ],
        [f"without a scrape the longest wait was {idle.longest * 1e3:.1f} ms"],
    )


class Pinging:
    """PINGs a store all the time, on a connection and a thread of its own, while the block runs."""

    def __init__(self, port: int) -> None:
        self.longest = 0.0
        """Seconds that the slowest answer took."""
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._ending.wait(0.0005):
            started = perf_counter()
            self._socket.sendall(b"PING\r\n")
            self._socket.recv(64)
            self.longest = max(self.longest, perf_counter() - started)

    def __enter__(self) -> "Pinging":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        self._socket.close()


def _coding(body: bytes) -> None:
    """What gzip adds, by its level."""
    rows = []
    for level in LEVELS:
        seconds = []
        for _ in range(3):
            started = perf_counter()
            coded = gzip.compress(body, compresslevel=level)
            seconds.append(perf_counter() - started)
        rows.append([f"{level}", f"{median(seconds) * 1e3:.1f}", f"{min(seconds) * 1e3:.1f}", f"{len(coded) / 1e6:.2f}",
                     f"{len(body) / len(coded):.1f}"])  # fmt: skip
    show(
        f"scrape: gzip of an exposition of {SAMPLES:,} samples, {len(body) / 1e6:.2f} MB",
        ["level", "median ms", "min ms", "MB", "times smaller"],
        rows,
    )
