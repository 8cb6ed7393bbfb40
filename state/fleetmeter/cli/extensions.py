"""Subcommands of other packages: entry points of the group `fleetmeter.commands`.

Each names a function that gets argparse's subcommands, adds a parser, and sets its default `run` to a function of the
parsed arguments that returns an exit status.
"""

import sys
from collections.abc import Callable
from importlib.metadata import entry_points

from fleetmeter.cli.printing import shown
from fleetmeter.cli.target import Subcommands

GROUP = "fleetmeter.commands"
"""The group of entry points."""


def registered_commands() -> list[Callable[[Subcommands], None]]:
    """What installed packages have registered. One that cannot be loaded is left out, with a line that says so."""
    found = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            found.append(point.load())
        except Exception as error:  # noqa: BLE001  whatever somebody else's module raises must not cost the others
            problem = f"fleetmeter: the command {point.name} cannot be loaded from {point.value}: {error!r}"
            sys.stderr.write(f"{shown(problem)}\n")
    return found
