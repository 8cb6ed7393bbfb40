"""The programs of the demo: each in its own session, with its output in a file, and ended by its process id."""

import asyncio
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from fleetmeter.embedded import EmbeddedStore, EmbeddedStoreError
from fleetmeter_app.demo.errors import DemoError, ProgramError

START_SECONDS = 30.0
"""Seconds until a program must answer. A cold start on a busy machine takes several."""

STOP_SECONDS = 5.0
"""Seconds from SIGTERM to SIGKILL."""

_POLL = 0.1
_GUARD = Path(__file__).with_name("guard.py")


@dataclass(frozen=True)
class Program:
    """A program to start. `ready` is a URL that answers 200 once it can be used; `address` is its address in messages.

    `environ` is its whole environment. Programs with a lower `order` are ended first.
    """

    name: str
    command: Sequence[str]
    environ: Mapping[str, str] = field(repr=False)
    address: str
    ready: str
    order: int = 0


@dataclass(frozen=True)
class _Child:
    program: Program
    process: subprocess.Popen[bytes]
    log: Path


class Processes:
    """Everything that the demo started, and the directory that it made. `stop` ends and removes all of it.

    Each program has its own session, so that Ctrl-C in a terminal reaches the demo only. If the demo is killed, the
    guard (guard.py) ends the programs.
    """

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="fleetmeter-demo-"))
        self._children: list[_Child] = []
        self._store: EmbeddedStore | None = None
        self._store_process: subprocess.Popen[bytes] | None = None
        self._guard = subprocess.Popen(  # noqa: S603  our own command line
            [sys.executable, "-I", "-S", str(_GUARD)], stdin=subprocess.PIPE, start_new_session=True
        )
        self._tell(f"+directory {self.directory}")

    def start_store(self) -> str:
        """Start the embedded store. Returns its URL; raises `DemoError`."""
        store = self._store = EmbeddedStore()
        self._tell(f"+directory {store.directory}")
        try:
            store.start()
        except EmbeddedStoreError as error:
            raise DemoError(f"the store: {error}") from error
        self._store_process = store.process
        if self._store_process is not None:
            self._tell(f"+process {self._store_process.pid}")
        return store.url

    def start(self, program: Program) -> None:
        """Start a program. Raises `DemoError` if the system cannot start it."""
        log = self.directory / f"{program.name}.log"
        with log.open("wb") as output:
            try:
                process = subprocess.Popen(  # noqa: S603  our own command lines
                    program.command, env=dict(program.environ), stdin=subprocess.DEVNULL, stdout=output,
                    stderr=output, start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                raise DemoError(f"{program.name} cannot be started: {error}") from error
        self._children.append(_Child(program, process, log))
        self._tell(f"+process {process.pid}")

    async def ready(self, tell: Callable[[str], None] = lambda _: None) -> None:
        """Wait until every program answers, and `tell` the name of each as soon as it does.

        Raises `ProgramError` if one ends, or does not answer in time.
        """
        deadline = time.monotonic() + START_SECONDS
        waiting = list(self._children)
        async with httpx.AsyncClient(trust_env=False, timeout=1.0) as client:
            while waiting:
                answers = await asyncio.gather(*(_answers(client, child.program.ready) for child in waiting))
                for child, answer in zip(waiting, answers, strict=True):
                    if answer:
                        tell(child.program.name)
                waiting = [child for child, answer in zip(waiting, answers, strict=True) if not answer]
                self.check()
                if waiting and time.monotonic() > deadline:
                    raise _failed(waiting[0], f"did not answer within {START_SECONDS:.0f} s")
                if waiting:
                    await asyncio.sleep(_POLL)

    def check(self) -> None:
        """Raises `ProgramError` for the first program that no longer runs."""
        store, process = self._store, self._store_process
        if store is not None and process is not None and process.poll() is not None:
            raise ProgramError("the store", "", _ending(process), _last_line(store.directory / "store.log"))
        for child in self._children:
            if child.process.poll() is not None:
                raise _failed(child, _ending(child.process))

    async def watch(self) -> None:
        """Wait until a program ends by itself, and then raise `ProgramError`."""
        while True:
            self.check()
            await asyncio.sleep(_POLL)

    def stop(self) -> None:
        """End all programs, by their order and the store last, and remove the directories."""
        for order in sorted({child.program.order for child in self._children}):
            self._end([child.process for child in self._children if child.program.order == order])
        self._children.clear()
        if self._store is not None:
            if self._store_process is not None:
                self._end([self._store_process])
            self._store.stop()
            self._tell(f"-directory {self._store.directory}")
            self._store = self._store_process = None
        shutil.rmtree(self.directory, ignore_errors=True)
        self._tell(f"-directory {self.directory}")
        if self._guard.stdin is not None:
            with suppress(OSError):
                self._guard.stdin.close()
        self._guard.wait()

    def _end(self, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in processes:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._tell(f"-process {process.pid}")

    def _tell(self, line: str) -> None:
        """Write a line to the guard. If the guard was killed, the demo goes on without it."""
        if self._guard.stdin is not None and not self._guard.stdin.closed:
            with suppress(BrokenPipeError):
                self._guard.stdin.write(f"{line}\n".encode())
                self._guard.stdin.flush()


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _failed(child: _Child, what: str) -> ProgramError:
    return ProgramError(child.program.name, child.program.address, what, _last_line(child.log))


def _ending(process: subprocess.Popen[bytes]) -> str:
    status = process.returncode
    if status >= 0:
        return f"ended by itself with exit status {status}"
    return f"was ended by {signal.Signals(-status).name}"


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""
