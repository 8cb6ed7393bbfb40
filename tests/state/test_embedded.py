"""The embedded server: starts, answers, ends, and tells why it does not."""

import signal
import socket
from pathlib import Path

import pytest

from fleetmeter.connection.client import connect
from fleetmeter.embedded import EmbeddedStore, EmbeddedStoreError


def test_it_answers_and_leaves_nothing_behind() -> None:
    """A directory that was made for the server goes with it, and so does the process."""
    with EmbeddedStore() as store:
        assert store.url == f"unix://{store.socket}"
        client = connect(store.url)
        assert client.ping()
        client.close()
        process = store.process
        assert process is not None
    assert process.returncode == 0
    assert not store.directory.exists()


def test_it_answers_on_a_port() -> None:
    """With a port it is reached by that, on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with EmbeddedStore(port=port) as store:
        assert store.url == f"redis://127.0.0.1:{port}/0"
        client = connect(store.url)
        assert client.ping()
        client.close()


def test_a_directory_that_was_given_is_kept_over_a_restart(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Killed and started again, it has what its own persistence had kept."""
    directory = Path("/tmp") / tmp_path_factory.mktemp("s").name
    directory.mkdir(exist_ok=True)
    store = EmbeddedStore(directory, options={"appendonly": "yes", "appendfsync": "always"})
    try:
        for expected in (None, b"1"):
            store.start()
            client = connect(store.url)
            assert client.get("k") == expected
            client.set("k", 1)
            client.close()
            store.kill(signal.SIGKILL)
        assert directory.exists()
    finally:
        store.stop()
        for path in sorted(directory.rglob("*"), reverse=True):
            path.unlink() if path.is_file() or path.is_socket() else path.rmdir()
        directory.rmdir()


def test_a_server_that_cannot_start_says_why() -> None:
    """The last line of its log is in the error, and nothing is left behind."""
    store = EmbeddedStore(options={"maxmemory": "much"})
    with pytest.raises(EmbeddedStoreError, match="did not start"):
        store.start()
    assert store.process is None
    assert not store.directory.exists()


def test_a_busy_port_is_told() -> None:
    """The error names what the server found."""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        store = EmbeddedStore(port=busy.getsockname()[1])
        with pytest.raises(EmbeddedStoreError, match=r"(?i)bind|listen|in use"):
            store.start()
