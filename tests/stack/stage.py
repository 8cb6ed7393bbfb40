"""The stack on its networks: secrets made, every service started once those before it are healthy."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from fleetmeter_app.demo.alertmanager import configuration
from stack.compose import ROOT, Mount, Service, Stack, load
from stack.container import Container
from stack.images import MISSING, image_of
from stack.network import Networks

_WITHIN = 240.0
"""Seconds that anything may take, on a machine with much else to do. An alert alone takes two minutes."""


class Stage:
    """Everything that runs; the machine's addresses serve as the outside."""

    def __init__(self, folder: Path, environment: Path) -> None:
        self.folder = folder
        self.secrets = folder / "secrets"
        subprocess.run([str(ROOT / "deploy" / "secrets.sh"), str(self.secrets)], check=True, stderr=subprocess.DEVNULL)
        (self.secrets / "openai_api_key").write_text("test\n")
        self.networks = Networks(load({}, self.secrets))
        self.upstream = f"http://{self.networks.machine('models')}:8001"
        self.stack: Stack = load({"OPENAI_BASE_URL": f"{self.upstream}/v1"}, self.secrets)
        self.containers: dict[str, Container] = {}
        self._others: list[subprocess.Popen[bytes]] = []
        self._environment = environment

    def open(self, webhook: str, say: Callable[[str], None]) -> None:
        """Start the models, then each service; every health check has to succeed."""
        models = ["-m", "fleetmeter_app.upstream", "--host", self.networks.machine("models")]
        with (self.folder / "upstream.log").open("wb") as log:
            self._others.append(subprocess.Popen([sys.executable, *models], stdout=log, stderr=log))
        for service in self.stack.services.values():
            if service.name in MISSING:
                say(f"{service.name}: not tried, {MISSING[service.name]}")
                continue
            for number in range(1, service.replicas + 1):
                name = f"{service.name}-{number}" if service.replicas > 1 else service.name
                host = self.networks.join(name, service.name, service.networks)
                self.containers[name] = Container(
                    _told(service, webhook, self.folder), image_of(service), host, self.folder, self._environment
                )
        for container in self.containers.values():
            self._others.append(self.networks.serve_names(container.host))
        for service in self.stack.services.values():
            self._start([one for one in self.containers.values() if one.host.service == service.name], say)

    def _start(self, containers: Sequence[Container], say: Callable[[str], None]) -> None:
        for container in containers:
            container.start()
        for container in containers:
            self.wait(container.healthy, f"{container.name} is healthy", container)
            say(f"{container.name}: healthy")

    def wait(self, done: Callable[[], bool], what: str, container: Container | None = None) -> None:
        """Wait until something holds; raises `SystemExit` with the container's last words if it does not."""
        deadline = time.monotonic() + _WITHIN
        while not done():
            if time.monotonic() > deadline:
                words = "".join(container.log.read_text().splitlines(keepends=True)[-20:]) if container else ""
                raise SystemExit(f"stack-check: it never held that {what}\n{words}")
            time.sleep(0.5)

    def address(self, container: str, network: str) -> str:
        """Where the machine reaches a container."""
        return self.containers[container].host.addresses[network]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in [*(one.process for one in self.containers.values() if one.process), *self._others]:
            process.kill()
            process.wait()


def _told(service: Service, webhook: str, folder: Path) -> Service:
    """Alertmanager as its file says to set it up: the lines of one receiver taken in, with its address."""
    if service.name != "alertmanager":
        return service
    told = []
    for mount in service.mounts:
        if isinstance(mount.source, Path):
            file = folder / "alertmanager.yml"
            file.write_text(configuration(mount.source.read_text(encoding="utf-8"), webhook, 1), encoding="utf-8")
            mount = Mount(file, mount.target, mount.writable)  # noqa: PLW2901  the same mount of the file as it is used
        told.append(mount)
    return replace(service, mounts=tuple(told))
