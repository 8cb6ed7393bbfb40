"""The demo's fleet for checks and pictures: replicas, an upstream with a ledger, a load that varies."""

import asyncio
import copy
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx

from fleetmeter.embedded import EmbeddedStore
from fleetmeter.watching.totals import Totals
from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.demo.comparison.bills import added, bills
from fleetmeter_app.demo.fleet import upstream_config
from fleetmeter_app.demo.gateway_toml import gateway_toml, write_prices
from fleetmeter_app.demo.teams import create_keys
from fleetmeter_app.demo.traffic.load import Load
from fleetmeter_app.demo.traffic.mix import Mix
from fleetmeter_app.demo.traffic.tally import Tally
from fleetmeter_app.upstream.ledger import EMBEDDING_PRICES, PRICES, Ledger, Outcomes, Price
from observation.dashboards import Window
from observation.prometheus import Prometheus, start_prometheus
from support.gateway import Program, Programs, eventually
from support.store import StoreAddress, new_address
from support.upstream import RunningUpstream, running_upstream

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
[budgets.watched]
limit_usd = 0.0001
window = "day"
action = "alert"
"""
"""One that is used up with the first questions, and stops nobody."""
_ENDING_PRICE = Price(input=1250, cached=125, cache_write=1250, output=10000)
_ENDING_TABLE = "\n".join(
    [f'[models."{_ENDING}".price]', *(f"{name} = {rate}" for name, rate in asdict(_ENDING_PRICE).items()), ""]
)
_SETTLE = 2.5
"""Seconds in which nothing changes, so that at least two scrapes show the same."""


@dataclass(frozen=True)
class Witness:
    """What the upstream billed, and what the clients got, up to one moment."""

    ledger: Ledger
    tally: Tally

    @property
    def by_model(self) -> dict[str, Outcomes]:
        """All that was worked for and told, or is estimated, by model."""
        return bills(self.ledger, self.tally.estimated)

    @property
    def billed(self) -> Outcomes:
        """The same of all models together."""
        return added(self.by_model)

    @property
    def routing_nanodollars(self) -> int:
        """What the baseline model would have cost for the same usage, above what was billed."""
        return sum(self._routing_by_model)

    @property
    def saved_by_routing(self) -> int:
        """The same of the models that are cheaper than the baseline alone; the dearer ones are counted apart."""
        return sum(each for each in self._routing_by_model if each > 0)

    @property
    def _routing_by_model(self) -> list[int]:
        return [PRICES[_BASELINE].bill(each.usage) - each.nanodollars for each in self.by_model.values()]


@dataclass
class Fleet:
    """Everything that runs. `tally` is what the clients have counted."""

    programs: Programs
    store: StoreAddress
    upstream: RunningUpstream
    exporter: Program
    prometheus: Prometheus
    gateways: Mapping[str, str]
    keys: Mapping[str, str] = field(repr=False)
    mix: Mix
    tally: Tally

    def load(self, phases: Sequence[tuple[float, float]], *, settle: bool = True) -> Witness:
        """Ask so many questions per second for so many seconds, phase by phase; what came of it.

        By then Prometheus has seen all of it, and with `settle` some scrapes more.
        """
        asyncio.run(self._load(phases))
        witness = self._witness()

        def scraped() -> bool:
            nonlocal witness
            witness = self._witness()  # the upstream learns a little later that a client has left
            shown = self.prometheus.number("sum(openai_total_cost_usd_total)", time.time())
            return self._arrived(witness) and shown is not None and round(shown * 1e9) == witness.billed.nanodollars

        if not eventually(scraped, 20.0):
            raise RuntimeError("the exporter does not show what the upstream has billed")
        if settle:
            time.sleep(_SETTLE)
        return witness

    def _witness(self) -> Witness:
        return Witness(self.upstream.ledger(), copy.deepcopy(self.tally))

    def _arrived(self, witness: Witness) -> bool:
        totals = Totals.parse(httpx.get(self.exporter.address() + "/metrics").text)
        calls = totals.total("openai_api_calls_total") + totals.total("openai_retries_total")
        return calls == witness.ledger.total().received

    async def _load(self, phases: Sequence[tuple[float, float]]) -> None:
        for rate, seconds in phases:
            load = Load(self.gateways, self.keys, self.mix, rate, self.tally)
            try:
                await asyncio.wait_for(load.run(), seconds)
            except TimeoutError:
                await load.finish(20.0)
            finally:
                await load.close()


@contextmanager
def running_fleet(
    prometheus: str, replicas: int = 3, scrape_seconds: int = 1, *, every_panel: bool = True
) -> Iterator[Fleet]:
    """Start one with so many gateways; `prometheus` is the program's path.

    With `every_panel` each panel gets data: the gateway has a smaller cache, a model that ends and a budget more, and a
    worker has too many series. Without it the fleet is the demo's and nothing else.
    """
    config_text = gateway_toml()
    prices: dict[str, Price] = PRICES | EMBEDDING_PRICES
    if every_panel:
        config_text = _changed(config_text)
        prices[_ENDING] = _ENDING_PRICE
    with EmbeddedStore() as server, Programs() as programs:
        write_prices(programs.folder)  # the gateways' configuration expects them beside itself
        config = GatewayConfig.from_toml(config_text, file=str(programs.folder / "gateway.toml"))
        upstream_text = upstream_config(config) + (_ENDING_TABLE if every_panel else "")
        with running_upstream(upstream_text) as upstream:
            store = new_address(server)
            keys = create_keys(store.url, store.namespace)
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
            mix = Mix(config, ours=True)
            yield Fleet(programs, store, upstream, exporter, watching, addresses, keys, mix, Tally(prices))


def _changed(config_text: str) -> str:
    for old, new in _CHANGED.items():
        if config_text.count(old) != 1:
            raise ValueError(f"gateway.toml holds {old!r} {config_text.count(old)} times")
        config_text = config_text.replace(old, new)
    return config_text + _BUDGETS


def window(start: float, end: float) -> Window:
    """The time between two whole seconds."""
    return Window(float(round(start)), float(round(end)))
