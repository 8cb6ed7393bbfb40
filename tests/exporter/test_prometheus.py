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
from support.exposition import total
from support.gateway import Program, Programs, eventually
from support.store import new_address
from support.upstream import free_port, running_upstream

RATE = 20
"""Requests per second."""
SECONDS = 12.0
WINDOW = 10
"""Seconds that a rate is taken over, and ten scrapes."""


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


async def load(address: str) -> list[float]:
    """A steady load, each request at its time, whatever the others take; when each answer came, in Unix time."""
    answered = []
    async with httpx.AsyncClient() as client:

        async def ask(number: int, start: float) -> None:
            await asyncio.sleep(start + number / RATE - time.monotonic())
            response = await client.post(address + "/ask", json={"query": f"price of S{number % 40}"})
            assert response.status_code == 200
            answered.append(time.time())

        start = time.monotonic()
        await asyncio.gather(*(ask(number, start) for number in range(round(RATE * SECONDS))))
    return answered


def scrape_config(target: str) -> str:
    """The shipped scrape configuration with another target, scraped more often."""
    shipped = Path(__file__).parents[2] / "prometheus" / "prometheus.yml"
    text = shipped.read_text(encoding="utf-8")
    assert "127.0.0.1:9847" in text
    assert "scrape_interval: 5s" in text
    return text.replace("127.0.0.1:9847", target).replace("scrape_interval: 5s", "scrape_interval: 1s")


def test_a_real_prometheus_sees_the_load(system: System, binary: Callable[[str], str]) -> None:
    """Scraped every second under a steady load, the target is up, the count is exact and the rate is the load's."""
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

    def query(expression: str, **moment: float) -> float:
        parameters: dict[str, str | float] = {"query": expression, **moment}
        answer = httpx.get(f"http://{address}/api/v1/query", params=parameters).raise_for_status()
        result: Any = answer.json()["data"]["result"]
        return float(result[0]["value"][1]) if result else -1.0

    def scraped() -> bool:
        try:
            return query("min(up)") == 1
        except httpx.HTTPError:  # it still starts
            return False

    assert eventually(scraped), prometheus.output()
    requests = 'http_requests_total{endpoint="/ask"}'
    before = total(system.exporter.samples(), "http_requests_total", endpoint="/ask")
    answered = asyncio.run(load(system.gateway.address()))
    end = max(answered)
    assert eventually(lambda: query(f"sum({requests})") == before + len(answered))
    # As of the end of the load, against what was answered in that window, however fast this machine was. Two seconds
    # of it are the flush interval and a scrape that are late at its edges, and no fault.
    rate = query(f"sum(rate({requests}[{WINDOW}s]))", time=end)
    assert rate == pytest.approx(sum(moment > end - WINDOW for moment in answered) / WINDOW, rel=0.2)
    assert query(f"min(min_over_time(up[{WINDOW}s]))", time=end) == 1
    assert query("count(up)") == 1
    assert query(f"min_over_time(fleetmeter_up[{WINDOW}s])", time=end) == 1
    prometheus.end()
