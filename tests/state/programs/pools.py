"""Counts in children that multiprocessing starts: arguments are the start method, how they are used, who installs."""

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from prometheus_client import Counter

import fleetmeter

counted = Counter("counted", "Records.")
method, use, installer = sys.argv[1:4]
if installer == "module":  # each child that imports this module is installed, before its work begins
    fleetmeter.install()


def count(amount: int) -> int:
    """One piece of work."""
    if installer == "work":
        fleetmeter.install()
    counted.inc(amount)
    return amount


def main() -> None:
    """Count 10 here and 1 in each of five pieces of work."""
    if installer == "main":
        fleetmeter.install()
    count(10)
    context: Any = multiprocessing.get_context(method)  # the base class of contexts is typed without their classes
    if use == "processes":
        processes = [context.Process(target=count, args=(1,)) for _ in range(5)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0] * 5
    elif use == "pool":
        with ProcessPoolExecutor(2, context) as executor:
            assert sum(executor.map(count, [1] * 5)) == 5
    elif use == "terminated pool":
        with context.Pool(2) as pool:
            assert sum(pool.map(count, [1] * 5)) == 5


if __name__ == "__main__":
    main()
