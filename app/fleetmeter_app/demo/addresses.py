"""The addresses that the demo shows: each as soon as its programs answer, in the order in which they are looked at."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fleetmeter_app.demo.fleet import NAMESPACE, DemoFleet
from fleetmeter_app.demo.settings import DemoSettings
from fleetmeter_app.demo.teams import TRIAL, WINDOW, WORKING


@dataclass(frozen=True)
class Address:
    """A line of the list, and the names of the programs that must answer before it is of use."""

    name: str
    text: str
    programs: frozenset[str] = frozenset()

    @property
    def line(self) -> str:
        """As it is shown."""
        return f"{self.name:<12} {self.text}"


class Addresses:
    """Shows the lines in their order, each once all programs of it and of those above it answer."""

    def __init__(self, lines: list[Address], show: Callable[[str], None]) -> None:
        self._waiting = lines
        self._show = show
        self._answering: set[str] = set()
        self._go_on()

    def answers(self, program: str) -> None:
        """Take note that a program answers."""
        self._answering.add(program)
        self._go_on()

    def _go_on(self) -> None:
        while self._waiting and self._waiting[0].programs <= self._answering:
            self._show(self._waiting.pop(0).line)


def addresses(settings: DemoSettings, fleet: DemoFleet, store_url: str) -> list[Address]:
    """The lines. What people look at stands first."""
    return [
        _optional("board", fleet.board, fleet.no_board),
        *_gateways(settings, fleet),
        Address("exporter", f"{fleet.exporter}/metrics", frozenset({"exporter"})),
        _optional("prometheus", fleet.prometheus, fleet.no_prometheus),
        _optional("alertmanager", fleet.alertmanager, fleet.no_alertmanager),
        Address("dashboards", _dashboards(fleet)),
        _upstream(settings, fleet),
        Address("store", f"{store_url}  namespace {NAMESPACE}"),
        *_keys(settings, fleet, store_url),
    ]


def _gateways(settings: DemoSettings, fleet: DemoFleet) -> Iterator[Address]:
    first, *others = fleet.gateways.values()
    ports = " ".join([first, *(f":{address.rpartition(':')[2]}" for address in others)])
    what = "POST /ask" if settings.costs_money else "POST /ask, OpenAI's API at /v1"
    yield Address("gateways", f"{ports}  {what}", frozenset(fleet.gateways))


def _optional(name: str, address: str | None, left_out: str | None) -> Address:
    return Address(name, left_out or "") if address is None else Address(name, address, frozenset({name}))


def _upstream(settings: DemoSettings, fleet: DemoFleet) -> Address:
    if fleet.upstream is None:
        return Address("upstream", settings.openai_base_url)
    return Address("upstream", f"{fleet.upstream}/ledger", frozenset({"upstream"}))


def _keys(settings: DemoSettings, fleet: DemoFleet, store_url: str) -> Iterator[Address]:
    """Who asks; and how to get a key and to ask with it, as from the first key on everybody needs one."""
    if settings.costs_money:
        return
    names = ", ".join(team.name for team in WORKING)
    yield Address("teams", f"{names} and {TRIAL.name}, which may spend ${TRIAL.limit_usd:g} a {WINDOW}")
    yield Address("your key", f"{_program()} keys create --url {store_url} --namespace {NAMESPACE} --team you")
    first = next(iter(fleet.gateways.values()))
    headers = "-H 'authorization: Bearer KEY' -H 'content-type: application/json'"
    yield Address("ask with it", f'curl -s {first}/ask {headers} -d \'{{"query": "TSLA price"}}\'')


def _program() -> str:
    """`fleetmeter` of this environment, by the shortest path from here."""
    program = Path(sys.executable).with_name("fleetmeter")
    near = os.path.relpath(program)
    return min(str(program), near, key=len)


def _dashboards(fleet: DemoFleet) -> str:
    source = f"{fleet.prometheus} as" if fleet.prometheus else "a Prometheus that scrapes the exporter as"
    return f"import grafana/dashboards/*.json into a Grafana, with {source} its Prometheus data source"
