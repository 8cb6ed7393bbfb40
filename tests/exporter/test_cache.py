"""Size and hit rate of the prompt cache: computed from the snapshot, unless replicas say them."""

import pytest

from fleetmeter.reader.families import Families, Family
from fleetmeter.reader.sample import Sample
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.schema.definition import Definition, StoredDefinition
from fleetmeter_exporter.cache import with_cache_state
from support.exposition import total
from support.scraping import BIRTH_US, LIVING_US, FixedState, scrape
from support.store import StoreAddress

OPERATIONS = Definition.of("prompt_cache_operations", "counter", "", "", ["operation", "result"], [], "")


def gauge(name: str, *, ever_set: bool = False) -> Family:
    """A gauge that shows 0."""
    return Family(Definition(name, "gauge", mode="max"), 1, ever_set, [Sample("", (), 0)])


def families(results: dict[str, float], size: int | None = None) -> Families:
    """A namespace that counts gets by result, and some puts."""
    counts = {OPERATIONS.series_field(["get", name]).encode(): str(value).encode() for name, value in results.items()}
    counts[OPERATIONS.series_field(["put", "hit"]).encode()] = b"1000"
    return Families(
        Snapshot(1, None, {}, (StoredDefinition(OPERATIONS, 1, 1),), {OPERATIONS.field: counts}, {}, {}, size)
    )


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
    family = with_cache_state(gauge("prompt_cache_hit_rate"), families(results))
    assert family.samples == [Sample("", (), rate)]


def test_what_replicas_set_is_left_alone() -> None:
    """A gauge that anybody ever set keeps its samples."""
    for name in ("prompt_cache_hit_rate", "prompt_cache_size"):
        family = gauge(name, ever_set=True)
        with_cache_state(family, families({"hit": 1}, 7))
        assert family.samples == [Sample("", (), 0)]


def test_what_is_not_there_is_not_invented() -> None:
    """Another gauge stays as it is; so does the size without a cache, and the rate where nobody counts operations."""
    assert with_cache_state(gauge("other"), families({"hit": 1}, 7)).samples == [Sample("", (), 0)]
    assert with_cache_state(gauge("prompt_cache_size"), families({})).samples == [Sample("", (), 0)]
    assert with_cache_state(gauge("prompt_cache_size"), families({}, 7)).samples == [Sample("", (), 7)]
    nobody = Families(Snapshot(1, None, {}, (), {}, {}, {}, 7))
    assert with_cache_state(gauge("prompt_cache_hit_rate"), nobody).samples == [Sample("", (), 0)]


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
