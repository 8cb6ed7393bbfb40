"""The fleet that a command works on: its flags."""

import argparse
from dataclasses import dataclass
from typing import Any, Protocol, Self

from fleetmeter.errors import SettingError
from fleetmeter.settings import DEFAULT_URL, Settings
from fleetmeter.watching.target import Target

_FLAGS = {"url": "--redis.url", "namespace": "--namespace"}


class Subcommands(Protocol):
    """The object that argparse returns for adding subcommands."""

    def add_parser(self, name: str, **options: Any) -> argparse.ArgumentParser:
        """The parser of a new subcommand."""
        ...


def add_command(subcommands: Subcommands, name: str, summary: str) -> argparse.ArgumentParser:
    """The parser of a new subcommand that works on one fleet."""
    parser = subcommands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
    parser.add_argument(
        "--redis.url", "--url", dest="url", metavar="URL",
        help=f"the store that has the fleet's numbers (FLEETMETER_REDIS_URL; default {DEFAULT_URL})",
    )  # fmt: skip
    parser.add_argument(
        "--namespace", metavar="NAME", help="which fleet's numbers (FLEETMETER_NAMESPACE; default default)"
    )
    return parser


@dataclass(frozen=True)
class NamespaceTarget(Target):
    """One namespace of one store, as flags name it."""

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """From flags, then the environment, then defaults. Raises `SettingError`, which names the flag or variable."""
        try:
            return cls(Settings.from_env(url=arguments.url, namespace=arguments.namespace))
        except SettingError as error:
            raise SettingError(_FLAGS.get(error.setting, error.setting), error.problem) from None
