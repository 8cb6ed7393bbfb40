"""Shows frames of `top`: one after the other on a terminal, or a single one."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
    """Redraw the terminal every `interval` seconds, until Ctrl-C, which raises `KeyboardInterrupt`."""
    with _heard() as interrupted, Live(console=Console(), screen=True, auto_refresh=False) as live:
        while True:
            watch.look()
            live.update(frame(watch), refresh=True)
            if interrupted():
                raise KeyboardInterrupt
            time.sleep(interval)


@contextmanager
def _heard() -> Iterator[Callable[[], bool]]:
    """Remember a Ctrl-C, which raises as ever: Python drops what is raised while an object is deleted."""
    count = 0

    def hear(*_: object) -> None:
        nonlocal count
        count += 1
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, hear)
    try:
        yield lambda: count > 0
    finally:
        signal.signal(signal.SIGINT, before)
