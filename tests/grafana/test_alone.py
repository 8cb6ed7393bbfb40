"""A service without the gateway under a real Prometheus: what its dashboards show of it, and what they keep folded."""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from observation.dashboards import Panel, Window, panels
from observation.prometheus import Prometheus, start_prometheus
from support.gateway import Programs
from support.processes import eventually
from support.store import StoreAddress
from support.upstream import free_port, running_upstream

_SERVICE = Path(__file__).parents[1] / "observation" / "service.py"
_ENDING = "gpt-5.1"
_UPSTREAM = f"""
[models."gpt-6-luna"]
[models."{_ENDING}".price]
input = 1250
cached = 125
cache_write = 1250
output = 10000
"""
"""A model whose end is announced, so that there is something to show of it."""
_REQUESTS: tuple[dict[str, str], ...] = (
    {"intent": "chat", "model": "gpt-6-luna"},
    {"intent": "search", "model": _ENDING, "stream": "true"},
    {"intent": "chat", "model": "gpt-6-luna", "stream": "true"},
    {"intent": "search", "model": "gpt-6-luna", "fault": "500"},
)


@dataclass(frozen=True)
class Alone:
    """The service, and the Prometheus that watches it since `start`."""

    address: str
    prometheus: Prometheus
    start: float

    def use(self) -> None:
        """One request of each kind."""
        for parameters in _REQUESTS:
            answer = httpx.get(f"{self.address}/ask", params=parameters, timeout=30.0)
            assert answer.status_code == (502 if "fault" in parameters else 200), answer.text

    def values(self, panel: Panel) -> list[float]:
        """What a panel shows now."""
        window = Window(self.start, time.time()).of(panel.time_from)
        found = [self.prometheus.vector(window.fill(query.expression), window.end) for query in panel.queries]
        return [value for each in found for _, value in each]


@pytest.fixture
def alone(store: StoreAddress, binary: Callable[[str], str]) -> Iterator[Alone]:
    """It runs, and has been asked nothing yet."""
    prometheus = binary("prometheus")
    with running_upstream(_UPSTREAM) as upstream, Programs() as programs:
        environ = store.environ | {"OPENAI_BASE_URL": upstream.base_url, "OPENAI_API_KEY": "x"}
        address = f"http://127.0.0.1:{(port := free_port())}"
        service = programs.run([sys.executable, str(_SERVICE), str(port)], environ)
        exporter = programs.exporter(store)
        watching = start_prometheus(programs, prometheus, exporter.address(), 1)
        assert eventually(lambda: _answers(address)), service.output()
        yield Alone(address, watching, time.time())


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/openapi.json").is_success
    except httpx.TransportError:  # it still starts
        return False


@pytest.mark.timeout(180)
def test_only_folded_panels_are_empty_without_the_gateway(alone: Alone) -> None:
    """Every panel that is seen has data of a service with two lines of ours; every folded one has none, or zeros."""
    seen = [panel for panel in panels() if not panel.folded]
    for _ in range(60):
        alone.use()
        time.sleep(0.5)
        seen = [panel for panel in seen if not alone.values(panel)]
        if not seen:
            break
    assert [f"{panel.dashboard}: {panel.title}" for panel in seen] == []
    folded = [panel for panel in panels() if panel.folded]
    assert len(folded) > 10
    assert [f"{panel.dashboard}: {panel.title}" for panel in folded if any(alone.values(panel))] == []
