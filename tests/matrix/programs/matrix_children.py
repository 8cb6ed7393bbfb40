"""Pieces of work in children that some library makes; it ends by itself."""

import os
import sys
import time
from typing import Any

PIECES = 40


def work(_: Any = None) -> int:
    """One piece of work."""
    from matrix_ledger import record

    record()
    time.sleep(0.005)
    return 1


def processes_and_pool(package: Any) -> None:
    """Half of the work in processes, half of it in a pool."""
    processes = [package.Process(target=work) for _ in range(PIECES // 2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    pool = package.Pool(2)
    pool.map(work, range(PIECES // 2))
    pool.close()
    pool.join()


def forks(execute: bool) -> None:
    """A child for each piece, which leaves without exit functions."""
    import fleetmeter

    for _ in range(PIECES):
        child = os.fork()
        if child == 0:
            work()
            fleetmeter.hand_over()
            if execute:
                os.execv("/bin/true", ["true"])
            os._exit(0)
        os.waitpid(child, 0)


def main(way: str) -> None:
    """Do the work in this way."""
    import matrix_ledger  # noqa: F401  installs, as an application's import does

    if way == "joblib":
        import joblib

        joblib.Parallel(n_jobs=2)(joblib.delayed(work)() for _ in range(PIECES))
    elif way == "loky":
        from loky import get_reusable_executor

        with get_reusable_executor(max_workers=2) as executor:
            list(executor.map(work, range(PIECES)))
    elif way == "multiprocess":
        import multiprocess

        processes_and_pool(multiprocess)
    elif way == "billiard":
        import billiard

        processes_and_pool(billiard)
    elif way == "pathos":
        from pathos.multiprocessing import ProcessPool

        pool = ProcessPool(2)
        pool.map(work, range(PIECES))
        pool.close()
        pool.join()
    elif way == "dask":
        from distributed import Client

        with Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
            client.gather(client.map(work, range(PIECES), pure=False))
    else:
        forks(way == "execv")


if __name__ == "__main__":
    main(sys.argv[1])
