"""The command `fleetmeter`: runs a subcommand, and turns its result or its error into an exit status."""

import io
import os
import sys
from collections.abc import Sequence

from fleetmeter._version import __version__
from fleetmeter.cli.assets import add_assets
from fleetmeter.cli.doctor.examination import add_doctor
from fleetmeter.cli.extensions import registered_commands
from fleetmeter.cli.forget import add_forget
from fleetmeter.cli.ls import add_ls
from fleetmeter.cli.prices.command import add_prices
from fleetmeter.cli.printing import Parser, complain
from fleetmeter.cli.reset import add_reset
from fleetmeter.cli.run import add_run
from fleetmeter.cli.top.watching import add_top
from fleetmeter.errors import FleetmeterError, SettingError, StoreUnreachable

_SUBCOMMANDS = (
    add_assets,
    add_doctor,
    add_forget,
    add_ls,
    add_prices,
    add_reset,
    add_run,
    add_top,
)

_INTERRUPTED = 130
"""The status of a program that SIGINT ended, as shells give it."""

_ELSEWHERE = "; start it, or name another by --redis.url or FLEETMETER_REDIS_URL"
"""What to do if no store listens at an address."""


def make_parser() -> Parser:
    """The parser of the whole command line, with the subcommands of installed packages."""
    parser = Parser(
        prog="fleetmeter", description="Shows, checks and clears a fleet's metrics in Redis.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subcommands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (*_SUBCOMMANDS, *registered_commands()):
        add(subcommands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; `argv` defaults to the process's arguments.

    Returns the exit status: 0 if all went well; 1 if the store failed, or could not do what was asked; 2 for arguments
    or settings that cannot be used; 130 for Ctrl-C. argparse ends the program itself if it finds a wrong argument.
    """
    arguments = make_parser().parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):  # not every terminal has every character of a label
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
    except SettingError as error:
        return complain(str(error), 2)
    except StoreUnreachable as error:
        return complain(str(error).rstrip(".") + _ELSEWHERE if error.reason == "unreachable" else str(error), 1)
    except FleetmeterError as error:
        return complain(str(error), 1)
    except BrokenPipeError:  # the reader of our output, such as `head`, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    return status
