"""`make observe`: the live check at full length; prints each total on a panel beside what the ledger says."""

import argparse
import shutil
import sys

from observation.check import observe, table
from observation.fleet import running_fleet

_SHAPE = (20, 30, 15, 25)
"""Questions per second, one after the other."""


def main() -> int:
    """Print the table; 1 where something does not agree, or there is no Prometheus."""
    parser = argparse.ArgumentParser(prog="make observe", description=__doc__)
    parser.add_argument("--seconds", type=float, default=180.0, help="how long the load lasts (default: 180)")
    arguments = parser.parse_args()
    prometheus = shutil.which("prometheus")
    if prometheus is None:
        sys.stderr.write("make observe: no program 'prometheus' on the PATH; install it (Debian: prometheus)\n")
        return 1
    with running_fleet(prometheus) as fleet:
        report = observe(fleet, [(rate, arguments.seconds / len(_SHAPE)) for rate in _SHAPE])
    for line in table(report):
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"\n{report.answered} queries have data; {len(report.complaints)} complaints\n")
    for complaint in report.complaints:
        sys.stdout.write(f"{complaint}\n")
    return 1 if report.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
