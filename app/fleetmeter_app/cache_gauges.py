"""Size and hit rate of the prompt cache, read with the fleet's counts: what exporters show unless replicas say them.

Imports nothing of the gateway's, as an exporter without its dependencies loads it, too.
"""

from collections.abc import Sequence
from typing import Any

from fleetmeter.connection.multi_exec import Command
from fleetmeter.reader.gauge_read import GaugeRead, Others
from fleetmeter.reader.sample import Sample
from fleetmeter.schema.keys import Keys

_OPERATIONS = "prompt_cache_operations"


def _living(keys: Keys, now_us: int) -> list[Command]:
    return [("ZCOUNT", keys.cache_expiry, f"({now_us}", "+inf"), ("EXISTS", keys.cache_expiry)]


def _size(replies: Sequence[Any], _: Others) -> list[Sample] | None:
    """The number of entries that are alive; nothing if no cache is kept there."""
    living, exists = replies
    return [Sample("", (), living)] if exists else None


def _hit_rate(_: Sequence[Any], others: Others) -> list[Sample] | None:
    """Hits per get over the lifetime of the counts, 0 to 1, and 0 before the first; nothing if nobody counts them."""
    operations = others(_OPERATIONS)
    if operations is None:
        return None
    gets = [(dict(sample.labels), float(sample.value)) for sample in operations]
    gets = [(labels, value) for labels, value in gets if labels.get("operation") == "get"]
    hits = sum(value for labels, value in gets if labels.get("result") == "hit")
    total = sum(value for _, value in gets)
    return [Sample("", (), hits / total if total else 0.0)]


SIZE = GaugeRead("prompt_cache_size", _living, _size)
HIT_RATE = GaugeRead("prompt_cache_hit_rate", lambda _keys, _now_us: (), _hit_rate)
