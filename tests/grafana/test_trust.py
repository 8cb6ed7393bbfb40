"""A service without a gateway, its dashboards asked of a real Prometheus: what is known of its spending."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import openai
import pytest

import fleetmeter
from fleetmeter.llm import attributes
from fleetmeter.pricing import Book, PriceList
from observation.dashboards import Window, documents, panels
from support.gateway import Programs
from support.processes import eventually
from support.prometheus import Prometheus
from support.store import StoreAddress
from support.upstream import running_upstream

_WINDOW = Window(0.0, 600.0)
TRUST = "Can these numbers be trusted?"
YES, NOT_ALL_COST_IS_KNOWN = 1.0, 0.5


@dataclass(frozen=True)
class Service:
    """This process as a service that calls models, and the Prometheus that watches it."""

    client: openai.OpenAI
    prometheus: Prometheus

    def ask(self, model: str) -> None:
        """A call whose answer states its usage."""
        self.client.chat.completions.create(model=model, messages=[{"role": "user", "content": "[[usage:prompt=9]]"}])

    def stream(self, model: str) -> None:
        """A stream that nobody asked for its usage, read to its end."""
        list(self.client.chat.completions.create(model=model, messages=[{"role": "user", "content": "?"}], stream=True))

    def seen(self, calls: int) -> None:
        """Hand over, and return once Prometheus has so many calls."""
        assert fleetmeter.flush()
        assert eventually(lambda: self.prometheus.number("sum(openai_api_calls_total)") == calls)

    def trust(self, dashboard: str) -> float | None:
        """What the first panel of a dashboard shows."""
        (found,) = (panel for panel in panels() if (panel.dashboard, panel.title) == (dashboard, TRUST))
        return self.prometheus.number(_WINDOW.fill(found.queries[0].expression))


@pytest.fixture
def watched(installed: StoreAddress, binary: Callable[[str], str]) -> Iterator[Service]:
    """The service, with an exporter and a Prometheus that scrapes it every second."""
    prometheus = binary("prometheus")
    fleetmeter.instrument_openai(prices=PriceList(Book(providers={"127.0.0.1": "openai"})))
    try:
        with running_upstream() as upstream, Programs() as programs:
            target = programs.exporter(installed).address().removeprefix("http://")
            with (
                Prometheus(prometheus, target) as watching,
                openai.OpenAI(api_key="x", base_url=upstream.base_url) as client,
            ):
                yield Service(client, watching)
    finally:
        fleetmeter.uninstrument_openai()


def test_a_stream_whose_cost_nobody_knows_turns_trust_orange(watched: Service) -> None:
    """Green while every call is priced; orange once a stream told no usage, be it the first call of its model."""
    names = [name for name in documents() if name != "runbook"]
    watched.ask("gpt-6-luna")
    watched.seen(1)
    assert [watched.trust(name) for name in names] == [YES] * len(names)
    watched.stream("gpt-6-sol")
    watched.seen(2)
    assert [watched.trust(name) for name in names] == [NOT_ALL_COST_IS_KNOWN] * len(names)


def test_the_variable_lists_the_intents_of_a_service_that_routes_nothing(watched: Service) -> None:
    """What `label_values` reads has the intents of calls; the router's families have none."""
    for intent in ("chat", "search"):
        with attributes(intent=intent):
            watched.ask("gpt-6-luna")
    watched.seen(2)
    for name in ("cost", "performance", "calls", "routing"):
        (query,) = (each["query"] for each in documents()[name]["templating"]["list"] if each["name"] == "intent")
        (selector, label), *_ = re.findall(r"label_values\((.+), (\w+)\)", query)
        series = watched.prometheus.query(_WINDOW.fill(selector))
        assert {dict(labels)[label] for _, labels in series} >= {"chat", "search"}
    assert not watched.prometheus.number("sum(model_selections_total)")
