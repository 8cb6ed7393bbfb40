"""A fleet that is watched for long: the last sighting, the hour before it, and what they mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fleetmeter.errors import FleetmeterError
from fleetmeter.watching.figures import CACHE_SIZE, CALLS, COST, REQUESTS, Figures, figures, is_failure
from fleetmeter.watching.history import History, Step
from fleetmeter.watching.measures import DURATIONS, REQUEST_SECONDS
from fleetmeter.watching.periods import Periods, Spent
from fleetmeter.watching.quantile import QUANTILES, quantile
from fleetmeter.watching.sighting import Sighting, Watch
from fleetmeter.watching.target import Target
from fleetmeter.watching.trust import Trust, judge

RECENT = 60.0
"""Seconds whose mean is what views call now."""


@dataclass(frozen=True)
class Pace:
    """The last minute, or what is known of it: `seconds` long. None: nothing is recorded, or nothing came.

    Rates are per second, `per_hour` is in nano-dollars, `latency` in seconds by `p50`, `p95` and `p99`. `failing` is
    the share of requests that the service failed, `calls_failing` that of model calls; each lies between 0 and 1.
    """

    seconds: float
    per_hour: float | None
    requests: float | None
    failing: float | None
    calls: float | None
    calls_failing: float | None
    tokens: Mapping[str, float]
    hit_ratio: float | None
    latency: Mapping[str, float | None]


class Overview:
    """Watches a fleet. `failures` are sentences of others that forbid to trust the numbers."""

    def __init__(self, target: Target) -> None:
        self.watch = Watch(target, buckets_of=DURATIONS)
        self.history = History()
        self.periods = Periods()
        self.failures: Sequence[str] = ()

    def look(self) -> None:
        """Read the store once, and take what was read. If that fails, the last sighting stays."""
        self.take(self.watch.sight())

    def take(self, found: Sighting | FleetmeterError) -> None:
        """Take what `watch.sight()` returned. It takes no time, and belongs into the thread that shows the numbers."""
        self.watch.take(found)
        if isinstance(found, Sighting):
            self.history.add(found, _levels(found))
            self.periods.add(found)

    @property
    def figures(self) -> Figures | None:
        """The numbers of the last sighting; None before the first."""
        return None if self.watch.now is None else figures(self.watch, self.watch.now)

    @property
    def birth(self) -> float | None:
        """When counting began, in seconds since 1970; None if nobody has recorded."""
        now = self.watch.now
        return None if now is None or now.snapshot.epoch is None else now.snapshot.epoch.birth_us / 1e6

    @property
    def trust(self) -> Trust:
        """Whether the numbers are the fleet's."""
        return judge(self.watch, self.history, self.failures)

    @property
    def spent(self) -> Mapping[str, Spent]:
        """What `today` and the `month` cost."""
        return self.periods.spent

    @property
    def pace(self) -> Pace | None:
        """The last minute; None before the second sighting."""
        last, now = self.history.last(RECENT), self.watch.now
        if last is None or now is None or last.seconds <= 0:
            return None
        return _pace(last, now)

    def close(self) -> None:
        """Close the connections."""
        self.watch.close()


def _levels(now: Sighting) -> dict[str, float]:
    found = {"replicas": float(len(now.snapshot.alive)), "read": now.took}
    if now.totals.has(CACHE_SIZE):
        found["cache_size"] = now.totals.value(CACHE_SIZE)
    return found


def _pace(last: Step, now: Sighting) -> Pace:
    totals = now.totals
    requests = last.amount("requests")
    asked = sum(requests.values())
    failures = sum(count for status, count in requests.items() if is_failure(status))
    calls, call_errors = sum(last.amount("calls").values()), sum(last.amount("call_errors").values())
    cache = last.amount("cache")
    gets = sum(cache.values())
    return Pace(
        last.seconds,
        sum(last.amount("cost").values()) / last.seconds * 3600 if totals.has(COST) else None,
        asked / last.seconds if totals.has(REQUESTS) else None,
        failures / asked if asked else None,
        calls / last.seconds if totals.has(CALLS) else None,
        call_errors / calls if calls else None,
        {kind: count / last.seconds for kind, count in last.amount("tokens").most_common()},
        cache["hit"] / gets if gets else None,
        {name: quantile(share, last.amount(REQUEST_SECONDS)) for name, share in QUANTILES.items()},
    )
