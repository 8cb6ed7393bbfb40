"""A board as a program of its own, a service that it shows, and a browser that looks at it."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, sync_playwright

from support.processes import PATIENCE, environment
from support.programs import program
from support.store import StoreAddress
from support.upstream import free_port

CHROMIUM = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip


class RunningBoard:
    """A board that runs; `log` is what it has said so far."""

    def __init__(self, process: subprocess.Popen[bytes], address: str, log: Path) -> None:
        self.process = process
        self.address = address
        self._log = log

    @property
    def log(self) -> str:
        """Its log."""
        return self._log.read_text()

    def ready(self, **options: Any) -> "RunningBoard":
        """Wait until it answers; `options` are httpx's."""
        deadline = time.monotonic() + PATIENCE
        while True:
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            try:
                if httpx.get(f"{self.address}/-/healthy", **options).status_code in (200, 401):
                    return self
            except httpx.TransportError:
                time.sleep(0.1)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal; the exit status."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)


@contextmanager
def running_board(store: StoreAddress, folder: Path, *flags: str, scheme: str = "http") -> Iterator[RunningBoard]:
    """Start one on a free port; it is ended in any case."""
    port = free_port()
    command = [sys.executable, "-m", "fleetmeter.cli", "board", "--web.listen-address", f"127.0.0.1:{port}", *flags]
    log = folder / f"board-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment(store), stdout=output, stderr=output, cwd=folder)
    try:
        yield RunningBoard(process, f"{scheme}://127.0.0.1:{port}", log)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@contextmanager
def running_service(store: StoreAddress, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A replica that records all that a board shows."""
    environ = environment(store, PYTHONPATH=str(Path(__file__).parents[1]), FLEETMETER_REPLICA="pod-1")
    with (folder / "service.log").open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "support.board_service"], env=environ, stderr=output)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(PATIENCE)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's own; a test that has none is skipped, and fails with CI=true."""
    path = shutil.which("google-chrome") or program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM))
        try:
            yield browser
        finally:
            browser.close()
