"""Size and hit rate of the prompt cache: computed from the snapshot, unless replicas say them."""

import pytest

from fleetmeter.definition import Definition
from fleetmeter.families import Family
from fleetmeter.sample import Sample
from fleetmeter_exporter.cache import with_cache_state
from support.exposition import total
from support.scraping import BIRTH_US, LIVING_US, FixedState, scrape
from support.store import StoreAddress


def gauge(name: str, *, ever_set: bool = False) -> Family:
    """A gauge that shows 0."""
    return Family(Definition(name, "gauge", mode="max"), 1, ever_set, [Sample("", (), 0)])


def operations(**results: float) -> Family:
    """The gets by result, and some puts."""
    samples = [Sample("_total", (("operation", "get"), ("result", name)), value) for name, value in results.items()]
    samples.append(Sample("_total", (("operation", "put"), ("result", "hit")), 1000))
    return Family(Definition("prompt_cache_operations", "counter"), 1, samples=samples)


@pytest.mark.parametrize(
    ("results", "rate"),
    [
        ({"hit": 3, "miss": 5, "expired": 1, "error": 3}, 0.25),
        ({"hit": 0, "miss": 0}, 0.0),
        ({}, 0.0),
        ({"hit": int(1.7e308), "miss": int(1.7e308), "expired": 5}, 0.0),
        ({"hit": 1, "miss": float("inf")}, 0.0),
    ],
)
def test_the_hit_rate_is_hits_by_gets(results: dict[str, float], rate: float) -> None:
    """Gets are the sum over all results; puts do not matter; before the first get the rate is 0."""
    families = with_cache_state([gauge("prompt_cache_hit_rate"), operations(**results)], None)
    assert families[0].samples == [Sample("", (), rate)]


def test_what_replicas_set_is_left_alone() -> None:
    """A gauge that anybody ever set keeps its samples."""
    for name in ("prompt_cache_hit_rate", "prompt_cache_size"):
        family = gauge(name, ever_set=True)
        with_cache_state([family, operations(hit=1)], 7)
        assert family.samples == [Sample("", (), 0)]


def test_families_that_no_replica_declares_are_not_invented() -> None:
    """A service without the catalogue shows neither gauge; without a cache in the store the size stays."""
    assert with_cache_state([operations(hit=1)], 7) != []
    assert len(with_cache_state([operations(hit=1)], 7)) == 1
    assert with_cache_state([gauge("prompt_cache_size")], None)[0].samples == [Sample("", (), 0)]
    assert with_cache_state([gauge("prompt_cache_size")], 7)[0].samples == [Sample("", (), 7)]


def test_the_size_is_that_of_living_entries(store: StoreAddress) -> None:
    """Entries whose time is over do not count; once a replica sets the gauges, its figures take the place of both."""
    client = store.client()
    client.zadd(store.keys.cache_expiry, {"old": BIRTH_US, "a": LIVING_US, "b": LIVING_US})
    client.close()
    size = Definition.of("prompt_cache_size", "gauge", "Entries.", "", [], [], "max")
    rate = Definition.of("prompt_cache_hit_rate", "gauge", "Hits by gets.", "", [], [], "mostrecent")
    operations = Definition.of("prompt_cache_operations", "counter", "", "", ["operation", "result"], [], "")
    with FixedState(store) as fixed:
        fixed.writer("w", "shop", 7)
        fixed.family(operations, {("get", "hit"): 1, ("get", "miss"): 3, ("put", "stored"): 9})
        for gauge in (size, rate):
            fixed.family(gauge)
            fixed.gauge(gauge, "w", (), "0", set_us=0)  # it was created and never set
        samples = scrape(store)
        assert total(samples, "prompt_cache_size") == 2
        assert total(samples, "prompt_cache_hit_rate") == 0.25
        fixed.gauge(size, "w", (), "41", set_us=5)
        fixed.gauge(rate, "w", (), "0.625", set_us=5)
    samples = scrape(store)
    assert total(samples, "prompt_cache_size") == 41
    assert total(samples, "prompt_cache_hit_rate") == 0.625
