"""Families in both formats, as an exporter writes them out: exact, and the same text before and after a conversion."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from fleetmeter.schema.definition import Definition
from fleetmeter.writer.conversion import Converter
from fleetmeter_exporter.exposition.exposition import Exposition
from fleetmeter_exporter.exposition.formats import TEXT, Format
from fleetmeter_exporter.fleet import Fleet, fleet_settings
from fuzz.comparison import check
from fuzz.expected import expected
from support.fleet import Replica
from support.store import StoreAddress

LOAD = Definition.of("load", "counter", "Load.", "", ("k",), (), "")
PAID = Definition.of("paid_usd", "counter", "Paid.", "usd", ("k",), (), "")
SIZE = Definition.of("size", "histogram", "Sizes.", "", ("k",), ("0.5", "2.0", "+Inf"), "")


@pytest.fixture
def pair(store: StoreAddress) -> Iterator[tuple[Replica, Replica]]:
    """A writer of fields, and one that packs."""
    replicas = Replica(store, packs=False), Replica(store)
    yield replicas
    for replica in replicas:
        replica.close()


def lines(body: str) -> list[str]:
    """The samples of our families, in their order."""
    return [line for line in body.splitlines() if line.startswith(("load", "paid", "size"))]


@pytest.mark.parametrize("form", [TEXT, Format(True, "1.0.0")], ids=["text", "openmetrics"])
@pytest.mark.parametrize("created", [False, True])
def test_a_conversion_changes_no_line(
    store: StoreAddress, pair: tuple[Replica, Replica], form: Format, *, created: bool
) -> None:
    """Sums of both formats have all their digits and no more; a step of a conversion changes no byte of a sample."""
    for replica, amounts in zip(pair, ((4.2, 1, 0.30000000000000004), (1e-7, 2, 0.25)), strict=True):
        packed = replica is pair[1]
        for key, amount in zip("abc", amounts, strict=True):
            for layout in (LOAD, PAID, SIZE):
                kind = layout.twin if packed and layout.twin is not None else layout
                part = "sum" if layout is SIZE else None
                replica.cell(kind, [key], part).inc(amount)
                if part:
                    replica.cell(kind, [key], "2.0").inc(1)
        assert replica.flush()
    assert pair[0].flusher.flush(5.0, goodbye=True)
    exposition = Exposition(form, created=created)
    with closing(Fleet(fleet_settings(store.url, store.namespace), created=created)) as fleet:

        def body() -> list[str]:
            text = exposition.text([fleet.scrape()], 0.0).decode()
            with closing(Fleet(fleet_settings(store.url, store.namespace), created=created)) as other:
                check(text, expected([other.scrape()], form, created=created))
            return lines(text)

        before = body()
        assert 'load_total{k="a"} 4.2000001' in before
        assert 'load_total{k="b"} 3' in before
        assert body() == before
        converter, new = Converter(pair[1].store, lambda: 0.0), pair[1]
        client = store.client()
        with closing(client):
            seconds, micros = client.time()
        converter.find(new.writer.id, seconds * 10**6 + micros)
        while converter.step(new.writer.epoch or "", new.writer.id):
            assert body() == before
        assert body() == before
        assert fleet.scrape().errors == {}
