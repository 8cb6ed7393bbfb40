"""What somebody else writes into a namespace and takes away again leaves no trace in an exporter."""

import re
from random import Random
from typing import Any

import pytest

from fleetmeter.schema.definition import Definition, compact_json
from fleetmeter.schema.keys import EPOCH_FIELD
from fleetmeter_exporter.scraper import Scraper
from support.exposition import parse, total
from support.scraping import BIRTH_US, FixedState
from support.store import StoreAddress

PLAIN = Definition.of("hits", "counter", "Hits.", "", (), (), "")
COUNTER = Definition.of("orders", "counter", "Orders.", "", ("country",), (), "")
MONEY = Definition.of("revenue_usd", "counter", "Revenue.", "usd", ("country", "shop"), (), "")
HISTOGRAM = Definition.of("took_seconds", "histogram", "Time.", "seconds", ("way",), ("0.1", "+Inf"), "")
SUMMARY = Definition.of("size", "summary", "Size.", "", ("way",), (), "")
GAUGE = Definition.of("level", "gauge", "Level.", "", ("tank",), (), "sum")
FAMILIES = (PLAIN, COUNTER, MONEY, HISTOGRAM, SUMMARY, GAUGE)

STRAY_FIELDS = (
    b"not json", b"", b"\xff\xfe", b'"at"', b"[1]", b"[null]", b'["at"', b'at"]', b'["at","x","y","z"]', b'[["at"]]',
    b'{"country":"at"}', b'["at","NaN"]', b'["at","x"]', b'["\\ud800"]', b"[" * 3000, b"orders", b"orders:12345678",
    b'orders:12345678 ["at"]', b"@", b"@later", b'stray ["orders","x",["at"]]', b"stray x", b"17",
)  # fmt: skip
STRAY_TEXTS = (b"1", b"", b"not a number", b"\xff", b"1 2", b"inf", b"nan", b"-", b"1e", b"9" * 5000, b"[1]", b"{}")
BROKEN_TEXTS = tuple(text for text in STRAY_TEXTS if not text.isdigit())
"""What takes the place of a number must be none: a higher one would have been served, and so may not go down."""


def filled(store: StoreAddress) -> FixedState:
    """A namespace with something in each of its hashes."""
    state = FixedState(store)
    state.writer("w", "shop", 7)
    state.family(PLAIN, {(): 4})
    state.family(COUNTER, {("at",): 3, ("de",): 2.5})
    state.family(MONEY, {("at", "x"): 3_000, ("de", "y"): 5})
    state.family(HISTOGRAM, {("a", "0.1"): 3, ("a", "+Inf"): 1, ("a", "sum"): 900})
    state.family(SUMMARY, {("a", "count"): 3, ("a", "sum"): 12})
    state.family(GAUGE)
    state.gauge(GAUGE, "w", ("north",), "2.5")
    state.returned(COUNTER, ("at",), BIRTH_US + 5)
    client, keys = store.client(), store.keys
    client.hset(keys.retired, mapping={EPOCH_FIELD: client.hget(keys.writers, EPOCH_FIELD), "gone": "3 0 5 6"})
    client.hset(keys.exemplars, f'{COUNTER.field} ["at"]', '5 [1,{"trace":"x"},5]')
    client.hset(keys.removed, f'{COUNTER.field} ["it"]', str(BIRTH_US + 5))
    client.hset(keys.sizes, keys.family(HISTOGRAM.field), "1 3")
    client.close()
    return state


def text(scraper: Scraper) -> bytes:
    """What is served, but for how long it took."""
    return re.sub(rb"(fleetmeter_scrape_duration_seconds) \S+", rb"\1", scraper.scrape())


def hashes(store: StoreAddress) -> list[str]:
    """Every hash of the namespace."""
    keys = store.keys
    return [*keys.fixed, keys.writer("w"), *(keys.family(family.field) for family in FAMILIES)]


def disturb(client: Any, key: str, random: Random) -> dict[bytes, bytes | None]:
    """Write strange fields and texts into a hash; what stood there, None for nothing."""
    there = client.hgetall(key)
    before = {}
    for _ in range(random.randint(1, 3)):
        field = random.choice((*STRAY_FIELDS, *there)) if there else random.choice(STRAY_FIELDS)
        before[field] = there.get(field)
        client.hset(key, field, random.choice(BROKEN_TEXTS if field in there else STRAY_TEXTS))
    return before


def put_right(client: Any, key: str, before: dict[bytes, bytes | None]) -> None:
    """Leave the hash as it was."""
    for field, was in before.items():
        if was is None:
            client.hdel(key, field)
        else:
            client.hset(key, field, was)


@pytest.mark.parametrize("created", [False, True])
def test_an_exporter_that_saw_strange_fields_is_as_a_fresh_one(store: StoreAddress, *, created: bool) -> None:
    """Whatever stood in whichever hash for a scrape: once it is gone, what is served is what a new one serves."""
    random = Random(12)
    with filled(store):
        client = store.client()
        old = Scraper.of(store.url, [store.namespace], created=created)
        good = text(old)
        assert good == text(Scraper.of(store.url, [store.namespace], created=created))
        for _ in range(150):
            changed = [(key, disturb(client, key, random)) for key in random.sample(hashes(store), 2)]
            during = text(old)
            for key, before in reversed(changed):
                put_right(client, key, before)
            assert (changed, text(old)) == (changed, good), during.decode()
        client.close()


def test_a_field_that_is_no_series_is_not_put_back(store: StoreAddress) -> None:
    """While it is there the family is told to be unreadable; once it is deleted everything is served again."""
    with filled(store):
        client = store.client()
        scraper = Scraper.of(store.url, [store.namespace])
        for served_before in (False, True):
            if served_before:
                assert total(parse(scraper.scrape().decode()), "orders_total") == 5.5
            client.hset(store.keys.family(COUNTER.field), "not json", 1)
            samples = parse(scraper.scrape().decode())
            assert (total(samples, "fleetmeter_up"), total(samples, "orders_total")) == (0, 0)
            client.hdel(store.keys.family(COUNTER.field), "not json")
            samples = parse(scraper.scrape().decode())
            assert (total(samples, "fleetmeter_up"), total(samples, "orders_total")) == (1, 5.5)
            assert total(samples, "fleetmeter_counts_behind") == 0
        client.close()


def test_halves_of_a_letter_are_no_texts(store: StoreAddress) -> None:
    """Two statements that only one behind the other are UTF-8 are told of, and everything else is served."""
    with filled(store):
        client = store.client()
        for value, half in (("east", b"5 \xc3"), ("west", b"5 \xa9")):
            client.hset(store.keys.gauges, f"w {compact_json([GAUGE.name, GAUGE.layout, [value]])}", half)
        samples = parse(Scraper.of(store.url, [store.namespace]).scrape().decode())
        assert (total(samples, "fleetmeter_up"), total(samples, "orders_total")) == (0, 5.5)
        client.close()


def test_what_was_served_before_a_family_became_unreadable_stays_the_floor(store: StoreAddress) -> None:
    """A number that grew and fell again while nothing of its family was served is no loss; one below the served is."""
    with filled(store):
        client, key = store.client(), store.keys.family(COUNTER.field)
        scraper = Scraper.of(store.url, [store.namespace])
        scraper.scrape()
        client.hset(key, mapping={"not json": 1, '["at"]': 30})
        scraper.scrape()
        client.hdel(key, "not json")
        client.hset(key, '["at"]', 5)
        samples = parse(scraper.scrape().decode())
        assert (total(samples, "orders_total", country="at"), total(samples, "fleetmeter_counts_behind")) == (5, 0)
        client.hset(key, '["at"]', 4)
        samples = parse(scraper.scrape().decode())
        assert (total(samples, "orders_total", country="at"), total(samples, "fleetmeter_counts_behind")) == (5, 1)
        client.close()
