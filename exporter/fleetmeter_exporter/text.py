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
    """The fleet's families in Prometheus' text format.

    The fleet is that of `install()`, or of the environment if `install()` was not called. Raises `SettingError` for a
    variable that cannot be used. If the store is away, the text says `fleetmeter_up 0`.
    """
    return _scraper_of(fleet_settings()).scrape()


def get_metrics_content_type() -> str:
    """The Content-Type of the text that `get_metrics` returns."""
    return TEXT.content_type
