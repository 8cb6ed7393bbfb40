"""A real Prometheus: started on a free port, asked over its API."""

import shutil
import time
from dataclasses import dataclass
from typing import Any

import httpx

from fleetmeter_app.demo.prometheus import TEMPLATE, configuration
from support.gateway import Program, Programs, eventually
from support.upstream import free_port

Labels = dict[str, str]
Points = list[tuple[float, float]]
"""Times and values of one series."""


@dataclass(frozen=True)
class Prometheus:
    """One that runs; `address` is its root."""

    address: str
    program: Program

    def vector(self, expression: str, moment: float) -> list[tuple[Labels, float]]:
        """The series of an instant query."""
        result = self._ask("query", query=expression, time=moment)
        if result["resultType"] == "scalar":
            return [({}, float(result["result"][1]))]
        return [(item["metric"], float(item["value"][1])) for item in result["result"]]

    def number(self, expression: str, moment: float) -> float | None:
        """The only series' value; None where there is none."""
        found = self.vector(expression, moment)
        return found[0][1] if found else None

    def matrix(self, expression: str, start: float, end: float, step: float) -> list[tuple[Labels, Points]]:
        """The series of a range query."""
        return _series(self._ask("query_range", query=expression, start=start, end=end, step=step))

    def raw(self, selector: str, seconds: float, moment: float) -> list[tuple[Labels, Points]]:
        """The very samples that a selector finds in the time up to a moment."""
        return _series(self._ask("query", query=f"{selector}[{seconds:.0f}s]", time=moment))

    def _ask(self, what: str, **parameters: str | float) -> Any:
        answer = httpx.post(f"{self.address}/api/v1/{what}", data=parameters, timeout=30.0)
        if answer.is_server_error:
            answer.raise_for_status()
        document = answer.json()
        if document["status"] != "success":
            raise ValueError(f"{parameters['query']}: {document['error']}")
        return document["data"]


def start_prometheus(programs: Programs, binary: str, exporter: str, scrape_seconds: int) -> Prometheus:
    """Start one with the shipped configuration, aimed at an exporter, and wait until it has scraped that."""
    folder = programs.folder / "prometheus"
    shutil.copytree(TEMPLATE, folder)
    config = folder / "prometheus.yml"
    text = configuration(config.read_text(encoding="utf-8"), exporter.removeprefix("http://"))
    config.write_text(text.replace("scrape_interval: 1s", f"scrape_interval: {scrape_seconds}s"), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    program = programs.run(
        [binary, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}"]
    )
    prometheus = Prometheus(f"http://{address}", program)

    def scraped() -> bool:
        try:
            return prometheus.number("min(up)", time.time()) == 1
        except httpx.HTTPError:  # it still starts
            return False

    if not eventually(scraped, 40.0):
        raise RuntimeError(f"Prometheus has not scraped the exporter: {program.output()}")
    return prometheus


def _series(data: Any) -> list[tuple[Labels, Points]]:
    return [
        (item["metric"], [(float(moment), float(value)) for moment, value in item["values"]]) for item in data["result"]
    ]
