"""A server as a process of its own, clients that ask it without pause, and the ledger of its application."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event

from support.processes import PATIENCE, environment, eventually
from support.store import StoreAddress


def free_port() -> int:
    """A port of the loopback device that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """A server that runs. `written` is how often its application has recorded; `answered` how often it has answered."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, ledger: Path) -> None:
        self.process = process
        self.port = port
        self._ledger = ledger

    @property
    def written(self) -> int:
        """Bytes of the ledger: one for each record, behind it."""
        return self._ledger.stat().st_size

    def ask(self, times: int) -> int:
        """Ask one after the other; how many were answered."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        for number in range(times):
            connection.request("GET", "/")
            if connection.getresponse().read() != b"ok":
                return number
            connection.close()
        return times

    @contextmanager
    def load(self, clients: int = 4) -> Iterator["list[Future[int]]"]:
        """Clients that ask until the server is gone; each of them gives the number of its answers at the end."""
        done = Event()
        with ThreadPoolExecutor(clients) as threads:
            try:
                yield [threads.submit(self._ask_on, done) for _ in range(clients)]
            finally:
                done.set()

    def _ask_on(self, done: Event) -> int:
        answers = 0
        while not done.is_set():
            try:
                answers += self.ask(1)
            except (OSError, HTTPException):
                if self.process.poll() is not None:
                    break
                time.sleep(0.01)
        return answers

    def listens(self) -> bool:
        """Whether it takes connections."""
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


@contextmanager
def service(
    command: Sequence[str], store: StoreAddress, folder: Path, *, cwd: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Service]:  # fmt: skip
    """A server that listens; `PORT` in its command is where. Its whole process group is killed at the end."""
    port, ledger = free_port(), folder / "ledger"
    ledger.touch()
    with (folder / "output").open("ab") as output:
        process = subprocess.Popen(
            [word.replace("PORT", str(port)) for word in command],
            env=environment(store, **{"LEDGER": str(ledger), **(variables or {})}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cwd,
            start_new_session=True,
        )
    found = Service(process, port, ledger)
    with process:
        try:
            eventually(lambda: found.listens() or process.poll() is not None, 2 * PATIENCE)
            assert found.listens(), (folder / "output").read_text()
            yield found
        finally:
            _kill_group(process.pid)


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, 9)
    except ProcessLookupError:
        return
