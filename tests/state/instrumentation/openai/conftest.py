"""An upstream, clients of it, and what is counted of their calls."""

from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

import fleetmeter
from fleetmeter.pricing import Book, PriceList
from support.counts import Counts
from support.upstream import RunningUpstream, running_upstream


@pytest.fixture(scope="session")
def running() -> Iterator[RunningUpstream]:
    """One upstream for the tests of all files here."""
    with running_upstream() as upstream:
        yield upstream


@pytest.fixture
def prices() -> PriceList:
    """A price list for which this machine is OpenAI."""
    return PriceList(Book(providers={"127.0.0.1": "openai"}))


@pytest.fixture
def counts(prices: PriceList) -> Iterator[Counts]:
    """Every client of this process is counted, from 0 on."""
    fleetmeter.instrument_openai(prices=prices)
    try:
        yield Counts()
    finally:
        fleetmeter.uninstrument_openai()


@pytest.fixture
def client(upstream: RunningUpstream) -> Iterator[openai.OpenAI]:
    """A client of the upstream."""
    with openai.OpenAI(api_key="x", base_url=upstream.base_url) as client:
        yield client


@pytest.fixture
def ask(client: openai.OpenAI) -> Callable[..., Any]:
    """A chat completion for a text that says what to answer; see `fleetmeter_app.upstream.wishes`."""

    def ask(wish: str = "", *, model: str = "gpt-6-luna", usage: str = "prompt=100,completion=20", **more: Any) -> Any:
        text = f"{f'[[answer:{wish}]]' if wish else ''} [[usage:{usage}]]"
        return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **more)

    return ask
