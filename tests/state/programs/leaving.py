"""Counts in children that a framework ends by `os._exit`; the argument names it and how it is used."""

import os
import sys
from typing import Any

from prometheus_client import Counter

import fleetmeter

counted = Counter("counted", "Records.")
way, *method = sys.argv[1].split()


def count(amount: int) -> int:
    """One piece of work."""
    counted.inc(amount)
    return amount


def use(package: Any) -> None:
    """Five processes, then a pool with five pieces of work."""
    context = package.get_context(*method)
    processes = [context.Process(target=count, args=(1,)) for _ in range(5)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    pool = context.Pool(2)
    assert sum(pool.map(count, [1] * 5)) == 5
    pool.close()
    pool.join()


fleetmeter.install()
if __name__ == "__main__":
    count(10)
    if way == "multiprocess":
        import multiprocess

        use(multiprocess)
    elif way == "billiard":
        import billiard

        use(billiard)
    else:
        for _ in range(10):
            child = os.fork()
            if child == 0:
                count(1)
                if way == "execv":
                    assert fleetmeter.hand_over()
                    os.execv("/bin/true", ["true"])
                os._exit(0 if fleetmeter.hand_over(timeout=5) else 1)
            assert os.waitpid(child, 0)[1] == 0
