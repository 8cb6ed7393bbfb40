"""`fleetmeter top`: a live view of the fleet."""

import argparse
import sys
from contextlib import closing

from fleetmeter.cli.errors import CommandError
from fleetmeter.cli.target import NamespaceTarget, Subcommands, add_command
from fleetmeter.errors import SettingError
from fleetmeter.settings import parse_seconds
from fleetmeter.watching.sighting import Watch


def add_top(subcommands: Subcommands) -> None:
    """Add `top` to the program."""
    parser = add_command(
        subcommands, "top", "Watch the fleet, about a second behind: replicas, requests, tokens, dollars, cache."
    )
    parser.add_argument("--interval", metavar="SECONDS", default="1", help="time between two looks (default 1)")
    parser.add_argument("--once", action="store_true", help="print one frame and end; needs no terminal")
    parser.set_defaults(run=top)


def top(arguments: argparse.Namespace) -> int:
    """Show the fleet until Ctrl-C, which ends it with 0. Raises `FleetmeterError`.

    A store that is away does not end it: the view says so, and goes on. With `--once` the status is 1 then.
    """
    target = NamespaceTarget.of(arguments)
    interval = parse_seconds("--interval", arguments.interval)
    try:
        from fleetmeter.cli.top.live import show, show_once
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        raise CommandError("top needs rich; install it with: pip install 'fleetmeter[cli]'") from error
    if not (arguments.once or sys.stdout.isatty()):
        raise SettingError("top", "standard output is no terminal; expected one, or --once for a single frame")
    with closing(Watch(target)) as watch:
        try:
            if arguments.once:
                show_once(watch, interval)
                return int(watch.trouble is not None)
            show(watch, interval)
        except KeyboardInterrupt:
            pass
    return 0
