"""What a scrape of packed numbers takes, beside the same numbers as fields of hashes.

    make bench ONLY=packed                    100,000 samples
    make bench ONLY=packed SAMPLES=1000000    as many

Both are in one store and take turns, with an exporter each. The drain is the least that a scrape of hashes can take.
"""

import os
from contextlib import ExitStack, closing
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from bench.drain import Drain, commands_of
from bench.exporter import OPENMETRICS, TEXT, Exporter
from bench.meter import Meter
from bench.packed_state import Twins
from bench.processes import free_port
from bench.scrape import PATIENT, SHARE, WRITERS, ask, checked
from bench.shape import shapes
from bench.tables import judged, show
from bench.turns import HEAD, Times
from fleetmeter.embedded import EmbeddedStore

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLES, TURNS = 100_000, 5
DRAIN, FIELDS, PACKED = "drain of the hashes", "fields of hashes", "packed"
MOST, BLOCKED_MS, STORED, RESIDENT = 1.0, 1.0, 1 / 5, 2 / 3
"""Times the drain, ms inside EXEC, and the parts of the hashes' memory in the store and in the exporter."""


def main() -> None:
    """Print what each took, and the ratios."""
    samples = int(os.environ.get("SAMPLES", SAMPLES))
    with EmbeddedStore(port=free_port()) as store, ExitStack() as ends:
        twins = ends.enter_context(closing(Twins(store.url + PATIENT, shapes(samples, packed=False), WRITERS)))
        exporters = {name: ends.enter_context(Exporter(address)) for name, address in
                     ((FIELDS, twins.fields), (PACKED, twins.packed))}  # fmt: skip
        first = {name: checked(exporter.first(), samples).seconds for name, exporter in exporters.items()}
        resident = {name: exporter.megabytes()[0] for name, exporter in exporters.items()}
        drain = ends.enter_context(closing(Drain(store.port, commands_of(store.url, exporters[FIELDS].scrape))))
        turns: dict[str, tuple[Callable[[Times], None], float]] = {
            DRAIN: (lambda times: times.took(drain.seconds(), len(drain.reply())), SHARE),
            **{name: (partial(ask, exporter, samples), SHARE) for name, exporter in exporters.items()},
            f"{PACKED}, OpenMetrics": (partial(ask, exporters[PACKED], samples, accept=OPENMETRICS), SHARE),
            f"{PACKED}, gzip": (partial(ask, exporters[PACKED], samples, coding="gzip"), SHARE),
            f"{PACKED}, nothing changed": (partial(ask, exporters[PACKED], samples, accept=TEXT), 0.0),
        }
        times = {name: Times() for name in turns}
        for _ in range(TURNS):
            for name, (turn, share) in turns.items():
                twins.beat()
                turn(Times())  # from here on no more than the share changes
                twins.change(share)
                twins.beat()
                turn(times[name])
        meter = ends.enter_context(closing(Meter(store.url)))
        blocked = {name: _blocked(meter, exporter) for name, exporter in exporters.items()}
        stored = dict(zip((FIELDS, PACKED), twins.megabytes(), strict=True))
    show(
        f"packed: {samples:,} samples, half counters, half of histograms; {SHARE:.0%} of the numbers change in between",
        ["way", *HEAD, "x drain"],
        [[*found.cells(name), f"{found.median / times[DRAIN].median:.2f}"] for name, found in times.items()],
    )
    show(
        "packed: what else they cost",
        ["what", "fields", "packed", "packed, part of fields"],
        [
            _row("first scrape, s", first, 2),
            _row("inside EXEC of a scrape, as the store counts it, ms", blocked, 2),
            _row("numbers in the store, MB", stored, 1),
            _row("exporter after its first scrape, MB resident", resident, 0),
        ],
        [
            judged("a scrape of packed numbers, times the drain", times[PACKED].median / times[DRAIN].median, MOST),
            judged("inside EXEC, ms", blocked[PACKED], BLOCKED_MS),
            judged("memory in the store, as a part", stored[PACKED] / stored[FIELDS], STORED),
            judged("memory of the exporter, as a part", resident[PACKED] / resident[FIELDS], RESIDENT),
        ],
    )


def _blocked(meter: Meter, exporter: Exporter) -> float:
    """Milliseconds that the store spent inside EXEC for a scrape."""
    found = []
    for _ in range(5):
        meter.client.config_resetstat()
        exporter.scrape()
        found.append(meter.client.info("commandstats")["cmdstat_exec"]["usec"] / 1e3)
    return float(median(found))


def _row(what: str, found: dict[str, float], digits: int) -> list[str]:
    fields, packed = found[FIELDS], found[PACKED]
    return [what, f"{fields:,.{digits}f}", f"{packed:,.{digits}f}", f"{packed / fields:.3f}"]
