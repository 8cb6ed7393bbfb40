"""Other libraries that count calls of the SDK, beside ours, in either order: `python -m matrix.beside`.

Each call counts once with us, whatever stands above or below our hooks: calls, retries, errors, tokens and money equal
the upstream's ledger. The other library's spans show that it was at work.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from matrix.calls import run
from matrix.environments import Environments, InstallFailed
from support.upstream import running_upstream

SDK = "openai==3.54.0"
PEERS = {
    "openllmetry": ("opentelemetry-instrumentation-openai==0.62.4", "opentelemetry-sdk"),
    "langfuse": ("langfuse==5.0.4",),
}
ORDERS = ("before", "after")


def main() -> int:
    """Print the table; exit status 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="names of libraries; all without any")
    only = parser.parse_args().only
    bad = 0
    print(f"{'beside':<13}{'put in':<8}{'its spans':>10}{'calls':>7}{'retries':>9}{'errors':>8}{'aborts':>8}"
          f"{'unpriced':>10}{'nano-dollars':>14}  verdict", flush=True)  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="fm-matrix-", dir="/tmp") as folder, running_upstream() as upstream:
        environments = Environments(Path(folder))
        for peer, packages in PEERS.items():
            for order in ORDERS:
                if only and peer not in only:
                    continue
                try:
                    python = environments.with_packages((SDK, *packages, "genai-prices")) / "python"
                    result = run(upstream, python, "matrix_beside.py", peer, order)
                except (InstallFailed, AssertionError) as error:
                    bad += 1
                    print(f"{peer:<13}{order:<8}NOT RUN: {str(error).strip()[-400:]}", flush=True)
                    continue
                counted, differences = result.counted, result.differences()
                money = sum(counted["nano"].values())
                note = f" (it raised {counted['raised']} into callers)" if counted["raised"] else ""
                if not counted["spans"]:
                    differences.append("the other library saw nothing")
                bad += bool(differences)
                print(f"{peer:<13}{order:<8}{counted['spans']:>10}{counted['calls']:>7}{counted['retries']:>9}"
                      f"{sum(counted['errors'].values()):>8}{counted['aborts']:>8}{counted['unpriced']:>10}"
                      f"{money:>14}  {'; '.join(differences) or 'equal'}{note}", flush=True)  # fmt: skip
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
