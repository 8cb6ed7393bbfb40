"""The command line's own error. `command.main` turns it, and the library's errors, into an exit status."""

from fleetmeter.errors import FleetmeterError


class CommandError(FleetmeterError):
    """The command cannot do what was asked. The message says why, and what to do. Exit status 1."""
