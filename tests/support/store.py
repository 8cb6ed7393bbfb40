"""Real stores for tests: one server per run, one namespace per test."""

import secrets
from dataclasses import dataclass
from typing import Any

from fleetmeter.connection.client import connect
from fleetmeter.embedded import EmbeddedStore
from fleetmeter.schema.keys import Keys


@dataclass(frozen=True)
class StoreAddress:
    """A store and a namespace of it that nobody else uses."""

    url: str
    namespace: str

    @property
    def keys(self) -> Keys:
        """The namespace's keys."""
        return Keys(self.namespace)

    @property
    def environ(self) -> dict[str, str]:
        """What a child process needs to find it."""
        return {"FLEETMETER_REDIS_URL": self.url, "FLEETMETER_NAMESPACE": self.namespace}

    def client(self) -> Any:
        """A plain redis client, for looking at what is stored."""
        return connect(self.url, self.keys.writers)


def new_address(server: EmbeddedStore) -> StoreAddress:
    """A fresh namespace of a running server."""
    return StoreAddress(server.url, "test-" + secrets.token_hex(4))
