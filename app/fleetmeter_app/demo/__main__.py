"""`python -m fleetmeter_app.demo`."""

import asyncio
import os
import signal
import sys
from types import FrameType


def main() -> int:
    """Run the demo. Returns its exit status; if it fails, the reason is one line on stderr."""
    try:
        # Imported here, so that a missing package is reported together with the way to install it.
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
        # The reader of the output has closed it, so Python must not flush the rest into it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _fail("the reader of its output has closed it", 1)


def _fail(problem: str, status: int) -> int:
    sys.stderr.write(f"fleetmeter demo: {problem}\n")
    return status


def _end_at_once(number: int, _frame: FrameType | None) -> None:
    """End the process. An exception would not do: inside an import's callback, Python drops it."""
    os._exit(128 + number)


if __name__ == "__main__":
    # The demo takes these signals over before it starts any program, so nothing is left running here.
    for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, _end_at_once)
    sys.exit(main())
