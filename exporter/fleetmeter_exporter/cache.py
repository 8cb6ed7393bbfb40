"""The prompt cache's size and hit rate, from the same snapshot as everything else."""

from fleetmeter.families import Family
from fleetmeter.sample import Sample

SIZE = "prompt_cache_size"
HIT_RATE = "prompt_cache_hit_rate"
_OPERATIONS = "prompt_cache_operations"


def with_cache_state(families: list[Family], cache_size: int | None) -> list[Family]:
    """The families, with the two gauges computed where no replica ever set them.

    The size is the number of live entries in the store; None means that no cache is kept there. The hit rate is hits
    per get over the lifetime of the counts, 0 to 1, and 0 before the first get.
    """
    by_name = {family.definition.name: family for family in families}
    size, rate, operations = by_name.get(SIZE), by_name.get(HIT_RATE), by_name.get(_OPERATIONS)
    if size is not None and not size.ever_set and cache_size is not None:
        size.samples = [Sample("", (), cache_size)]
    if rate is not None and not rate.ever_set and operations is not None:
        rate.samples = [Sample("", (), _hit_rate(operations))]
    return families


def _hit_rate(operations: Family) -> float:
    gets = [(dict(sample.labels), sample.value) for sample in operations.samples]
    gets = [(labels, float(value)) for labels, value in gets if labels.get("operation") == "get"]
    hits = sum(value for labels, value in gets if labels.get("result") == "hit")
    total = sum(value for _, value in gets)
    return hits / total if total else 0.0
