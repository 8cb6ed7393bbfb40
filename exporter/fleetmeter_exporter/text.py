"""The fleet's exposition as bytes, for hand-written `/metrics` routes."""

from functools import lru_cache

from fleetmeter.settings import Settings
from fleetmeter_exporter.exposition.formats import TEXT
from fleetmeter_exporter.fleet import Fleet, fleet_settings
from fleetmeter_exporter.scraper import Scraper


@lru_cache(maxsize=4)
def _scraper_of(settings: Settings) -> Scraper:
    return Scraper([Fleet(settings)])


def get_metrics() -> bytes:
    """The fleet's families in Prometheus' text format, for the fleet of `install()`, or of the environment without it.

    Raises `SettingError` for an environment that cannot be used. A store that is away shows as `fleetmeter_up 0`.
    """
    return _scraper_of(fleet_settings()).scrape()


def get_metrics_content_type() -> str:
    """The Content-Type of what `get_metrics` returns."""
    return TEXT.content_type
