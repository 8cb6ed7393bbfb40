"""What Prometheus' own tools say of the gateway's and the exporter's output."""

import asyncio
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from fleetmeter.embedded import EmbeddedStore
from support.gateway import Program, Programs, eventually
from support.store import new_address
from support.upstream import free_port, running_upstream

RATE = 20
"""Requests per second."""
SECONDS = 12.0
SCRAPE_CONFIG = """
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: fleetmeter
    static_configs:
      - targets: ["{target}"]
"""


@dataclass(frozen=True)
class System:
    """A replica and the exporter."""

    programs: Programs
    gateway: Program
    exporter: Program


@pytest.fixture(scope="module")
def system(server: EmbeddedStore) -> Iterator[System]:
    """One replica that has answered, refused and failed, and an exporter."""
    store = new_address(server)
    with running_upstream() as upstream, Programs() as programs:
        running = System(programs, programs.gateway(store, upstream.base_url), programs.exporter(store))
        running.gateway.get("/health")
        for query in ("TSLA price", "TSLA price", "", "RSI [[fault:404@gpt-6.1-terra]]", "x [[fault:401]]"):
            httpx.post(running.gateway.address() + "/ask", json={"query": query})
        yield running


@pytest.mark.parametrize("name", ["gateway", "exporter"])
def test_promtool_has_no_complaint(system: System, binary: Callable[[str], str], name: str) -> None:
    """`promtool check metrics` is silent about every family of the catalogue and of the machinery."""
    text = getattr(system, name).get("/metrics").text
    assert "openai_cost_usd_bucket" in text
    done = subprocess.run(
        [binary("promtool"), "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


async def load(address: str) -> None:
    """A steady load: each request at its time, whatever the others take."""
    async with httpx.AsyncClient() as client:

        async def ask(number: int, start: float) -> None:
            await asyncio.sleep(start + number / RATE - time.monotonic())
            response = await client.post(address + "/ask", json={"query": f"price of S{number % 40}"})
            assert response.status_code == 200

        start = time.monotonic()
        await asyncio.gather(*(ask(number, start) for number in range(round(RATE * SECONDS))))


def scrape_config(target: str) -> str:
    """The shipped scrape configuration with another target, or a minimal one."""
    shipped = Path(__file__).parents[2] / "prometheus" / "prometheus.yml"
    if not shipped.exists():
        return SCRAPE_CONFIG.format(target=target)
    text = shipped.read_text(encoding="utf-8")
    assert "127.0.0.1:9847" in text
    return text.replace("127.0.0.1:9847", target).replace("scrape_interval: 5s", "scrape_interval: 1s")


def test_a_real_prometheus_sees_the_load(system: System, binary: Callable[[str], str]) -> None:
    """Scraped every second under a steady load, the target is up and the rate is the load's."""
    folder = system.programs.folder
    config = folder / "prometheus.yml"
    config.write_text(scrape_config(system.exporter.address().removeprefix("http://")), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    flags = [
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}",
    ]
    prometheus = system.programs.run([binary("prometheus"), *flags])

    def query(expression: str) -> float:
        answer = httpx.get(f"http://{address}/api/v1/query", params={"query": expression}).raise_for_status()
        result: Any = answer.json()["data"]["result"]
        return float(result[0]["value"][1]) if result else -1.0

    def scraped() -> bool:
        try:
            return query("min(up)") == 1
        except httpx.HTTPError:  # it still starts
            return False

    assert eventually(scraped), prometheus.output()
    asyncio.run(load(system.gateway.address()))
    rate = query('sum(rate(http_requests_total{endpoint="/ask"}[10s]))')
    assert rate == pytest.approx(RATE, rel=0.1)
    assert query("min(min_over_time(up[10s]))") == 1
    assert query("count(up)") == 1
    assert query("min_over_time(fleetmeter_up[10s])") == 1
    prometheus.end()
