"""Histograms as nobody should define them: what the stock client shows of them, the fleet shows, and validly."""

from collections.abc import Sequence
from math import inf, nan

import pytest
from prometheus_client import CollectorRegistry, Histogram, Summary, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

import fleetmeter
from fleetmeter.schema.definition import StoredDefinition
from fleetmeter_exporter import RedisCollector
from fleetmeter_exporter.exposition.formats import TEXT, Format
from fleetmeter_exporter.scraper import Scraper
from support.exposition import Series, parse
from support.fleet import families
from support.store import StoreAddress

AMOUNTS = (-5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 7)
OPENMETRICS = Format(openmetrics=True, version="1.0.0")


def record(bounds: Sequence[float], amounts: Sequence[float]) -> CollectorRegistry:
    """A histogram and a summary that saw these amounts."""
    registry = CollectorRegistry()
    histogram = Histogram("odd", "x", registry=registry, buckets=bounds)
    summary = Summary("odd_summary", "x", registry=registry)
    for amount in amounts:
        histogram.observe(amount)
        summary.observe(amount)
    return registry


def odd(text: bytes) -> dict[Series, float]:
    """The samples of those two in a text exposition; the times of creation left out."""
    return {key: value for key, value in parse(text).items() if key[0].startswith("odd") and "_created" not in key[0]}


def exposed(store: StoreAddress, form: Format) -> bytes:
    """What the exporter serves."""
    scraper = Scraper.of(store.url, [store.namespace])
    return scraper.text([scraper.fleets[0].scrape()], 0.0, form)


@pytest.mark.parametrize(
    "bounds",
    [(1, 1, 2), (1, inf, inf), (1, 1, 1, inf, inf), (-1, -1, 1), (-0.0, 0.0, 1), (-inf, 1), (-2, -1), (0, 1)],
)
def test_odd_bounds_are_shown_as_the_stock_client_shows_them(bounds: Sequence[float], store: StoreAddress) -> None:
    """Every bucket has the stock client's number, and stands there once; nothing is left out."""
    expected = odd(generate_latest(record(bounds, AMOUNTS)))
    expected.pop(("odd_bucket", frozenset({("le", "0.0")})) if str(bounds[0]) == "-0.0" else ("", frozenset()), None)
    fleetmeter.install(url=store.url, namespace=store.namespace, flush_interval=60.0)
    try:
        record(bounds, AMOUNTS)
        assert fleetmeter.flush()
        assert odd(exposed(store, TEXT)) == expected
        assert exposed(store, TEXT).count(b'odd_bucket{le="+Inf"}') == 1
        assert parse(exposed(store, TEXT))["fleetmeter_up", frozenset()] == 1
    finally:
        fleetmeter.uninstall()


@pytest.mark.parametrize(("bounds", "most"), [((1, nan, 2), "2.0"), ((1, nan), "+Inf")])
def test_a_bound_that_is_no_number_is_the_next_one(bounds: Sequence[float], most: str, store: StoreAddress) -> None:
    """Nothing is below NaN: all counts are where the stock client has them, and there is no bucket of that name."""
    expected = odd(generate_latest(record(bounds, AMOUNTS)))
    assert expected.pop(("odd_bucket", frozenset({("le", "NaN")}))) is not None
    fleetmeter.install(url=store.url, namespace=store.namespace, flush_interval=60.0)
    try:
        record(bounds, AMOUNTS)
        assert fleetmeter.flush()
        shown = odd(exposed(store, TEXT))
        assert shown == expected
        assert ("odd_bucket", frozenset({("le", most)})) in shown
    finally:
        fleetmeter.uninstall()


@pytest.mark.parametrize("bounds", [(-1, 1), (-inf, -1), (1, 2), (-2, -1, 0, 1)])
@pytest.mark.parametrize("amounts", [(-5, 1), (5, 1)])
def test_openmetrics_is_valid_whatever_is_negative(
    bounds: Sequence[float], amounts: Sequence[float], installed: StoreAddress
) -> None:
    """The official parser reads all families; what it forbids is left out, and every bucket is there."""
    record(bounds, amounts)
    assert fleetmeter.flush()
    registry = CollectorRegistry(support_collectors_without_names=True)
    RedisCollector(registry, url=installed.url, namespace=installed.namespace)
    collected: bytes = generate_openmetrics(registry)  # type: ignore[no-untyped-call]
    negative = bounds[0] < 0 or sum(amounts) < 0
    for text in (exposed(installed, OPENMETRICS), collected):
        read = {family.name: family for family in parse_openmetrics(text.decode())}  # type: ignore[no-untyped-call]
        names = {sample.name for sample in read["odd"].samples}
        assert names == {"odd_bucket"} if negative else {"odd_bucket", "odd_count", "odd_sum"}
        (everything,) = (sample for sample in read["odd"].samples if sample.labels.get("le") == "+Inf")
        assert everything.value == len(amounts)
        counted = {"odd_summary_count"} if sum(amounts) < 0 else {"odd_summary_count", "odd_summary_sum"}
        assert {sample.name for sample in read["odd_summary"].samples} == counted


def test_a_definition_that_an_older_version_stored_is_read(store: StoreAddress) -> None:
    """Its bounds stand there twice; the family is served, each bucket once."""
    bounds = '"bounds":["1.0","1.0","+Inf","+Inf"]'
    text = f'1 1 {{"type":"histogram","help":"","unit":"","labels":[],{bounds},"mode":"","scale":1}}'
    fleetmeter.install(url=store.url, namespace=store.namespace, flush_interval=60.0, numbers="fields")
    try:
        record((1,), (0.5, 3))
        assert fleetmeter.flush()
    finally:
        fleetmeter.uninstall()
    client = store.client()
    field = next(name for name in client.hkeys(store.keys.families) if name.startswith(b"odd:"))
    assert StoredDefinition.parse(field.decode(), text).definition.bounds == ("1.0", "+Inf")
    client.hset(store.keys.families, field, text)
    client.close()
    shown = [(sample.suffix, sample.value) for sample in families(store)["odd"].samples]
    assert shown == [("_bucket", 1), ("_bucket", 2), ("_count", 2), ("_sum", 3.5)]
