"""The fleet's exposition as bytes, for hand-written `/metrics` routes and for the ASGI app."""

from functools import lru_cache

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, choose_encoder, generate_latest

from fleetmeter.continuity import HOLD
from fleetmeter_exporter.collector import RedisCollector, fleet_settings


def fleet_registry(
    url: str | None = None, namespace: str | None = None, hold: float = HOLD
) -> tuple[CollectorRegistry, RedisCollector]:
    """A registry that holds one `RedisCollector` and nothing else."""
    registry = CollectorRegistry(support_collectors_without_names=True)
    return registry, RedisCollector(registry, url=url, namespace=namespace, hold=hold)


@lru_cache(maxsize=4)
def _registry_of(url: str, namespace: str) -> CollectorRegistry:
    return fleet_registry(url, namespace)[0]


def get_metrics() -> bytes:
    """The fleet's families in Prometheus' text format, for the fleet of `install()`, or of the environment without it.

    Raises `SettingError` for an environment that cannot be used. A store that is away shows as `fleetmeter_up 0`.
    """
    settings = fleet_settings()
    return generate_latest(_registry_of(settings.url, settings.namespace))


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
