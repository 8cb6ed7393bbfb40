"""Tries each software and prints the table; exit status 1 where a row is not what docs/limits.md permits."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from matrix.environments import Environments, InstallFailed
from matrix.software import ROWS
from matrix.trial import run, store_for_all
from support.store import new_address


def main() -> int:
    """Run the rows whose names contain one of the words."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="words of the names to run; all without any")
    only = parser.parse_args().only
    rows = [row for row in ROWS if not only or any(word in row.name for word in only)]
    bad = 0
    print(f"{'software':<36}{'packages':<40}{'ledger':>7}{'exported':>9}{'alive':>6}  verdict", flush=True)
    with tempfile.TemporaryDirectory(prefix="fm-matrix-", dir="/tmp") as name:
        folder = Path(name)
        (folder / "store").mkdir()
        environments = Environments(folder)
        with store_for_all(folder / "store") as store:
            for number, row in enumerate(rows):
                place = folder / str(number)
                place.mkdir()
                try:
                    result = run(row, environments, store, new_address(store), place)
                except (InstallFailed, AssertionError, OSError, subprocess.SubprocessError) as error:
                    figures, verdict = f"{'-':>7}{'-':>9}{'-':>6}", f"NOT RUN: {_last_line(error)}"
                else:
                    figures = f"{result.ledger:>7}{result.exported:>9}{result.living:>6}"
                    verdict = result.verdict(row.loss)
                bad += verdict != "exact" and "in the limits" not in verdict
                print(f"{row.name:<36}{' '.join(row.packages) or '-':<40}{figures}  {verdict}", flush=True)
    print(f"{len(rows)} rows, {bad} of them not as they should be")
    return int(bad > 0)


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:120]


if __name__ == "__main__":
    sys.exit(main())
