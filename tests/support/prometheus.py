"""A real Prometheus that scrapes one target, and what it says of what it saw."""

import contextlib
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from support.exposition import Series
from support.upstream import free_port

_READY_WITHIN = 30.0
_CONFIG = """
global: {{ scrape_interval: {interval} }}
scrape_configs:
  - job_name: fleetmeter
    static_configs: [{{ targets: ["{target}"] }}]
"""


class Prometheus:
    """A server that scrapes `target` (host and port), from the start of the block on. `binary` is its program."""

    def __init__(self, binary: str, target: str, interval: str = "1s") -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="fm-prometheus-"))
        self._address = f"127.0.0.1:{free_port()}"
        config = self._directory / "prometheus.yml"
        config.write_text(_CONFIG.format(interval=interval, target=target), encoding="utf-8")
        self._command = [
            binary,
            f"--config.file={config}",
            f"--storage.tsdb.path={self._directory / 'tsdb'}",
            f"--web.listen-address={self._address}",
        ]

    def __enter__(self) -> Self:
        with (self._directory / "log").open("wb") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + _READY_WITHIN
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                text = (self._directory / "log").read_text(errors="replace")[-1000:]
                self.__exit__(None, None, None)
                raise RuntimeError(f"Prometheus does not start: {text}")
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def address(self) -> str:
        """Its URL."""
        return f"http://{self._address}"

    def query(self, expression: str) -> dict[Series, float]:
        """An instant vector, by name and labels, without those of the target itself."""
        found: list[dict[str, Any]] = self._get("query", query=expression)["result"]
        return {
            (
                series["metric"].get("__name__", ""),
                frozenset(
                    (name, text)
                    for name, text in series["metric"].items()
                    if name not in ("__name__", "job", "instance")
                ),
            ): float(series["value"][1])
            for series in found
        }

    def number(self, expression: str) -> float | None:
        """The one number that an expression gives; None where it gives none."""
        return next(iter(self.query(expression).values()), None)

    def names(self) -> list[str]:
        """The names of all samples that it has."""
        names: list[str] = self._get("label/__name__/values")
        return names

    def _get(self, what: str, **parameters: str) -> Any:
        answer = httpx.get(f"http://{self._address}/api/v1/{what}", params=parameters, timeout=30.0)
        return answer.raise_for_status().json()["data"]

    def _ready(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"http://{self._address}/-/ready").status_code == 200
        return False
