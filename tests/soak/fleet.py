"""The system under load: a store that keeps what it has, an upstream with a ledger, replicas that can be killed."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from support.agreement import billed, shown
from support.exposition import total
from support.gateway import GATEWAY, TWO_TIERS, Program, Programs, eventually
from support.node import Node
from support.upstream import RunningUpstream, free_port, running_upstream, settled

UPSTREAM = """
seed = 7
[models."gpt-6-luna"]
error_rates = { "500" = 0.03, "429" = 0.02 }
[models."gpt-6.1-terra"]
error_rates = { "500" = 0.03, "429" = 0.02 }
[models."text-embedding-3-small"]
error_rates = { "500" = 0.03, "429" = 0.02 }
"""
"""Of a hundred requests five fail."""
CONFIG = f"""{TWO_TIERS}
[upstream]
max_retries = 1
"""
FLUSHED = 0.25
"""Seconds between two handovers of a replica."""


@dataclass
class Fleet:
    """All of it. `replicas` are in the order of their `addresses`, which stay when one is started anew."""

    store: Node
    upstream: RunningUpstream
    programs: Programs
    environ: dict[str, str]
    ports: list[int]
    replicas: list[Program]
    config: str = CONFIG

    @property
    def addresses(self) -> list[str]:
        """Where the replicas listen."""
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    def restart_store(self) -> None:
        """End it as an operator does, and start it with what it has kept."""
        self.store.kill(signal.SIGTERM)
        self.store.start().ready()

    def replace(self, number: int) -> None:
        """Kill a replica (SIGKILL), and start another one at its address."""
        self.replicas[number].kill()
        self.replicas[number] = self._started(self.ports[number])
        self.replicas[number].get("/health")

    def start(self) -> None:
        """Start all replicas, and wait until they answer."""
        self.replicas = [self._started(port) for port in self.ports]
        for replica in self.replicas:
            replica.get("/health")

    def _started(self, port: int) -> Program:
        path = self.programs.folder / "gateway.toml"
        path.write_text(self.config, encoding="utf-8")
        return self.programs.start(GATEWAY, "--port", str(port), "--config", str(path), environ=self.environ)

    def shown(self) -> dict[str, int]:
        """What the fleet shows, in whole numbers."""
        return shown(self.replicas[0].samples())

    def unreached(self) -> int:
        """Attempts that may not have reached the upstream: 0 unless a call ended without any answer, else those too."""
        samples = self.replicas[0].samples()
        silent = sum(
            total(samples, "openai_errors_total", type=name) for name in ("APIConnectionError", "APITimeoutError")
        )
        return round(silent + total(samples, "openai_retries_total")) if silent else 0

    def compared(self) -> tuple[dict[str, int], dict[str, int]]:
        """What is shown and what is true, once both stand still."""
        true = billed(settled(self.upstream).total())
        eventually(lambda: self.shown() == true, 5.0)
        return self.shown(), true


@contextmanager
def running(replicas: int, config: str = CONFIG, **more: str) -> Iterator[Fleet]:
    """A fleet that answers; `more` is of its environment."""
    options = {"appendonly": "yes", "appendfsync": "everysec"}
    with Node(options) as store, running_upstream(UPSTREAM) as upstream, Programs() as programs:
        environ = {
            "FLEETMETER_REDIS_URL": store.url,
            "FLEETMETER_NAMESPACE": f"soak-{uuid4().hex}",
            "FLEETMETER_FLUSH_INTERVAL": str(FLUSHED),
            "OPENAI_API_KEY": "sk-soak",
            "OPENAI_BASE_URL": upstream.base_url,
            **more,
        }
        fleet = Fleet(store, upstream, programs, environ, [free_port() for _ in range(replicas)], [], config)
        fleet.start()
        yield fleet
