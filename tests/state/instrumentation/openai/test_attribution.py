"""Who a call of the SDK is for, and what it would have cost with another model."""

from collections.abc import Callable, Iterator
from contextvars import copy_context
from typing import Any

import openai
import pytest

import fleetmeter
from fleetmeter.llm import attributes, configure
from fleetmeter.pricing import Book, PriceList, Usage
from fleetmeter.testing import Recorder
from support.labels import no_labels


@pytest.fixture(autouse=True)
def labelled() -> Iterator[None]:
    """A label of the user's own."""
    with no_labels():
        configure(labels={"team": 5})
        yield


@pytest.mark.usefixtures("counts")
def test_a_stream_counts_under_where_it_was_opened(ask: Callable[..., Any]) -> None:
    """Read in another context, or under other values, a stream has the values of where it was opened."""
    recorder = Recorder()
    with attributes(team="ads", intent="drafting"):
        stream = ask(stream=True, stream_options={"include_usage": True})
    with attributes(team="search"):
        copy_context().run(list, stream)
    assert recorder.total("openai_api_calls_total", team="ads", intent="drafting") == 1
    assert recorder.total("openai_api_calls_total") == 1
    assert recorder.nanodollars("openai_cost_usd_sum", team="ads") == recorder.nanodollars() > 0


@pytest.mark.parametrize(("baseline", "family"), [("gpt-6.1-sol", "cost_savings_usd"), ("gpt-6-luna", "")])
def test_savings_are_measured_against_a_stated_baseline(
    client: openai.OpenAI, ask: Callable[..., Any], baseline: str, family: str
) -> None:
    """The baseline's price for the same usage minus the price paid, under the call's intent and team."""
    book = Book(providers={"127.0.0.1": "openai"})
    prices = PriceList(book, baseline=baseline)
    fleetmeter.instrument_openai(prices=prices)
    recorder = Recorder()
    try:
        with attributes(team="ads", intent="drafting"):
            ask()
    finally:
        fleetmeter.uninstrument_openai()
    usage = Usage(prompt=100, completion=20)
    paid, dear = prices.cost("gpt-6-luna", usage), prices.cost(baseline, usage)
    assert paid is not None
    assert dear is not None
    assert recorder.nanodollars() == paid.nanodollars
    saved = recorder.nanodollars("cost_savings_usd_total", intent="drafting", team="ads", source="routing")
    assert saved == dear.nanodollars - paid.nanodollars
    assert (saved > 0) == bool(family)


@pytest.mark.usefixtures("counts")
def test_without_a_baseline_nothing_is_saved(ask: Callable[..., Any]) -> None:
    """Nobody said what else would have been done: no saving, and no extra cost."""
    recorder = Recorder()
    ask()
    assert recorder.nanodollars() > 0
    assert recorder.total("cost_savings_usd_total") == recorder.total("routing_extra_cost_usd_total") == 0


def test_a_dearer_model_than_the_baseline_is_extra_cost(ask: Callable[..., Any]) -> None:
    """What a dearer model costs on top grows another counter, at the tier that was answered."""
    prices = PriceList(Book(providers={"127.0.0.1": "openai"}), baseline="gpt-6-luna")
    fleetmeter.instrument_openai(prices=prices)
    recorder = Recorder()
    try:
        ask(model="gpt-6.1-sol")
    finally:
        fleetmeter.uninstrument_openai()
    usage = Usage(prompt=100, completion=20)
    paid, cheap = prices.cost("gpt-6.1-sol", usage), prices.cost("gpt-6-luna", usage)
    assert paid is not None
    assert cheap is not None
    extra = recorder.nanodollars("routing_extra_cost_usd_total", intent="unspecified", team="unspecified")
    assert extra == paid.nanodollars - cheap.nanodollars > 0
