"""Scraping a namespace in this process, and states of fixed content to scrape."""

from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from fleetmeter.schema.definition import Definition, compact_json
from fleetmeter.schema.keys import EPOCH_FIELD, STATE_FORMAT
from fleetmeter_exporter import RedisCollector
from support.exposition import Series, parse
from support.store import StoreAddress

LIVING_US = 4_102_444_800_000_000
"""A heartbeat in the year 2100: a writer that lives, whenever the test runs."""
BIRTH_US = 1_790_000_000_000_000
"""When the fixed states began."""


def scrape(store: StoreAddress) -> dict[Series, float]:
    """One scrape of a namespace."""
    registry = CollectorRegistry(support_collectors_without_names=True)
    RedisCollector(registry, url=store.url, namespace=store.namespace)
    return parse(generate_latest(registry))


class FixedState:
    """Writes a namespace field by field, so that every time in it is known."""

    def __init__(self, store: StoreAddress) -> None:
        self._keys = store.keys
        self._client: Any = store.client()
        self._client.hset(self._keys.writers, EPOCH_FIELD, f"epoch {BIRTH_US} {STATE_FORMAT}")

    def __enter__(self) -> "FixedState":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def writer(self, writer: str, replica: str, pid: int, heartbeat_us: int = LIVING_US) -> None:
        """A row, and who it is."""
        self._client.hset(self._keys.writers, writer, f"5 0 {heartbeat_us} alive")
        self._client.hset(self._keys.writer(writer), mapping={"replica": replica, "pid": str(pid)})

    def family(self, definition: Definition, numbers: dict[tuple[str, ...], object] | None = None) -> None:
        """A definition and its numbers, by label values in the order of sorted names, then the part."""
        text = f"{BIRTH_US} {BIRTH_US} {definition.to_json()}"
        self._client.hset(self._keys.families, definition.field, text)
        if numbers:
            fields = {compact_json(field): str(value) for field, value in numbers.items()}
            self._client.hset(self._keys.family(definition.field), mapping=fields)

    def returned(self, definition: Definition, values: tuple[str, ...], time_us: object) -> None:
        """When a series of these label values came back."""
        telling = definition.series_field(values, "sum" if definition.has_parts else None)
        self._client.hset(self._keys.returned, f"{definition.field} {telling}", str(time_us))

    def gauge(self, definition: Definition, writer: str, values: tuple[str, ...], text: str, set_us: int = 5) -> None:
        """One writer's value."""
        field = f"{writer} {compact_json([definition.name, definition.layout, values])}"
        self._client.hset(self._keys.gauges, field, f"{set_us} {text}")
