"""The stand-alone exporter: reads the fleet's numbers from Redis on each scrape."""

from fleetmeter.reader.gauge_read import GaugeRead
from fleetmeter.reader.sample import Sample
from fleetmeter_exporter.asgi import make_asgi_app
from fleetmeter_exporter.collector import RedisCollector
from fleetmeter_exporter.text import get_metrics, get_metrics_content_type

__all__ = ["GaugeRead", "RedisCollector", "Sample", "get_metrics", "get_metrics_content_type", "make_asgi_app"]
