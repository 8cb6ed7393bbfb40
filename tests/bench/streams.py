"""A thousand streams of the openai SDK at once in one process, a third of which are left, wave after wave.

Each has to be ended once, and memory has to be flat: what a wave leaves behind is compared with what the one before
left.
"""

from pathlib import Path

import fleetmeter
from bench.tables import judged, show
from fleetmeter.pricing import Book, PriceList
from support.streams import wave
from support.upstream import running_upstream

STREAMS, WAVES = 1_000, 5


def main() -> None:
    """Print the table."""
    rows: list[list[str]] = []
    objects: list[int] = []
    memory: list[float] = []
    wrong = 0
    with running_upstream() as upstream:
        fleetmeter.instrument_openai(prices=PriceList(Book(providers={"127.0.0.1": "openai"})))
        try:
            for number in range(WAVES):
                found = wave(upstream.base_url, STREAMS)
                differences = found.differences()
                wrong += len(differences)
                objects.append(found.objects)
                memory.append(_resident())
                figures = (
                    found.calls,
                    found.left,
                    sum(found.aborts.values()),
                    found.unpriced,
                    found.alive,
                    found.objects,
                )
                rows.append(
                    [
                        str(number + 1),
                        *map(str, figures),
                        f"{memory[-1]:.1f}",
                        "; ".join(differences) or "each ended once",
                    ]
                )
        finally:
            fleetmeter.uninstrument_openai()
    show(
        f"{STREAMS} streams at once",
        ("wave", "calls", "left", "aborts", "unpriced", "alive", "objects", "MiB", "verdict"),
        rows,
        [
            judged("differences", wrong, 0),
            judged("objects that stay of a stream, in the last wave", (objects[-1] - objects[-2]) / STREAMS, 0.1),
            judged(
                "KiB that stay of a stream, over the last waves",
                (memory[-1] - memory[1]) * 1024 / STREAMS / (WAVES - 2),
                1,
            ),
        ],
    )


def _resident() -> float:
    """Resident memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20
