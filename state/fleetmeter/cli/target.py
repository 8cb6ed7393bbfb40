"""The fleet that a command works on: its flags, and the connections that are made from them."""

import argparse
from dataclasses import dataclass
from typing import Any, Protocol, Self

import redis

from fleetmeter.connection.client import connect
from fleetmeter.errors import SettingError
from fleetmeter.reader.gauge_read import registered
from fleetmeter.reader.reading import Reader
from fleetmeter.schema.keys import Keys
from fleetmeter.settings import DEFAULT_URL, Settings, without_password

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
class NamespaceTarget:
    """One namespace of one store."""

    settings: Settings

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """From flags, then the environment, then defaults. Raises `SettingError`, which names the flag or variable."""
        try:
            return cls(Settings.from_env(url=arguments.url, namespace=arguments.namespace))
        except SettingError as error:
            raise SettingError(_FLAGS.get(error.setting, error.setting), error.problem) from None

    @property
    def keys(self) -> Keys:
        """The keys of the namespace."""
        return Keys(self.settings.namespace)

    @property
    def place(self) -> str:
        """Namespace and URL for messages, without user and password."""
        return f"namespace {self.settings.namespace!r} of {without_password(self.settings.url)}"

    def reader(self) -> Reader:
        """A reader of snapshots. Close it."""
        found = self.settings
        return Reader(found.url, found.namespace, credentials=found.credentials, reads=registered())

    def client(self) -> redis.Redis:
        """A plain client of the node that has the namespace. Close it, and use it inside `client.translated()`."""
        return connect(self.settings.url, self.keys.writers, self.settings.credentials)
