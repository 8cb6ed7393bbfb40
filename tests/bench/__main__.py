"""Runs every benchmark, or the one that is named, and prints its table."""

import sys
from time import monotonic

from bench import (
    capacity,
    flush,
    gateway,
    hot_path,
    idle,
    kinds,
    memory,
    openai_calls,
    packed,
    replay,
    scrape,
    scrape_costs,
    short_lived,
    streams,
)
from bench.tables import machine

BENCHMARKS = {
    "hot_path": hot_path.main,
    "flush": flush.main,
    "memory": memory.main,
    "idle": idle.main,
    "capacity": capacity.main,
    "replay": replay.main,
    "short_lived": short_lived.main,
    "openai": openai_calls.main,
    "streams": streams.main,
    "gateway": gateway.main,
    "kinds": kinds.main,
    "scrape": scrape.main,
    "scrape_costs": scrape_costs.main,
    "million": scrape.many,
    "packed": packed.main,
}


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"there is no benchmark {unknown[0]!r}; choose from: {', '.join(BENCHMARKS)}")
    for name in names or BENCHMARKS:
        print(f"\n{machine()}")
        started = monotonic()
        BENCHMARKS[name]()
        print(f"({name}: {monotonic() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
