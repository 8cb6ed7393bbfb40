"""The command `fleetmeter` in tests: in this process, as one of its own, and on a terminal."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from fleetmeter.cli.command import main
from support.processes import PATIENCE, environment, finish
from support.store import StoreAddress

_COMMAND = (sys.executable, "-m", "fleetmeter.cli")


def command(store: StoreAddress, name: str, *words: str) -> int:
    """Run a subcommand in this process; its exit status."""
    return main([name, "--redis.url", store.url, "--namespace", store.namespace, *words])


def process(store: StoreAddress, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the program to its end, with the store's address in its environment and nothing to read."""
    return finish([*_COMMAND, *words], store, **variables)


class Terminal:
    """The program on a terminal of its own: what it shows, what is typed."""

    def __init__(self, child: subprocess.Popen[bytes], descriptor: int) -> None:
        self.child = child
        self._descriptor = descriptor
        self.shown = ""

    def wait_for(self, text: str, times: int = 1) -> Self:
        """Read until the text was shown so often; an AssertionError where it is not in time."""
        deadline = time.monotonic() + PATIENCE
        while self.shown.count(text) < times:
            assert time.monotonic() < deadline, f"{text!r} did not appear:\n{self.shown}"
            if select.select([self._descriptor], [], [], 0.05)[0] and not self._read():
                break
        assert self.shown.count(text) >= times, f"it ended without {text!r}:\n{self.shown}"
        return self

    def type(self, text: str) -> None:
        """Type a line."""
        os.write(self._descriptor, f"{text}\n".encode())

    def end(self) -> int:
        """Wait for its end; the exit status."""
        deadline = time.monotonic() + PATIENCE
        while self.child.poll() is None and time.monotonic() < deadline:
            if select.select([self._descriptor], [], [], 0.05)[0]:
                self._read()
        return self.child.wait(timeout=PATIENCE)

    def _read(self) -> bool:
        try:
            data = os.read(self._descriptor, 1 << 16)
        except OSError:  # the other end is closed
            return False
        self.shown += data.decode("utf-8", "replace")
        return bool(data)


@contextmanager
def on_terminal(store: StoreAddress, *words: str) -> Iterator[Terminal]:
    """The program on a terminal of 100 columns and 40 lines; killed at the end if it still lives."""
    ours, theirs = pty.openpty()
    variables = {"TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    child = subprocess.Popen(
        [*_COMMAND, *words], env=environment(store, **variables), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    with child:
        try:
            yield Terminal(child, ours)
        finally:
            child.kill()
            child.wait()
            os.close(ours)
