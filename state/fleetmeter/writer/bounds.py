"""The bound on a replica's own gauges. What the fleet adds up is bounded in the store (lua/apply.lua)."""

from collections import Counter

from fleetmeter.schema.keys import family_field
from fleetmeter.values.batch import Batch, GaugeName


class GaugeBound:
    """Which label sets of gauges, infos and state sets this replica shows: the first `limit` of each family.

    A label set that was shown stays. If one is removed, another takes its place when it is set next.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._shown: dict[str, set[GaugeName]] = {}

    def hold(self, batch: Batch) -> Counter[str]:
        """Take what is too much out of a batch. Returns how many values that were, by family."""
        for name in batch.unset:
            self._of(name).discard(name)
        dropped: Counter[str] = Counter()
        for name in list(batch.gauges):
            shown = self._of(name)
            if name not in shown and len(shown) >= self._limit:
                dropped[name[0]] += 1
                del batch.gauges[name]
            else:
                shown.add(name)
        return dropped

    def _of(self, name: GaugeName) -> set[GaugeName]:
        family, layout, _ = name
        return self._shown.setdefault(family_field(family, layout), set())
