"""The prompt cache's size and hit rate, from the same snapshot as everything else."""

from collections.abc import Iterable

from fleetmeter.reader.families import Families, Family
from fleetmeter.reader.sample import Sample

SIZE = "prompt_cache_size"
HIT_RATE = "prompt_cache_hit_rate"
_OPERATIONS = "prompt_cache_operations"


def with_cache_state(family: Family, families: Families) -> Family:
    """The family; computed, if it is one of the two gauges and no replica ever set it.

    The size is the number of live entries in the store, where a cache is kept there. The hit rate is hits per get over
    the lifetime of the counts, 0 to 1, and 0 before the first get. Raises `StateError` as `Families.family`.
    """
    if family.ever_set or family.definition.type != "gauge" or family.definition.name not in (SIZE, HIT_RATE):
        return family
    operations = families.sources.get(_OPERATIONS)
    if family.definition.name == SIZE and families.snapshot.cache_size is not None:
        family.samples = [Sample("", (), families.snapshot.cache_size)]
    elif family.definition.name == HIT_RATE and operations is not None:
        family.samples = [Sample("", (), _hit_rate(families.family(operations).samples))]
    return family


def _hit_rate(operations: Iterable[Sample]) -> float:
    gets = [(dict(sample.labels), float(sample.value)) for sample in operations]
    gets = [(labels, value) for labels, value in gets if labels.get("operation") == "get"]
    hits = sum(value for labels, value in gets if labels.get("result") == "hit")
    total = sum(value for _, value in gets)
    return hits / total if total else 0.0
