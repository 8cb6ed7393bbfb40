"""`fleetmeter board`: adds the command, and says so if its extra is not installed."""

import argparse
import os

from fleetmeter.cli.errors import CommandError
from fleetmeter.cli.target import Subcommands
from fleetmeter_board.settings import FLAGS, PROGRAM, BoardSettings

_EXTRA = ("nicegui", "fastapi", "starlette", "uvicorn", "httpx", "yaml", "bcrypt", "h11")
"""Packages that the extra brings, by the names under which they are imported."""


def add_board(subcommands: Subcommands) -> None:
    """Add `board` to the program."""
    summary = "Serve the fleet's numbers as a page for a browser, live: money, requests, latency, tokens, replicas."
    parser = subcommands.add_parser("board", help=summary, description=f"{summary} It reads only.", allow_abbrev=False)
    for flag in FLAGS:
        flag.add_to(parser, PROGRAM)
    parser.set_defaults(run=board)


def board(arguments: argparse.Namespace) -> int:
    """Serve the board until SIGINT or SIGTERM, then 0. Raises `FleetmeterError`, before it serves anything."""
    settings = BoardSettings.of(vars(arguments), os.environ)
    try:
        from fleetmeter_board.main import serve
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRA:
            raise
        raise CommandError(f"board needs {missing}; install it with: pip install 'fleetmeter[board]'") from error
    return serve(settings)
