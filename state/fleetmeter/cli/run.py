"""`fleetmeter run -- COMMAND …`: starts a program with fleetmeter installed, without a change to its code."""

import argparse
import os
import signal
from collections.abc import Mapping
from importlib.resources import files

from fleetmeter.cli.printing import complain
from fleetmeter.cli.target import Subcommands
from fleetmeter.errors import SettingError
from fleetmeter.settings import Settings

UNUSABLE, NOT_EXECUTABLE, NOT_FOUND = 2, 126, 127
"""Exit statuses: settings or arguments that cannot be used; the other two are those of shells."""

_DESCRIPTION = """
Starts COMMAND, and every Python process below it, with fleetmeter installed: their metrics of prometheus_client count
for the fleet. The command takes the place of this process, so it gets the signals, and its exit status is the one you
see. The settings are the FLEETMETER_ variables.
"""
_LIMITS = """
Python finds fleetmeter through PYTHONPATH. So it does not work for a Python that is started with -I, -E or -S, or for
children for which a program clears PYTHONPATH. A Python without fleetmeter logs a warning and runs without it.
Other launchers (opentelemetry-instrument, ddtrace-run) may stand between: pip puts fleetmeter-run.pth into the
site-packages, which Python reads before their sitecustomize.
A program that calls fleetmeter.install() itself needs no launcher.
"""


def add_run(subcommands: Subcommands) -> None:
    """Add `run` to the subcommands of `fleetmeter`."""
    parser = subcommands.add_parser(
        "run", help="Start a program with fleetmeter installed.", description=_DESCRIPTION, epilog=_LIMITS
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="the program and its arguments")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Become the command. Returns only if that is not possible, with an exit status."""
    command: list[str] = arguments.command
    if command[:1] == ["--"]:
        command = command[1:]
    if not command:
        return complain("there is no command; expected fleetmeter run -- COMMAND …", UNUSABLE)
    try:
        Settings.from_env()
    except SettingError as error:
        return complain(str(error), UNUSABLE)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these; a new program expects their defaults
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvpe(command[0], command, environment(os.environ))  # noqa: S606  the user says what to start
    except FileNotFoundError:
        return complain(f"{command[0]}: there is no such program; expected a path, or a name in PATH", NOT_FOUND)
    except OSError as error:
        return complain(f"{command[0]}: cannot be started: {error.strerror}", NOT_EXECUTABLE)


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment with our folder first on PYTHONPATH; see `launch.fleetmeter_watcher`."""
    ours = str(files("fleetmeter") / "launch")
    others = [folder for folder in environ.get("PYTHONPATH", "").split(os.pathsep) if folder not in ("", ours)]
    return {**environ, "PYTHONPATH": os.pathsep.join([ours, *others])}
