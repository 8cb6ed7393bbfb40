"""Exemplars: the newest per counter and bucket, sent once, and served in OpenMetrics."""

import math
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.samples import Exemplar

import fleetmeter
from fleetmeter.process.installation import current
from fleetmeter.schema.definition import Definition, compact_json
from fleetmeter.schema.exemplars import newer, read_exemplar
from fleetmeter.values.amounts import put_exemplar
from fleetmeter.values.batch import Batch
from fleetmeter_exporter import RedisCollector
from support.fleet import families, installation, value
from support.scraping import FixedState
from support.store import StoreAddress

SIZES = Definition.of("x_size", "histogram", "x", "", (), ("1.0", "5.0", "+Inf"), "")


def shown(address: StoreAddress, family: str) -> dict[str, dict[str, str]]:
    """The labels of a family's exemplars, by suffix or bound."""
    return {
        dict(sample.labels).get("le", sample.suffix): sample.exemplar.labels
        for sample in families(address)[family].samples
        if sample.exemplar is not None
    }


def stored(address: StoreAddress) -> dict[bytes, bytes]:
    """The hash of exemplars."""
    client = address.client()
    found: dict[bytes, bytes] = client.hgetall(address.keys.exemplars)
    client.close()
    return found


def test_the_newest_exemplar_of_each_bucket_and_counter_is_served(installed: StoreAddress) -> None:
    """Labels, value and time, in OpenMetrics; each bucket has its own."""
    counter = Counter("x_calls", "x", registry=None)
    sizes = Histogram("x_size", "x", registry=None, buckets=(1, 5))
    for trace in ("1", "2"):
        counter.inc(3, {"trace": f"c{trace}"})
        sizes.observe(0.5, {"trace": f"small{trace}"})
    sizes.observe(7, {"trace": "large"})
    sizes.observe(0.25)
    counter.inc()
    assert fleetmeter.flush()
    assert shown(installed, "x_calls") == {"_total": {"trace": "c2"}}
    assert shown(installed, "x_size") == {"1.0": {"trace": "small2"}, "+Inf": {"trace": "large"}}
    registry = CollectorRegistry()
    RedisCollector(registry, url=installed.url, namespace=installed.namespace)
    text = generate_openmetrics(registry).decode()  # type: ignore[no-untyped-call]
    assert 'x_calls_total 7.0 # {trace="c2"} 3.0 1' in text
    assert 'x_size_bucket{le="+Inf"} 4.0 # {trace="large"} 7.0 1' in text


def test_an_exemplar_is_sent_once_and_never_again(installed: StoreAddress) -> None:
    """It is in no later batch, not even where everything is sent again."""
    counter = Counter("x_calls", "x", registry=None)
    counter.inc(1, {"trace": "a"})
    assert fleetmeter.flush()
    client = installed.client()
    client.delete(installed.keys.exemplars)
    client.close()
    counter.inc()
    runtime = current()
    assert runtime is not None
    runtime.accumulator.send_all_again()
    assert fleetmeter.flush()
    assert stored(installed) == {}
    counter.inc(1, {"trace": "b"})
    assert fleetmeter.flush()
    assert shown(installed, "x_calls") == {"_total": {"trace": "b"}}


def test_an_exemplar_inside_an_atomic_block_comes_with_its_record(installed: StoreAddress) -> None:
    """Neither shows before the block's end."""
    counter = Counter("x_calls", "x", registry=None)
    counter.inc()
    with fleetmeter.atomic():
        counter.inc(1, {"trace": "a"})
        assert not fleetmeter.flush()  # it says that the block's records wait
        assert stored(installed) == {}
    assert fleetmeter.flush()
    assert shown(installed, "x_calls") == {"_total": {"trace": "a"}}


def test_the_newest_of_several_replicas_is_served(installed: StoreAddress) -> None:
    """By the time at which it was observed, not by the order of arrival."""
    sizes = Histogram("x_size", "x", registry=None, buckets=(1, 5))
    sizes.observe(0.5)
    sizes._buckets[0].set_exemplar(Exemplar({"trace": "newer"}, 0.5, 2000.0))
    assert fleetmeter.flush()
    sizes._buckets[0].set_exemplar(Exemplar({"trace": "older"}, 0.5, 1000.0))
    assert fleetmeter.flush()
    assert shown(installed, "x_size") == {"1.0": {"trace": "newer"}}


@pytest.mark.parametrize("order", [1, -1])
def test_of_one_time_the_same_exemplar_is_served_in_any_order(order: int) -> None:
    """The store gives its hashes in no order that two exporters, or two ways to the text, could rely on."""
    first, second = Exemplar({"trace": "a"}, 0.5, 1000.0), Exemplar({"trace": "b"}, 0.5, 1000.0)
    assert newer(*[first, second][::order]) is second


def test_exemplars_outlive_install_and_uninstall_in_their_process(store: StoreAddress) -> None:
    """What was there before is sent; what this process has stays in its own registry."""
    registry = CollectorRegistry()
    counter = Counter("x_calls", "x", registry=registry)
    counter.inc(1, {"trace": "early"})
    with installation(store):
        assert fleetmeter.flush()
        assert shown(store, "x_calls") == {"_total": {"trace": "early"}}
    assert '# {trace="early"} 1.0' in generate_openmetrics(registry).decode()  # type: ignore[no-untyped-call]


def test_an_exemplar_moves_with_its_count_into_the_newest_buckets(store: StoreAddress) -> None:
    """Under a bound that the newest list lacks, it goes to the next one above; of those that meet the newest shows."""
    with FixedState(store) as state:
        state.family(SIZES, {("1.0",): 2, ("3.0",): 1, ("sum",): 4})
        client = store.client()
        for bound, at in (("1.0", 1), ("3.0", 3), ("5.0", 2)):
            exemplar = compact_json({"labels": {"trace": bound}, "value": 0.5, "timestamp": at})
            client.hset(store.keys.exemplars, f'{SIZES.field} ["{bound}"]', f"{at}000000 {exemplar}")
        client.hset(store.keys.family(SIZES.field), '["5.0"]', "1")
        client.close()
    assert shown(store, "x_size") == {"1.0": {"trace": "1.0"}, "5.0": {"trace": "3.0"}}


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"labels":{"a":"b"},"value":1}',
        '{"labels":{"a b":"c"},"value":1,"timestamp":1}',
        '{"labels":{"a":1},"value":1,"timestamp":1}',
        '{"labels":{"a":"b"},"value":"nan","timestamp":1}',
        '{"labels":{"a":"b"},"value":1,"timestamp":"inf"}',
        compact_json({"labels": {"a": "b" * 128}, "value": 1, "timestamp": 1}),
    ],
)
def test_an_exemplar_that_no_exposition_can_hold_costs_no_scrape(store: StoreAddress, text: str) -> None:
    """It is left out; the numbers are served."""
    assert read_exemplar(text) is None
    with FixedState(store) as state:
        state.family(SIZES, {("1.0",): 2, ("sum",): 1})
        client = store.client()
        client.hset(store.keys.exemplars, f'{SIZES.field} ["1.0"]', f"1 {text}")
        client.close()
    assert shown(store, "x_size") == {}
    assert value(store, "x_size_count") == 2


@pytest.mark.parametrize(
    "exemplar",
    [
        Exemplar({"a": "b"}, math.inf, 1.0),
        Exemplar({"a": "b"}, 10**400, 1.0),
        Exemplar({"a-b": "c"}, 1.0, 1.0),
        Exemplar({"a": "b"}, "text", 1.0),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_served_is_not_sent(exemplar: Any) -> None:
    """prometheus_client lets some exemplars pass that would spoil every scrape."""
    batch = Batch()
    put_exemplar(batch, SIZES, '["1.0"]', exemplar)
    assert not batch


def test_text_that_utf8_cannot_hold_is_replaced(installed: StoreAddress) -> None:
    """As in label values."""
    Counter("x_calls", "x", registry=None).inc(1, {"trace": "a\ud800"})
    assert fleetmeter.flush()
    assert shown(installed, "x_calls") == {"_total": {"trace": "a?"}}
