"""The demo's fleet for checks and pictures: replicas, an upstream with a ledger, a load that varies."""

import asyncio
import copy
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from fleetmeter.embedded import EmbeddedStore
from fleetmeter.watching.totals import Totals
from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.demo.fleet import upstream_config
from fleetmeter_app.demo.load import Load
from fleetmeter_app.demo.questions import Question, Questions
from fleetmeter_app.demo.tally import Tally
from fleetmeter_app.upstream.ledger import PRICES, Account, Ledger, Outcomes
from observation.dashboards import Window
from observation.prometheus import Prometheus, start_prometheus
from support.gateway import Program, Programs, eventually
from support.store import StoreAddress, new_address
from support.upstream import RunningUpstream, running_upstream

_PACKAGED = Path(__file__).parents[2] / "app" / "fleetmeter_app" / "gateway.toml"
_WORKER = Path(__file__).with_name("worker.py")
_BASELINE = "gpt-6.1-sol"
_ENDING = "gpt-5.1"
"""A model whose end is announced, in the place of the last tier's, so that there is something to show about it."""
_CHANGED = {
    'model = "gpt-6-sol"': f'model = "{_ENDING}"',
    "ttl_seconds = 300": "ttl_seconds = 12",
    "max_entries = 10000": "max_entries = 50",
}
"""A cache that is small and forgets fast, so that entries leave it within a minute."""
_BUDGETS = """
[budgets.company]
limit_usd = 50
window = "month"
[budgets.watched]
limit_usd = 0.0001
window = "day"
action = "alert"
"""
"""One that lasts, and one that is used up with the first questions and stops nobody."""
_TOOLS = f"""
[intents.research]
tier = "cheap"
tools = ["latest_quote", "indicator"]
[tools]
ohlcv = "{Path(__file__).parents[2] / "examples" / "ohlcv"}"
"""
_TOOL_QUESTIONS = 15
"""Every so manyth question is one whose model asks for tools."""
_ENDING_PRICE = f"""
[models."{_ENDING}".price]
input = 1250
cached = 125
cache_write = 1250
output = 10000
"""
_SETTLE = 2.5
"""Seconds in which nothing changes, so that at least two scrapes show the same."""


@dataclass(frozen=True)
class Witness:
    """What the upstream billed, and what the clients got, up to one moment."""

    ledger: Ledger
    tally: Tally

    @property
    def billed(self) -> Outcomes:
        """All that was worked for."""
        return billed(self.ledger.total())

    @property
    def routing_nanodollars(self) -> int:
        """What the baseline model would have cost for the same usage, above what was billed."""
        outcomes = [billed(account) for account in self.ledger.models.values()]
        return sum(PRICES[_BASELINE].bill(each.usage) - each.nanodollars for each in outcomes)


@dataclass
class Fleet:
    """Everything that runs. `tally` is what the clients have counted."""

    programs: Programs
    store: StoreAddress
    upstream: RunningUpstream
    exporter: Program
    prometheus: Prometheus
    gateways: Mapping[str, str]
    questions: Questions
    tally: Tally = field(default_factory=Tally)

    def load(self, phases: Sequence[tuple[float, float]], *, settle: bool = True) -> Witness:
        """Ask so many questions per second for so many seconds, phase by phase; what came of it.

        By then Prometheus has seen all of it, and with `settle` some scrapes more.
        """
        asyncio.run(self._load(phases))
        witness = Witness(self.upstream.ledger(), copy.deepcopy(self.tally))

        def scraped() -> bool:
            shown = self.prometheus.number("sum(openai_total_cost_usd_total)", time.time())
            return self._arrived(witness) and shown is not None and round(shown * 1e9) == witness.billed.nanodollars

        if not eventually(scraped, 20.0):
            raise RuntimeError("the exporter does not show what the upstream has billed")
        if settle:
            time.sleep(_SETTLE)
        return witness

    def _arrived(self, witness: Witness) -> bool:
        totals = Totals.parse(httpx.get(self.exporter.address() + "/metrics").text)
        calls = totals.total("openai_api_calls_total") + totals.total("openai_retries_total")
        return calls == witness.ledger.total().received

    async def _load(self, phases: Sequence[tuple[float, float]]) -> None:
        for rate, seconds in phases:
            load = Load(self.gateways, self.questions, rate)
            load.tally = self.tally
            try:
                await asyncio.wait_for(load.run(), seconds)
            except TimeoutError:
                await load.finish(20.0)
            finally:
                await load.close()


class QuestionsWithTools(Questions):
    """The demo's questions, and among them some whose model asks for two tools; one of them it gets wrong."""

    def __init__(self, config: GatewayConfig) -> None:
        super().__init__(config, trouble=True)
        self._asked = 0

    def next(self) -> Question:
        """The next request to make."""
        self._asked += 1
        if self._asked % _TOOL_QUESTIONS:
            return super().next()
        calls = '[[call:indicator {"symbol": "ACME", "kind": "rsi"}]] [[call:latest_quote {"symbol": "NONE"}]]'
        return Question(json.dumps({"query": f"Research {self._asked} {calls}", "intent": "research"}).encode())


@contextmanager
def running_fleet(
    prometheus: str, replicas: int = 3, scrape_seconds: int = 1, *, every_panel: bool = True
) -> Iterator[Fleet]:
    """Start one with so many gateways; `prometheus` is the program's path.

    With `every_panel` each panel gets data: a worker records what the gateway does not, and the gateway has another
    configuration. Without it the fleet is the demo's and nothing else.
    """
    config_text = _PACKAGED.read_text(encoding="utf-8")
    if every_panel:
        config_text = _changed(config_text)
    config = GatewayConfig.from_toml(config_text)
    upstream_text = upstream_config(config) + (_ENDING_PRICE if every_panel else "")
    with EmbeddedStore() as server, running_upstream(upstream_text) as upstream, Programs() as programs:
        store = new_address(server)
        names = [f"gateway-{number}" for number in range(1, replicas + 1)]
        gateways = {
            name: programs.gateway(store, upstream.base_url, config_text, FLEETMETER_REPLICA=name) for name in names
        }
        if every_panel:
            programs.run([sys.executable, str(_WORKER)], store.environ)
        exporter = programs.exporter(store)
        for gateway in gateways.values():
            gateway.get("/health")
        addresses = {name: gateway.address() for name, gateway in gateways.items()}
        watching = start_prometheus(programs, prometheus, exporter.address(), scrape_seconds)
        questions = QuestionsWithTools(config) if every_panel else Questions(config, trouble=True)
        yield Fleet(programs, store, upstream, exporter, watching, addresses, questions)


def _changed(config_text: str) -> str:
    for old, new in _CHANGED.items():
        if config_text.count(old) != 1:
            raise ValueError(f"gateway.toml holds {old!r} {config_text.count(old)} times")
        config_text = config_text.replace(old, new)
    return config_text + _BUDGETS + _TOOLS


def billed(account: Account) -> Outcomes:
    """What was delivered and what was worked for in vain, together."""
    both = Outcomes()
    both.add(account.delivered)
    both.add(account.abandoned)
    return both


def window(start: float, end: float) -> Window:
    """The time between two whole seconds."""
    return Window(float(round(start)), float(round(end)))
