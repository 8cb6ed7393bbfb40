"""The fleet that is looked at: one namespace of one store, and the connections to it."""

from dataclasses import dataclass

import redis

from fleetmeter.connection.client import connect
from fleetmeter.reader.gauge_read import registered
from fleetmeter.reader.reading import Reader
from fleetmeter.schema.keys import Keys
from fleetmeter.settings import Settings, without_password


@dataclass(frozen=True)
class Target:
    """One namespace of one store."""

    settings: Settings

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
