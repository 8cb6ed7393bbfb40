"""Which fleet a command is about: the flags that all of them have, and the connections that follow from them."""

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
    """What argparse gives a program that has subcommands."""

    def add_parser(self, name: str, **options: Any) -> argparse.ArgumentParser:
        """A parser for one of them."""
        ...


def add_command(subcommands: Subcommands, name: str, summary: str) -> argparse.ArgumentParser:
    """The parser of a command that is about one fleet."""
    parser = subcommands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
    parser.add_argument(
        "--redis.url", "--url", dest="url", metavar="URL",
        help=f"where the fleet's numbers are kept (FLEETMETER_REDIS_URL; default {DEFAULT_URL})",
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
        """From flags, then the environment, then defaults; raises `SettingError`, naming the flag or the variable."""
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
        """Where the namespace is, for people; without the password."""
        return f"namespace {self.settings.namespace!r} of {without_password(self.settings.url)}"

    def reader(self) -> Reader:
        """Reads snapshots; to be closed."""
        found = self.settings
        return Reader(found.url, found.namespace, credentials=found.credentials, reads=registered())

    def client(self) -> redis.Redis:
        """A plain client of the node that has the namespace; to be closed. `connection.translated` names its errors."""
        return connect(self.settings.url, self.keys.writers, self.settings.credentials)
