"""The OpenAI-compatible upstream as a process of its own, on a free port of this machine."""

import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from fleetmeter_app.upstream.ledger import Ledger

# A cold start on a busy machine takes a second or two.
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
_SETTLED_SECONDS = 10.0


@dataclass(frozen=True)
class RunningUpstream:
    """An upstream that answers: `address` is its root, `base_url` what the SDK wants."""

    address: str
    process: subprocess.Popen[bytes]

    @property
    def base_url(self) -> str:
        """The value for OPENAI_BASE_URL."""
        return f"{self.address}/v1"

    def ledger(self) -> Ledger:
        """What it was asked and billed so far."""
        return Ledger.from_json(httpx.get(f"{self.address}/ledger").raise_for_status().json())

    def reset_ledger(self) -> Ledger:
        """The ledger so far; from now on it starts at 0."""
        return Ledger.from_json(httpx.post(f"{self.address}/ledger/reset").raise_for_status().json())


@contextmanager
def running_upstream(config: str = "") -> Iterator[RunningUpstream]:
    """Start one with this configuration (TOML), wait until it answers, stop it at the end."""
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "output").open("w+b") as output:
        path = Path(folder) / "upstream.toml"
        path.write_text(config, encoding="utf-8")
        port = free_port()
        command = [
            sys.executable,
            "-m",
            "fleetmeter_app.upstream",
            "--port",
            str(port),
            "--config",
            str(path),
        ]
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            upstream = RunningUpstream(f"http://127.0.0.1:{port}", process)
            if not _answers(upstream):
                output.seek(0)
                raise RuntimeError(f"the upstream does not answer: {output.read().decode()}")
            yield upstream
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def settled(upstream: RunningUpstream) -> Ledger:
    """The ledger, once nothing that came in is still being worked on."""
    deadline = time.monotonic() + _SETTLED_SECONDS
    while True:
        ledger = upstream.ledger()
        total = ledger.total()
        ended = sum(one.requests for one in (total.delivered, total.untold, total.abandoned))
        if ended >= total.received or time.monotonic() > deadline:
            return ledger
        time.sleep(0.05)


_DICE = random.SystemRandom()  # not the one that tests seed: two of them would draw the same ports
_WORKERS = 8
_given: set[int] = set()


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on, below those that outgoing connections get.

    So it is still free when a server that was killed comes back to it. None is given twice, and none that another
    process of the same test run may give: between the answer and the server's start nobody holds it.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    while True:
        port = _DICE.randrange(20_000 + worker, 32_768, _WORKERS)
        if port in _given:
            continue
        _given.add(port)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def _answers(upstream: RunningUpstream) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and upstream.process.poll() is None:
        try:
            return httpx.get(f"{upstream.address}/health").is_success
        except httpx.TransportError:
            time.sleep(0.05)
    return False
