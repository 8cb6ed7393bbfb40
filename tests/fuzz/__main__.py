"""The command line: as many families as are asked for, on every core; stops at the first story that goes wrong."""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator
from functools import partial
from itertools import count, islice
from multiprocessing import get_context
from multiprocessing.pool import Pool

from fuzz.run import Result, run

STORIES = 100
"""Stories of a seed."""

PAUSE = 10.0
"""Seconds between two lines about how far it is."""


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--families", type=int, default=200_000, help="how many, at least")
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    promtool = shutil.which("promtool")
    if promtool is None:
        print("promtool is not installed: what is served is not given to it")
    found, told = Result(0, 0), time.monotonic()
    started = told
    with get_context("fork").Pool(options.processes) as pool:
        for result in _results(pool, options.processes, promtool, options.seed):
            found = found.with_(result)
            done = bool(found.failure) or found.families >= options.families
            if done or time.monotonic() - told >= PAUSE:
                told = time.monotonic()
                print(f"{found}, {told - started:.0f} s, {found.families / (told - started):.0f} families per second")
                sys.stdout.flush()
            if done:
                break
    print(found.failure or "nothing went wrong")
    return 1 if found.failure else 0


def _results(pool: Pool, processes: int, promtool: str | None, first: int) -> Iterator[Result]:
    """What comes of one seed after the other, for ever."""
    seeds = count(first)
    while True:  # a pool reads all of what it is given at once
        yield from pool.imap_unordered(partial(_run, promtool), list(islice(seeds, 4 * processes)))


def _run(promtool: str | None, seed: int) -> Result:
    return run(seed, STORIES, promtool)


if __name__ == "__main__":
    sys.exit(main())
