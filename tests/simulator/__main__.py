"""Runs seeds, on every core, says how far it is, and prints a shortened schedule for each that fails."""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from multiprocessing import get_context

from simulator.schedule import draw, shortened, text_of
from simulator.scripts import Scripts, sources
from simulator.simulation import run

CHUNK = 100
"""Seeds that a process takes at a time."""

SHOWN = 3
"""Failing seeds whose schedules are printed."""

PAUSE = 60.0
"""Seconds between two lines about how far it is."""


def failing(chunk: tuple[int, int]) -> tuple[int, list[tuple[int, str]]]:
    """How many seeds a chunk has, given as the first one and their number; and those that fail, and how."""
    first, count = chunk
    scripts = Scripts(sources())
    found = []
    for seed in range(first, first + count):
        violation = run(seed, draw(seed), scripts)
        if violation is not None:
            found.append((seed, str(violation)))
    return count, found


def report(seed: int) -> str:
    """What goes wrong with a seed, as short as it can be told."""
    scripts = Scripts(sources())
    kind = str(run(seed, draw(seed), scripts)).partition(":")[0]
    steps = shortened(draw(seed), lambda part: str(run(seed, part, scripts)).partition(":")[0] == kind)
    return f"seed {seed}: {run(seed, steps, scripts)}\n{text_of(steps)}"


def _chunks(first: int, count: int) -> Iterator[tuple[int, int]]:
    for start in range(first, first + count, CHUNK):
        yield start, min(CHUNK, first + count - start)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="simulator", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first one")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    started = told = time.monotonic()
    done = 0
    found: list[tuple[int, str]] = []
    with get_context("fork").Pool(options.processes) as pool:
        for count, part in pool.imap_unordered(failing, _chunks(options.first, options.seeds)):
            done += count
            found += part
            if time.monotonic() - told >= PAUSE:
                told = time.monotonic()
                print(f"{done} seeds, {len(found)} violations, {told - started:.0f} s", flush=True)
    seconds = time.monotonic() - started
    found.sort()
    for seed, message in found[:SHOWN]:
        print(message)
        print(report(seed))
    print(
        f"{options.seeds} seeds from {options.first}: {len(found)} violations, "
        f"{options.seeds / seconds:.0f} seeds per second"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
