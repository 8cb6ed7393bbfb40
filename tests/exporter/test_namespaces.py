"""Several namespaces behind one exporter: side by side, each told apart, none of them at the cost of another."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from fleetmeter.errors import SettingError
from fleetmeter.schema.definition import Definition
from fleetmeter_exporter import make_asgi_app
from support.exposition import parse, total
from support.scraping import FixedState
from support.store import StoreAddress

REQUESTS = Definition.of("requests", "counter", "Requests.", "", ["code"], [], "")


@pytest.fixture
def both(store: StoreAddress) -> tuple[StoreAddress, StoreAddress]:
    """Two namespaces of one store that count the same."""
    first, second = store, StoreAddress(store.url, f"{store.namespace}-b")
    for address, count in ((first, 7), (second, 5)):
        with FixedState(address) as fixed:
            fixed.family(REQUESTS, {("200",): count})
    return first, second


def scraped(addresses: tuple[StoreAddress, ...], path: str = "/metrics", **headers: str) -> httpx.Response:
    """One request to an exporter of all of them."""
    names = [address.namespace for address in addresses]
    app = make_asgi_app(url=addresses[0].url, namespace=names, telemetry_path="/metrics")

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://exporter") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(send())


def test_each_series_says_whose_it_is(both: tuple[StoreAddress, StoreAddress]) -> None:
    """One family, one help, a series per namespace; so are the exporter's own, but for what is about itself."""
    text = scraped(both).text
    samples = parse(text)
    assert [total(samples, "requests_total", namespace=address.namespace) for address in both] == [7, 5]
    assert text.count("# TYPE requests_total ") == 1
    assert [total(samples, "fleetmeter_up", namespace=address.namespace) for address in both] == [1, 1]
    assert total(samples, "fleetmeter_scrape_series", namespace=both[0].namespace) == 1
    assert ("fleetmeter_scrape_duration_seconds", frozenset()) in samples
    openmetrics = scraped(both, accept="application/openmetrics-text").text
    assert [family.name for family in parse_openmetrics(openmetrics)].count("requests") == 1  # type: ignore[no-untyped-call]


def test_one_namespace_has_no_such_label(both: tuple[StoreAddress, StoreAddress]) -> None:
    """The label is there to tell several apart."""
    assert "namespace=" not in scraped(both[:1]).text


def test_a_label_of_that_name_is_kept_under_another(both: tuple[StoreAddress, StoreAddress]) -> None:
    """As Prometheus does it with labels that a target has itself."""
    spaces = Definition.of("spaces", "counter", "Spaces.", "", ["namespace"], [], "")
    with FixedState(both[1]) as fixed:
        fixed.family(spaces, {("mine",): 3})
    assert f'spaces_total{{exported_namespace="mine",namespace="{both[1].namespace}"}} 3\n' in scraped(both).text


def test_states_under_a_renamed_label_are_a_gauge(both: tuple[StoreAddress, StoreAddress]) -> None:
    """OpenMetrics knows states by a label that has the family's name, and the parser refuses a set without it."""
    states = Definition.of("namespace", "stateset", "States.", "", [], [], "", ["open", "shut"])
    for address in both:
        with FixedState(address) as fixed:
            fixed.writer("w1", "web-1", 1)
            fixed.family(states)
            fixed.gauge(states, "w1", (), '"shut"')
    text = scraped(both, accept="application/openmetrics-text").text
    (found,) = (
        family
        for family in parse_openmetrics(text)  # type: ignore[no-untyped-call]
        if family.name == "namespace"
    )
    assert found.type == "gauge"
    shut = {(one.labels["namespace"], one.value) for one in found.samples if one.labels["exported_namespace"] == "shut"}
    assert shut == {(address.namespace, 1.0) for address in both}
    assert "# TYPE namespace stateset" in scraped(both[:1], accept="application/openmetrics-text").text


def test_a_broken_namespace_hides_no_other(both: tuple[StoreAddress, StoreAddress]) -> None:
    """Its own `fleetmeter_up` is 0, and nothing of it is served; the exporter stays ready for the other."""
    client = both[0].client()
    client.set(both[0].keys.retired, "x")
    client.delete(both[0].keys.writers)
    client.set(both[0].keys.writers, "x")
    client.close()
    samples = parse(scraped(both).text)
    assert [total(samples, "fleetmeter_up", namespace=address.namespace) for address in both] == [0, 1]
    assert {dict(labels)["namespace"] for name, labels in samples if name == "requests_total"} == {both[1].namespace}
    ready = scraped(both, "/-/ready")
    assert ready.status_code == 200
    assert both[0].namespace in ready.text


def test_another_type_of_a_later_named_one_is_left_out(both: tuple[StoreAddress, StoreAddress]) -> None:
    """One family has one type: that of the namespace named first; who is left out says so."""
    for address, kind in zip(both, ("counter", "summary"), strict=True):
        with FixedState(address) as fixed:
            mixed = Definition.of("mixed", kind, "Mixed.", "", [], [], "")
            fixed.family(mixed, {() if kind == "counter" else ("count",): 1})
    samples = parse(scraped(both).text)
    assert {dict(labels)["namespace"] for name, labels in samples if name.startswith("mixed")} == {both[0].namespace}
    found = [
        total(samples, "fleetmeter_last_scrape_error", namespace=address.namespace, reason="conflict")
        for address in both
    ]
    assert found == [0, 1]
    assert [total(samples, "fleetmeter_up", namespace=address.namespace) for address in both] == [1, 1]


def test_a_namespace_is_named_once(store: StoreAddress) -> None:
    """Twice the same would be twice the truth."""
    with pytest.raises(SettingError, match="named twice"):
        make_asgi_app(url=store.url, namespace=["a", "b", "a"])


def test_one_that_hangs_is_too_slow_and_the_other_is_served(
    both: tuple[StoreAddress, StoreAddress], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the scraper's own timeout: what was not read by then is told, what was is there."""
    names = [address.namespace for address in both]
    app: Any = make_asgi_app(url=both[0].url, namespace=names, telemetry_path="/metrics", start_delay=0.01)
    time.sleep(0.02)
    released = threading.Event()
    slow = app._fleets[0]._reader
    for name in ("glance", "read"):  # the first seconds of an exporter, and the scrape
        monkeypatch.setattr(slow, name, _after(released, getattr(slow, name)))

    async def send() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://exporter") as client:
            hurried = await client.get("/metrics", headers={"x-prometheus-scrape-timeout-seconds": "0.3"})
            released.set()
            return [hurried, await client.get("/metrics")]

    hurried, patient = (parse(answer.text) for answer in asyncio.run(send()))
    assert [total(hurried, "fleetmeter_up", namespace=address.namespace) for address in both] == [0, 1]
    errors = {"namespace": both[0].namespace, "reason": "timeout"}
    assert [total(found, "fleetmeter_last_scrape_error", **errors) for found in (hurried, patient)] == [1, 0]
    assert [total(patient, "requests_total", namespace=address.namespace) for address in both] == [7, 5]


def _after(released: threading.Event, read: Callable[..., Any]) -> Callable[..., Any]:
    def wait_and_read(*arguments: Any) -> Any:
        assert released.wait(60)
        return read(*arguments)

    return wait_and_read
