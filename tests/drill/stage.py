"""The demo's programs for the drill, where each can be ended, frozen and started again."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import redis

from fleetmeter_app.demo.fleet import NAMESPACE, DemoFleet, plan
from fleetmeter_app.demo.processes import Processes, Program
from fleetmeter_app.demo.settings import DemoSettings

TESTS = Path(__file__).parents[1]


class Stage:
    """The whole system; `close` ends all of it."""

    def __init__(self, settings: DemoSettings, environ: Mapping[str, str]) -> None:
        self._processes = Processes()
        self._environ = dict(environ)
        self.store_url = self._processes.start_store()
        self._keep_the_store()
        self.fleet: DemoFleet = plan(settings, environ, self._processes.directory, self.store_url)
        for program in self.fleet.programs:
            self._processes.start(program)

    async def ready(self) -> None:
        """Wait until everything answers."""
        await self._processes.ready()

    def end(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """End a program by a signal."""
        process = self._process(name)
        process.send_signal(how)
        process.wait()

    def start(self, name: str) -> None:
        """Start it again, where it was."""
        program: Program = next(program for program in self.fleet.programs if program.name == name)
        self._processes.start(program)

    def signal(self, name: str, how: signal.Signals) -> None:
        """Send a signal, and do not wait for anything."""
        self._process(name).send_signal(how)

    def end_store(self) -> None:
        """End the store; its append-only file stays."""
        store = self._processes._store
        assert store is not None
        store.kill(signal.SIGTERM)

    def start_store(self) -> None:
        """Start it again with what it had."""
        store = self._processes._store
        assert store is not None
        store.start()
        assert store.process is not None
        self._processes._store_process = store.process
        self._processes._tell(f"+process {store.process.pid}")

    async def guest(self, deed: str, **environ: str) -> None:
        """Let a guest do something (`guest.py`), and wait for its end."""
        given = {
            **self._environ, "PYTHONPATH": str(TESTS), "FLEETMETER_REDIS_URL": self.store_url,
            "FLEETMETER_NAMESPACE": NAMESPACE, "FLEETMETER_REPLICA": "guest", **environ,
        }  # fmt: skip
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "drill.guest", deed, env=given)
        if await process.wait():
            raise RuntimeError(f"the guest failed at {deed}")

    async def firing(self) -> set[str]:
        """The names of the alerts that Prometheus holds to fire now."""
        async with httpx.AsyncClient(trust_env=False, timeout=10.0) as client:
            answer = (await client.get(f"{self.fleet.prometheus}/api/v1/alerts")).raise_for_status().json()
        return {alert["labels"]["alertname"] for alert in answer["data"]["alerts"] if alert["state"] == "firing"}

    def close(self) -> None:
        """End everything that was started."""
        for name in self.fleet.gateways:
            with_id = self._process(name)
            if with_id.poll() is None:
                os.kill(with_id.pid, signal.SIGCONT)  # a frozen one would not hear of its end
        self._processes.stop()

    def _process(self, name: str) -> subprocess.Popen[bytes]:
        return [child.process for child in self._processes._children if child.program.name == name][-1]

    def _keep_the_store(self) -> None:
        """Let the store keep what it has over a restart."""
        client = redis.Redis.from_url(self.store_url)
        client.config_set("appendonly", "yes")
        client.close()
        store = self._processes._store
        assert store is not None
        store._options["appendonly"] = "yes"
