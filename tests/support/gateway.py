"""Replicas of the gateway, and the exporter, as processes of their own on free ports of this machine."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from fleetmeter.embedded import EmbeddedStore
from support.exposition import Series, parse
from support.store import StoreAddress, new_address

GATEWAY = "fleetmeter_app.main"
EXPORTER = "fleetmeter_exporter.main"

ONE_TIER = """
baseline_tier = "cheap"
default_intent = "general"
[tiers.cheap]
model = "gpt-6-luna"
[intents.general]
tier = "cheap"
"""
"""The configuration of a gateway that has one model."""

TWO_TIERS = """
baseline_tier = "cheap"
default_intent = "general"
[tiers.cheap]
model = "gpt-6-luna"
fallback = ["mid"]
[tiers.mid]
model = "gpt-6.1-terra"
[models."text-embedding-3-small"]
[intents.general]
tier = "cheap"
"""
"""That of a gateway that has a second model to fall back on, and one for embeddings."""

NEVER_OPEN = """
[breaker]  # a test is not to meet what another one's failures have opened
consecutive_failures = 100000
minimum_calls = 100000
"""
"""What makes circuit breakers stay closed whatever happens."""

# A cold start takes 3 s, and 30 on a machine with ten times as much to do as it can.
_START_SECONDS = 90.0
_STOP_SECONDS = 15.0
_ADDRESS = re.compile(r"https?://127\.0\.0\.1:[0-9]+")


@dataclass(frozen=True)
class Program:
    """A process; `log` holds everything that it wrote."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def output(self) -> str:
        """Everything it wrote so far."""
        return self.log.read_text(encoding="utf-8")

    def address(self) -> str:
        """Its root, once it listens: it takes a free port and logs which."""
        deadline = time.monotonic() + _START_SECONDS
        while (found := _ADDRESS.search(self.output())) is None:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.process.args!r} does not listen: {self.output()}")
            time.sleep(0.02)
        return found[0]

    def get(self, path: str, **headers: str) -> httpx.Response:
        """What a GET answers; a program that still starts is waited for."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            response = httpx.get(self.address() + path, headers=headers, timeout=_START_SECONDS)
            if "started just now" not in response.text or time.monotonic() > deadline:
                return response
            time.sleep(0.1)

    def samples(self, path: str = "/metrics") -> dict[Series, float]:
        """The samples that it exposes."""
        response = self.get(path)
        if response.status_code != 503:  # which an exporter says that has not read the store yet, with what it knows
            response.raise_for_status()
        return parse(response.text)

    def end(self) -> int:
        """Tell it to end (SIGTERM), wait for that; its exit status."""
        self.process.terminate()
        return self.process.wait(_STOP_SECONDS)

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self.process.kill()
        self.process.wait(_STOP_SECONDS)


class Programs:
    """Starts programs and ends, at the end of the block, by their ids, those that still run."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fm-test-")
        self.folder = Path(self._folder.name)
        self._all: list[Program] = []

    def start(self, module: str, *arguments: str, environ: Mapping[str, str] | None = None) -> Program:
        """Start `python -m module`; does not wait for it."""
        return self.run([sys.executable, "-m", module, *arguments], environ)

    def run(self, command: list[str], environ: Mapping[str, str] | None = None) -> Program:
        """Start any command; what the machine's environment says about fleetmeter or OpenAI does not reach it."""
        log = self.folder / f"{len(self._all)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**_clean(), **(environ or {})}
            )
        program = Program(process, log)
        self._all.append(program)
        return program

    def gateway(self, store: StoreAddress, upstream: str, config: str = "", **environ: str) -> Program:
        """Start one replica; `config` is TOML, empty for the packaged one."""
        arguments = ["--port", "0"]
        if config:
            path = self.folder / f"{len(self._all)}.toml"
            path.write_text(config, encoding="utf-8")
            arguments += ["--config", str(path)]
        given = {**store.environ, "OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": upstream, **environ}
        return self.start(GATEWAY, *arguments, environ=given)

    def exporter(self, store: StoreAddress, *arguments: str) -> Program:
        """Start an exporter of a namespace."""
        return self.start(EXPORTER, "--web.listen-address", "127.0.0.1:0", *arguments, environ=store.environ)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for program in self._all:
            program.process.terminate()
        for program in self._all:
            try:
                program.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                program.kill()
        self._folder.cleanup()


@contextmanager
def running_replica(server: EmbeddedStore, upstream: str, config: str = "", **environ: str) -> Iterator[Program]:
    """One replica in a namespace of its own, once it answers; it hands over what it counts every 0.02 s."""
    with Programs() as programs:
        environ.setdefault("FLEETMETER_FLUSH_INTERVAL", "0.02")
        program = programs.gateway(new_address(server), upstream, config, **environ)
        program.get("/health")
        yield program


def eventually(condition: Callable[[], bool], seconds: float = 15.0) -> bool:
    """Whether a condition comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _clean() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if not name.startswith(("FLEETMETER_", "OPENAI_"))}
