"""The fleet's exposition as bytes, for hand-written `/metrics` routes."""

from functools import lru_cache

from fleetmeter_exporter.exposition.formats import TEXT
from fleetmeter_exporter.fleet import fleet_settings
from fleetmeter_exporter.scraper import Scraper


@lru_cache(maxsize=4)
def _scraper_of(url: str, namespace: str) -> Scraper:
    return Scraper.of(url, [namespace])


def get_metrics() -> bytes:
    """The fleet's families in Prometheus' text format, for the fleet of `install()`, or of the environment without it.

    Raises `SettingError` for an environment that cannot be used. A store that is away shows as `fleetmeter_up 0`.
    """
    settings = fleet_settings()
    return _scraper_of(settings.url, settings.namespace).scrape()


def get_metrics_content_type() -> str:
    """The Content-Type of what `get_metrics` returns."""
    return TEXT.content_type
