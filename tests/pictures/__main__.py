"""`make pictures`: runs the demo's fleet beside a real Prometheus, and draws every dashboard and the board from it.

Nothing is made up for a picture: the load is the demo's, and a panel on what did not happen is empty.
"""

import argparse
import shutil
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from observation.dashboards import ROOT, documents, panels, scrape_interval
from observation.fleet import running_fleet, window
from pictures.board import draw_board
from pictures.sheet import draw
from support.board import running_board

FOLDER = ROOT / "docs" / "pictures"
_RATES = (18, 22, 27, 30, 26, 20, 15, 12, 14, 17)
"""Questions per second, one after the other: a load that rises and falls."""


def main() -> int:
    """Draw them all; 1 where something had no room, or there is no Prometheus."""
    parser = argparse.ArgumentParser(prog="make pictures", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="how long the load lasts (default: 300)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the pictures go")
    arguments = parser.parse_args()
    prometheus = shutil.which("prometheus")
    if prometheus is None:
        sys.stderr.write("make pictures: no program 'prometheus' on the PATH; install it (Debian: prometheus)\n")
        return 1
    arguments.folder.mkdir(parents=True, exist_ok=True)
    cuts = []
    with ExitStack() as stack:
        fleet = stack.enter_context(running_fleet(prometheus, scrape_seconds=scrape_interval(), every_panel=False))
        logs = Path(stack.enter_context(TemporaryDirectory()))
        board = stack.enter_context(running_board(fleet.store, logs, "--prometheus", fleet.prometheus.address)).ready()
        fleet.load([(30, 6)])
        started = time.time()
        fleet.load([(rate, arguments.seconds / len(_RATES)) for rate in _RATES], settle=False)
        shown = window(started, time.time())
        draw_board(board.address, arguments.folder)
        for name in dict.fromkeys(panel.dashboard for panel in panels()):
            document = documents()[name]
            cuts += [f"{name}: {text}" for text in draw(name, document, fleet.prometheus, shown, arguments.folder)]
    for text in cuts:
        sys.stderr.write(f"make pictures: no room for {text}\n")
    return 1 if cuts else 0


if __name__ == "__main__":
    sys.exit(main())
