"""Runs every scenario at the wanted size, three at a time, and prints the table. Exit status 1 for any problem.

python -m chaos --kills 50 --sentinel 20 --cluster 20 --minutes 10
python -m chaos --numbers fields

Without `--numbers` writers pack their numbers; then all of it runs again at a fifth of its size with writers that keep
fields of hashes, as older ones do, and once more with writers of both formats.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from functools import partial

from chaos.failovers import cluster_failovers, sentinel_failovers, slot_moves
from chaos.fleet import FORMATS
from chaos.network import lossy, troubles
from chaos.single import kills_with_dumps, kills_with_log, kills_with_writers, kills_without_persistence
from chaos.table import Result, table
from chaos.watched import PROGRAM, watched_failovers

BRIEF = 0.2
"""The share of its size with which a scenario runs for the formats that are not asked for."""


def scenarios(arguments: argparse.Namespace, numbers: str, share: float = 1.0) -> list[Callable[[], Result]]:
    """What is run, the longest first, with a share of each size.

    The kills are shared out: two fifths each with a log and with dumps. Below its least size a scenario does not meet
    all of its faults.
    """
    seed, writers = arguments.seed, arguments.writers
    with_log = with_dumps = arguments.kills * 2 // 5
    without = arguments.kills - with_log - with_dumps
    sizes: list[tuple[Callable[..., Result], float, int]] = [
        (lossy, arguments.minutes * 60, 15),
        (cluster_failovers, arguments.cluster, 3),
        (sentinel_failovers, arguments.sentinel, 4),
        (troubles, arguments.troubles, 6),
        (kills_with_dumps, with_dumps, 3),
        (kills_with_log, with_log, 3),
        (slot_moves, arguments.moves, 4),
        (kills_without_persistence, without, 2),
        (kills_with_writers, arguments.deaths, 2),
        (watched_failovers, arguments.watched, 2),
    ]
    return [
        partial(
            run,
            size if share == 1 else max(least, round(size * share)),
            writers=writers,
            seed=seed + 100 * at,
            server=arguments.server,
            numbers=numbers,
        )
        for at, (run, size, least) in enumerate(sizes)
        if size
    ]


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(
        prog="chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50, help="store kills, over all kinds of persistence (default 50)")
    parser.add_argument("--sentinel", type=int, default=20, help="Sentinel failovers (default 20)")
    parser.add_argument("--cluster", type=int, default=20, help="Cluster failovers (default 20)")
    parser.add_argument("--moves", type=int, default=20, help="moves of a Cluster slot (default 20)")
    parser.add_argument("--troubles", type=int, default=24, help="faults of network and server (default 24)")
    parser.add_argument("--deaths", type=int, default=10, help="kills of a store and a writer at once (default 10)")
    parser.add_argument("--minutes", type=float, default=10.0, help="minutes of 5 %% lost replies (default 10)")
    parser.add_argument("--watched", type=int, default=20, help="failovers under a real Prometheus (default 20)")
    parser.add_argument("--writers", type=int, default=3, help="writer processes of each scenario (default 3)")
    parser.add_argument("--seed", type=int, default=0, help="of all dice (default 0)")
    parser.add_argument("--numbers", choices=FORMATS, help="one format of numbers (default: all, see above)")
    parser.add_argument("--server", help="the server's program (default: the embedded Valkey)")
    parser.add_argument("--at-once", type=int, default=3, help="scenarios that run side by side (default 3)")
    arguments = parser.parse_args()
    if arguments.watched and shutil.which(PROGRAM) is None:
        print(f"no failovers under a real Prometheus: {PROGRAM} is not installed", flush=True)
        arguments.watched = 0
    wanted = arguments.numbers or "packed"
    every = scenarios(arguments, wanted)
    for other in FORMATS if arguments.numbers is None else ():
        every += scenarios(arguments, other, BRIEF) if other != wanted else []
    begun = time.monotonic()
    results: list[Result] = []
    failures = 0
    with ThreadPoolExecutor(arguments.at_once) as pool:
        running: list[Future[Result]] = [pool.submit(scenario) for scenario in every]
        for future in as_completed(running):
            error = future.exception()
            if error is None:
                results.append(future.result())
                print(f"{time.monotonic() - begun:6.0f} s  {results[-1].scenario}", flush=True)
            else:
                failures += 1
                print(f"{time.monotonic() - begun:6.0f} s  a scenario broke: {error!r}", flush=True)
    print(table(results))
    return int(bool(failures or any(result.problems for result in results)))


if __name__ == "__main__":
    sys.exit(main())
