"""`python -m soak --minutes 15 --requests 100000`: both runs; 0 leaves one out. Status 1 if anything does not agree."""

import argparse
import sys
from functools import partial

from soak.runs import minutes, requests, show


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(prog="soak", description="The gateway under load for a long time.")
    parser.add_argument("--minutes", type=float, default=15.0, help="minutes at 80 %% of capacity (default 15)")
    parser.add_argument("--requests", type=int, default=100_000, help="requests to one replica (default 100,000)")
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second, whatever the capacity is")
    arguments = parser.parse_args()
    rate = arguments.rate
    problems = 0
    if arguments.requests:
        title = f"{arguments.requests} requests to one replica"
        problems += show(title, partial(requests, arguments.requests, rate=rate))
    if arguments.minutes:
        title = (
            f"{arguments.minutes:g} minutes at {f'{rate:g} requests/s' if rate else '80 % of capacity'}, "
            "5 % upstream errors, a restart of the store, SIGKILL of a replica"
        )
        problems += show(title, partial(minutes, arguments.minutes * 60, rate=rate))
    return min(problems, 1)


if __name__ == "__main__":
    sys.exit(main())
