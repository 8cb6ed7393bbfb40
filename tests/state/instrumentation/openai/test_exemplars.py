"""Exemplars: a call leads to the trace of the span in which it was made."""

from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from prometheus_client import CollectorRegistry

import fleetmeter
from fleetmeter.pricing import PriceList
from fleetmeter_exporter import RedisCollector
from support.store import StoreAddress

FAMILIES = ("gen_ai_client_operation_duration_seconds", "gen_ai_client_token_usage")


@pytest.fixture(autouse=True)
def _counted(installed: StoreAddress, prices: PriceList, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Calls are counted under OpenTelemetry's names, too, and handed over to a store."""
    monkeypatch.setenv("FLEETMETER_GENAI_METRICS", "true")
    fleetmeter.instrument_openai(prices=prices)
    yield
    fleetmeter.uninstrument_openai()


def exemplars(store: StoreAddress, model: str) -> dict[str, set[tuple[str, str]]]:
    """Trace and span of every exemplar that an exporter shows of a model, by family; each test has its own model."""
    assert fleetmeter.flush()
    registry = CollectorRegistry(support_collectors_without_names=True)
    RedisCollector(registry, url=store.url, namespace=store.namespace)
    found: dict[str, set[tuple[str, str]]] = {}
    for family in registry.collect():
        for sample in family.samples:
            if sample.exemplar is not None and sample.labels["gen_ai_request_model"] == model:
                labels = sample.exemplar.labels
                found.setdefault(family.name, set()).add((labels["trace_id"], labels["span_id"]))
    return found


def ids(span: Any) -> tuple[str, str]:
    """Trace and span as an exemplar has them."""
    context = span.get_span_context()
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def test_a_call_has_the_trace_of_its_span(ask: Callable[..., Any], installed: StoreAddress) -> None:
    """Duration and tokens lead to the span that was active, whose ids come out at the exporter as they went in."""
    with TracerProvider().get_tracer("test").start_as_current_span("work") as span:
        ask(model="gpt-6-luna")
    assert exemplars(installed, "gpt-6-luna") == {family: {ids(span)} for family in FAMILIES}


def test_a_stream_has_the_trace_of_where_it_was_opened(client: openai.OpenAI, installed: StoreAddress) -> None:
    """A stream that is read in another span, after the first has ended, leads to the one in which it was asked for."""
    tracer = TracerProvider().get_tracer("test")
    with tracer.start_as_current_span("opened") as opened:
        stream = client.chat.completions.create(
            model="gpt-6-sol", messages=[{"role": "user", "content": "?"}], stream=True,
            stream_options={"include_usage": True},
        )  # fmt: skip
    with tracer.start_as_current_span("read"):
        list(stream)
    assert exemplars(installed, "gpt-6-sol") == {family: {ids(opened)} for family in FAMILIES}


def test_no_span_and_no_sampled_one_leave_no_exemplar(ask: Callable[..., Any], installed: StoreAddress) -> None:
    """Nobody could look up a trace that is not kept."""
    ask(model="gpt-6.1-sol")
    with TracerProvider(sampler=ALWAYS_OFF).get_tracer("test").start_as_current_span("dropped"):
        ask(model="gpt-6.1-sol")
    assert exemplars(installed, "gpt-6.1-sol") == {}
