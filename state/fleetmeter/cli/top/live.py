"""Shows frames of `top`: one after the other on a terminal, or a single one."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live

from fleetmeter.cli.top.frame import frame
from fleetmeter.watching.sighting import Watch


def show_once(watch: Watch, interval: float, pause: Callable[[float], None] = time.sleep) -> None:
    """Print one frame, with rates measured over `interval` seconds."""
    watch.look()
    if watch.now is not None:
        pause(interval)
        watch.look()
    Console().print(frame(watch))


def show(watch: Watch, interval: float) -> None:
    """Redraw the terminal every `interval` seconds, until Ctrl-C."""
    with Live(console=Console(), screen=True, auto_refresh=False) as live:
        while True:
            watch.look()
            live.update(frame(watch), refresh=True)
            time.sleep(interval)
