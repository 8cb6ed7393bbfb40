"""`python -m fleetmeter_app.demo`."""

import asyncio
import os
import signal
import sys
from types import FrameType


def main() -> int:
    """Run the demo; its exit status. Whatever ends it is one line on stderr."""
    try:
        # Here and not at the top: what is missing is to be named, with the way to get it.
        from rich.console import Console

        from fleetmeter_app.demo.errors import DemoError
        from fleetmeter_app.demo.run import run
        from fleetmeter_app.demo.settings import DemoSettings
    except ModuleNotFoundError as error:
        return _fail(f"{error.name} is not installed; install it with: pip install 'fleetmeter[demo]'", 1)
    try:
        return asyncio.run(run(DemoSettings.from_env(os.environ), os.environ, Console(highlight=False)))
    except DemoError as error:
        return _fail(str(error), error.status)
    except BrokenPipeError:
        # Whoever read the output has left; Python must not try to flush what is left of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _fail("the reader of its output has left", 1)


def _fail(problem: str, status: int) -> int:
    sys.stderr.write(f"fleetmeter demo: {problem}\n")
    return status


def _end_at_once(number: int, _frame: FrameType | None) -> None:
    """End the process; an exception could be raised inside an import's callback, where Python drops it."""
    os._exit(128 + number)


if __name__ == "__main__":
    # Until the demo listens itself, nothing has been started that would have to be ended.
    for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, _end_at_once)
    sys.exit(main())
