"""The SDK by version and transport, in every form, against the upstream's ledger: `python -m matrix.openai`."""

import argparse
import sys
import tempfile
from pathlib import Path

from matrix.calls import run
from matrix.environments import Environments, InstallFailed
from support.upstream import running_upstream

VERSIONS = ("openai==2.20.0", "openai==2.54.0", "openai==3.3.0", "openai")
WAYS = ("sync", "async", "aiohttp")
BESIDE = ("aiohttp", "httpx-aiohttp", "genai-prices")


def main() -> int:
    """Print the table; exit status 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="times that every form is used")
    parser.add_argument("only", nargs="*", help="versions and ways to run; all without any")
    options = parser.parse_args()
    bad = 0
    print(f"{'openai':<10}{'way':<9}{'calls':>7}{'retries':>9}{'errors':>8}{'aborts':>8}{'unpriced':>10}"
          f"{'tokens':>9}{'nano-dollars':>14}  verdict", flush=True)  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="fm-matrix-", dir="/tmp") as folder, running_upstream() as upstream:
        environments = Environments(Path(folder))
        for version in VERSIONS:
            for way in WAYS:
                if options.only and not {version.removeprefix("openai=="), way} & set(options.only):
                    continue
                try:
                    python = environments.with_packages((version, *BESIDE)) / "python"
                    result = run(upstream, python, "matrix_openai.py", way, options.rounds)
                except (InstallFailed, AssertionError) as error:
                    bad += 1
                    print(f"{version:<19}{way}: NOT RUN: {str(error).strip()[-300:]}", flush=True)
                    continue
                counted, differences = result.counted, result.differences()
                bad += bool(differences)
                tokens = sum(sum(kinds.values()) for kinds in counted["tokens"].values())
                money = sum(counted["nano"].values())
                print(f"{counted['version']:<10}{way:<9}{counted['calls']:>7}{counted['retries']:>9}"
                      f"{sum(counted['errors'].values()):>8}{counted['aborts']:>8}{counted['unpriced']:>10}{tokens:>9}"
                      f"{money:>14}  {'; '.join(differences) or 'equal'}", flush=True)  # fmt: skip
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
