"""Size and hit rate of the prompt cache: computed from the snapshot, unless replicas say them."""

import pytest

from fleetmeter.reader.families import Families
from fleetmeter.reader.sample import Sample
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.schema.definition import Definition, StoredDefinition, compact_json
from fleetmeter_app.cache_gauges import HIT_RATE, SIZE
from support.exposition import total
from support.scraping import BIRTH_US, LIVING_US, FixedState, scrape
from support.store import StoreAddress

OPERATIONS = Definition.of("prompt_cache_operations", "counter", "", "", ["operation", "result"], [], "")


SIZE_GAUGE = Definition.of("prompt_cache_size", "gauge", "Entries.", "", [], [], "max")
RATE_GAUGE = Definition.of("prompt_cache_hit_rate", "gauge", "Hits by gets.", "", [], [], "mostrecent")
OTHER = Definition.of("other", "gauge", "Another.", "", [], [], "max")


def shown(
    gauge: Definition, results: dict[str, float] | None, size: int | None = None, *, set_us: int = 0
) -> list[Sample]:
    """What a gauge shows that a replica created or set, beside a cache of so many entries and gets by result."""
    counts = {}
    if results is not None:
        counts = {OPERATIONS.series_field(["get", name]).encode(): str(n).encode() for name, n in results.items()}
        counts[OPERATIONS.series_field(["put", "hit"]).encode()] = b"1000"
    layouts = [gauge, *([OPERATIONS] if results is not None else [])]
    replies = (size or 0, int(size is not None))
    snapshot = Snapshot(
        9, None, {}, tuple(StoredDefinition(layout, 1, 1) for layout in layouts), {OPERATIONS.field: counts},
        {f"w {compact_json([gauge.name, gauge.layout, []])}".encode(): f"{set_us} 0.5".encode()}, {},
        {SIZE.family: (SIZE, replies), HIT_RATE.family: (HIT_RATE, ())},
    )  # fmt: skip
    families = Families(snapshot)
    return families.family(families.sources[gauge.name]).samples


UNTOUCHED = [Sample("", (), 0.5)]


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
    assert shown(RATE_GAUGE, results) == [Sample("", (), rate)]


def test_what_replicas_set_is_left_alone() -> None:
    """A gauge that anybody ever set keeps its samples."""
    for gauge in (SIZE_GAUGE, RATE_GAUGE):
        assert shown(gauge, {"hit": 1}, 7, set_us=5) == UNTOUCHED


def test_what_is_not_there_is_not_invented() -> None:
    """Another gauge stays as it is; so does the size without a cache, and the rate where nobody counts operations."""
    assert shown(OTHER, {"hit": 1}, 7) == UNTOUCHED
    assert shown(SIZE_GAUGE, {}) == UNTOUCHED
    assert shown(SIZE_GAUGE, {}, 7) == [Sample("", (), 7)]
    assert shown(RATE_GAUGE, None, 7) == UNTOUCHED


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
