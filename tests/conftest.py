"""What every test may ask for."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import fleetmeter
from fleetmeter import embedded
from fleetmeter.embedded import EmbeddedStore
from support import authorities
from support.programs import program
from support.store import StoreAddress, new_address

pytest_plugins = ("support.leftovers", "support.long", "support.models")


def pytest_configure() -> None:
    """Let FLEETMETER_TEST_SERVER, a path, be the server of every embedded store; see `matrix.servers`."""
    path = os.environ.get("FLEETMETER_TEST_SERVER")
    if path:
        embedded._binary = lambda: Path(path)


@pytest.fixture(scope="session", autouse=True)
def _authorities_are_read_once() -> Iterator[None]:
    """HTTP clients share one TLS context, which takes 40 ms to make."""
    with authorities.read_once():
        yield


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedStore]:
    """A real Valkey server on a unix socket, for the whole run."""
    with EmbeddedStore() as store:
        yield store


@pytest.fixture
def store(server: EmbeddedStore) -> StoreAddress:
    """A namespace of its own in the run's server."""
    return new_address(server)


@pytest.fixture
def client(store: StoreAddress) -> Iterator[Any]:
    """A plain redis client, for looking at what is stored and for changing it."""
    client = store.client()
    yield client
    client.close()


@pytest.fixture
def installed(store: StoreAddress) -> Iterator[StoreAddress]:
    """A namespace that this process records into; in effect only `flush()` hands over."""
    fleetmeter.install(url=store.url, namespace=store.namespace, flush_interval=60.0, replica="here")
    yield store
    fleetmeter.uninstall()


@pytest.fixture
def binary() -> Callable[[str], str]:
    """The path of an optional program; where it is missing the test is skipped, and fails with CI=true."""
    return program
