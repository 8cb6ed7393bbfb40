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
Starts COMMAND, and every Python process below it, with fleetmeter installed: what they count with prometheus_client
counts for the fleet. The command takes the place of this process, so that signals and the exit status are its own.
The settings are the FLEETMETER_ variables.
"""
_LIMITS = """
Python finds fleetmeter through PYTHONPATH. A program that is started with -I, -E or -S, or that clears PYTHONPATH for
its children, gets nothing; nor does a Python that fleetmeter is not installed for: it says so and runs without.
Launchers below it (opentelemetry-instrument, ddtrace-run) do not hide it, as pip puts fleetmeter-run.pth into the
site-packages, which is read before any sitecustomize.
A program that calls fleetmeter.install() itself needs no launcher.
"""


def add_run(subcommands: Subcommands) -> None:
    """Add `run` to the subcommands of `fleetmeter`."""
    parser = subcommands.add_parser(
        "run", help="start a program with fleetmeter installed", description=_DESCRIPTION, epilog=_LIMITS
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="the program and its arguments")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Become the command; returns an exit status only where that is not possible."""
    command: list[str] = arguments.command
    if command[:1] == ["--"]:
        command = command[1:]
    if not command:
        return complain("there is no command; expected fleetmeter run -- COMMAND …", UNUSABLE)
    try:
        Settings.from_env()
    except SettingError as error:
        return complain(str(error), UNUSABLE)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python; a program that is started expects their defaults
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvpe(command[0], command, environment(os.environ))  # noqa: S606  the user says what to start
    except FileNotFoundError:
        return complain(f"{command[0]}: there is no such program; expected a path, or a name in PATH", NOT_FOUND)
    except OSError as error:
        return complain(f"{command[0]}: cannot be started: {error.strerror}", NOT_EXECUTABLE)


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment in which every Python finds fleetmeter's folder first; see `launch.fleetmeter_watcher`."""
    ours = str(files("fleetmeter") / "launch")
    others = [folder for folder in environ.get("PYTHONPATH", "").split(os.pathsep) if folder not in ("", ours)]
    return {**environ, "PYTHONPATH": os.pathsep.join([ours, *others])}
