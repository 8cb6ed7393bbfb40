"""What the command line raises by itself; `command.main` turns it, and the library's errors, into an exit status."""

from fleetmeter.errors import FleetmeterError


class CommandError(FleetmeterError):
    """What was asked for cannot be done; the message says why, and what to do. Exit status 1."""
