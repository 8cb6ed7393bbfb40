"""The table `[cache]` of the gateway's configuration."""

from dataclasses import dataclass

from fleetmeter_app.tables import Table

_SHORTEST_TTL = 0.001
"""Seconds. The store keeps whole microseconds, and an entry that lives for less than a millisecond helps nobody."""


@dataclass(frozen=True)
class CacheConfig:
    """Bounds of the shared cache.

    `max_entry_bytes` counts an entry as it is stored, compressed and sealed. `sampled` shares answers to requests with
    a temperature above 0, too.
    """

    ttl_seconds: float
    max_entries: int
    max_entry_bytes: int
    sampled: bool = False
    enabled: bool = True


def read_cache(table: Table) -> CacheConfig:
    """The table's values; raises `ConfigError` for what cannot be used."""
    ttl = table.take_number("ttl_seconds")
    if ttl < _SHORTEST_TTL:
        table.refuse("ttl_seconds", f"is {ttl}; it must be at least {_SHORTEST_TTL}, a millisecond")
    cache = CacheConfig(
        ttl_seconds=ttl,
        max_entries=table.take_integer("max_entries", minimum=1),
        max_entry_bytes=table.take_integer("max_entry_bytes", minimum=1),
        sampled=table.take_boolean("sampled", default=False),
        enabled=table.take_boolean("enabled", default=True),
    )
    table.close()
    return cache
