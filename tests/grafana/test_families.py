"""The families that the dashboards are built from are those that a scrape serves."""

from typing import Any

from prometheus_client import CollectorRegistry, Info

import fleetmeter
from fleetmeter.instrumentation import HTTPMetrics
from fleetmeter.instrumentation.replica_metrics import replica_gauges
from fleetmeter.llm import REGISTRY, catalogue
from fleetmeter_dashboards.families import DeclaredFamily, declared
from fleetmeter_exporter import RedisCollector
from support.store import StoreAddress


def served(store: StoreAddress) -> dict[str, Any]:
    """One scrape's families by name."""
    registry = CollectorRegistry(support_collectors_without_names=True)
    RedisCollector(registry, url=store.url, namespace=store.namespace)
    return {family.name: family for family in registry.collect()}


def test_the_machinery_is_declared_as_it_is_served(installed: StoreAddress) -> None:
    """Each `fleetmeter_*` family of a scrape has an equal declaration, and each declared one is served."""
    HTTPMetrics(registry=CollectorRegistry()).families.in_progress.inc()
    assert fleetmeter.flush()
    found = {
        name: (family.type, family.unit, family.documentation)
        for name, family in served(installed).items()
        if name.startswith("fleetmeter_")
    }
    ours = {name: family for name, family in declared().items() if name.startswith("fleetmeter_")}
    assert {name: (family.type, family.unit, family.help) for name, family in ours.items()} == found


def test_labels_are_those_that_are_served(installed: StoreAddress) -> None:
    """A gauge for each replica has the label `replica`, an Info its own, a plain family what it declares."""
    replica_gauges().requests.inc()
    catalogue.ERRORS.labels("ValueError", "/ask").inc()
    catalogue.SERVICE.info({"service": "a", "version": "1"})
    assert fleetmeter.flush()
    found = served(installed)
    for name in ("replica_requests", "errors", "service"):
        assert found[name].samples  # more than one, where this process has counted before
        for sample in found[name].samples:
            assert set(sample.labels) == set(declared()[name].labels)
            assert sample.name in declared()[name].series


def test_every_family_of_the_catalogue_is_there() -> None:
    """The catalogue, the middleware's families and the machinery's, each once."""
    found = declared()
    assert {metric._name for metric in dict.fromkeys(REGISTRY._names_to_collectors.values())} <= set(found)  # type: ignore[attr-defined]
    assert {"http_requests", "http_requests_in_progress", "fleetmeter_up", "fleetmeter_flushes"} <= set(found)
    assert isinstance(catalogue.SERVICE, Info)
    assert found["service"] == DeclaredFamily(
        "service", "info", ("service", "version"), "", catalogue.SERVICE._documentation
    )
