"""The programs of examples/ that need further packages, each in an environment of its own: `python -m matrix.examples`.

What the fleet has of each, after its end, has to be what the upstream's ledger says.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from fleetmeter.embedded import EmbeddedStore
from matrix.environments import ROOT, Environments, InstallFailed
from support.model_examples import SCRIPTS, tried
from support.store import new_address
from support.upstream import running_upstream


def main() -> int:
    """Print the table; exit status 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="names of files; all that need further packages without any")
    only = parser.parse_args().only
    bad = 0
    print(f"{'example':<27}{'upstream':>10}{'nano-dollars':>14}  verdict", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="fm-matrix-", dir="/tmp") as folder,
        running_upstream() as upstream,
        EmbeddedStore() as store,
    ):
        environments = Environments(Path(folder))
        for name, packages in SCRIPTS.items():
            if name not in only if only else not packages:
                continue
            try:
                python = environments.with_packages((*packages, "openai", "genai-prices")) / "python"
                library = str(ROOT / "state")
                ledger, told = tried(str(python), name, new_address(store), upstream, PYTHONPATH=library)
            except (InstallFailed, AssertionError) as error:
                bad += 1
                print(f"{name:<27}NOT RUN: {str(error).strip()[-400:]}", flush=True)
                continue
            bad += told != "equal"
            whole = ledger.total()
            print(f"{name:<27}{whole.received:>10}{whole.delivered.nanodollars:>14}  {told}", flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
