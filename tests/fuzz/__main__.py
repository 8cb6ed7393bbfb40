"""The command line: as many families as are asked for, on every core; stops at the first that goes wrong.

First come stories of what a store holds, held against prometheus_client; then plans of what a fleet records, done with
numbers as fields and with packed ones.
"""

import argparse
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, islice
from multiprocessing import get_context
from multiprocessing.pool import Pool

from fleetmeter.embedded import EmbeddedStore
from fuzz.formats.run import run as run_formats
from fuzz.run import Result, run

STORIES = 100
"""Stories of a seed."""

PLANS = 10
"""Plans of a seed."""

PAUSE = 10.0
"""Seconds between two lines about how far it is."""


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--families", type=int, default=200_000, help="how many, at least")
    parser.add_argument("--formats", type=int, default=20_000, help="how many in both formats of numbers, at least")
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    promtool = shutil.which("promtool")
    if promtool is None:
        print("promtool is not installed: what is served is not given to it")
    with EmbeddedStore() as server:
        kinds = ((partial(_run, promtool), options.families), (partial(_run_formats, server.url), options.formats))
        failure = ""
        for kind, wanted in kinds:
            with get_context("fork").Pool(options.processes) as pool:
                failure = failure or _failure(_results(pool, options.processes, kind, options.seed), wanted)
    print(failure or "nothing went wrong")
    return 1 if failure else 0


def _failure(results: Iterator[Result], wanted: int) -> str:
    """Take results until there are so many families, or something goes wrong: that in words. Says how far it is."""
    found, started = Result(0, 0), time.monotonic()
    told = started
    while wanted:
        found = found.with_(next(results))
        done = bool(found.failure) or found.families >= wanted
        if done or time.monotonic() - told >= PAUSE:
            told = time.monotonic()
            print(f"{found}, {told - started:.0f} s, {found.families / (told - started):.0f} families per second")
            sys.stdout.flush()
        if done:
            break
    return found.failure


def _results(pool: Pool, processes: int, kind: Callable[[int], Result], first: int) -> Iterator[Result]:
    """What comes of one seed after the other, for ever."""
    seeds = count(first)
    while True:  # a pool reads all of what it is given at once
        yield from pool.imap_unordered(kind, list(islice(seeds, 4 * processes)))


def _run(promtool: str | None, seed: int) -> Result:
    return run(seed, STORIES, promtool)


def _run_formats(url: str, seed: int) -> Result:
    logging.getLogger("fleetmeter").setLevel(logging.CRITICAL)  # of layouts that change, which they shall
    return run_formats(seed, PLANS, url)


if __name__ == "__main__":
    sys.exit(main())
