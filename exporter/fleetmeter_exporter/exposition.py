"""The fleet's exposition as bytes, for hand-written `/metrics` routes and for the ASGI app."""

from functools import cache

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, choose_encoder, generate_latest

from fleetmeter_exporter.collector import RedisCollector


def fleet_registry(url: str | None = None, namespace: str | None = None) -> tuple[CollectorRegistry, RedisCollector]:
    """A registry that holds one `RedisCollector` and nothing else."""
    registry = CollectorRegistry(support_collectors_without_names=True)
    return registry, RedisCollector(registry, url=url, namespace=namespace)


@cache
def _default_registry() -> CollectorRegistry:
    return fleet_registry()[0]


def get_metrics() -> bytes:
    """The fleet's families in Prometheus' text format, for the store and namespace that the environment names.

    Raises `SettingError` for an environment that cannot be used. A store that is away shows as `fleetmeter_up 0`.
    """
    return generate_latest(_default_registry())


def get_metrics_content_type() -> str:
    """The Content-Type of what `get_metrics` returns."""
    return CONTENT_TYPE_LATEST


def negotiated(registry: CollectorRegistry, accept: str, names: list[str]) -> tuple[bytes, str]:
    """The exposition in the format that an Accept header asks for, and its Content-Type.

    `names` restricts it to samples of these names, as `name[]` does elsewhere.
    """
    encoder, content_type = choose_encoder(accept)
    source = registry.restricted_registry(names) if names else registry
    return encoder(source), content_type
