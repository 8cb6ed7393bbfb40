"""What a view shows of the last sighting: numbers without a format, each computed here and nowhere else."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from fleetmeter.watching.sighting import Sighting, Watch
from fleetmeter.watching.totals import Totals

REQUESTS, ERRORS, IN_PROGRESS = "http_requests_total", "errors_total", "http_requests_in_progress"
FALLBACKS, TOKENS = "model_fallbacks_total", "openai_tokens_used_sum"
CALLS, COST = "openai_api_calls_total", "openai_total_cost_usd_total"
UNPRICED = "openai_unpriced_calls_total"
CACHE, HIT_RATE, CACHE_SIZE = "prompt_cache_operations_total", "prompt_cache_hit_rate", "prompt_cache_size"
FLUSHES, FLUSH_ERRORS = "fleetmeter_flushes_total", "fleetmeter_flush_errors_total"
LOST, RETAINED = "fleetmeter_lost_batches_total", "fleetmeter_retained_bytes"
OF_REPLICA, ERRORS_OF_REPLICA = "replica_requests", "replica_errors"


@dataclass(frozen=True)
class Replica:
    """One process that records. `silent` is the seconds since its last sign of life. None: not recorded."""

    name: str
    pid: str
    version: str
    alive: bool
    silent: float
    requests: int | None
    per_second: float | None
    errors: int | None


@dataclass(frozen=True)
class Model:
    """One model: its calls, and their cost in nano-dollars; None if no cost is recorded."""

    name: str
    calls: int
    cost: int | None


@dataclass(frozen=True)
class Figures:
    """The fleet's numbers at the last sighting. None means that nobody records it, or that it is not known yet.

    Money is in nano-dollars, `per_hour` of it in nano-dollars per hour, other rates are per second. `errors` are
    requests that were answered with 500 or above; for a service without HTTP, its `errors_total`. `oldest_write` is
    the longest silence of a living replica, in seconds.
    """

    replicas: tuple[Replica, ...]
    requests: int | None
    requests_per_second: float | None
    in_progress: int | None
    errors: int | None
    fallbacks: int | None
    tokens: Mapping[str, int] | None
    tokens_per_second: float | None
    cost: int | None
    per_hour: float | None
    hit_ratio: float | None
    cache_size: int | None
    models: tuple[Model, ...]
    flushes: int | None
    flushes_per_second: float | None
    flush_errors: Mapping[str, int] | None
    lost_batches: int | None
    retained_bytes: float | None
    oldest_write: float | None


def figures(watch: Watch, now: Sighting) -> Figures:
    """The numbers of a watch's last sighting."""
    totals = now.totals
    known = totals.has(COST)
    each_second = watch.rate(partial(Totals.nanodollars, name=COST)) if known else None
    silences = [(now.snapshot.taken_us - now.snapshot.rows[writer].heartbeat_us) / 1e6 for writer in now.snapshot.alive]
    return Figures(
        replicas=_replicas(watch, now),
        requests=_total(totals, REQUESTS),
        requests_per_second=_rate(watch, totals, REQUESTS),
        in_progress=_total(totals, IN_PROGRESS),
        errors=failed(totals),
        fallbacks=_total(totals, FALLBACKS),
        tokens=totals.by("type", TOKENS) if totals.has(TOKENS) else None,
        tokens_per_second=_rate(watch, totals, TOKENS),
        cost=totals.nanodollars(COST) if known else None,
        per_hour=None if each_second is None else each_second * 3600,
        hit_ratio=_hit_ratio(totals),
        cache_size=_total(totals, CACHE_SIZE),
        models=_models(totals),
        flushes=_total(totals, FLUSHES),
        flushes_per_second=_rate(watch, totals, FLUSHES),
        flush_errors=totals.by("reason", FLUSH_ERRORS) if totals.has(FLUSH_ERRORS) else None,
        lost_batches=_total(totals, LOST),
        retained_bytes=totals.value(RETAINED) if totals.has(RETAINED) else None,
        oldest_write=max(0.0, *silences) if silences else None,
    )


def failed(totals: Totals) -> int | None:
    """Requests that were answered with 500 or above; for a service without HTTP, its `errors_total`."""
    if not totals.has(REQUESTS):
        return _total(totals, ERRORS)
    return sum(count for status, count in totals.by("status", REQUESTS).items() if is_failure(status))


def is_failure(status: str) -> bool:
    """Whether a request with this status was failed by the service: 500 or above."""
    return status.startswith("5")


def _replicas(watch: Watch, now: Sighting) -> tuple[Replica, ...]:
    """Living ones first, each by its name."""
    snapshot, totals = now.snapshot, now.totals
    order = sorted(now.identities, key=lambda item: (item not in snapshot.alive, now.identities[item].name, item))
    found = []
    for writer in order:
        identity = now.identities[writer]
        names = {identity.name, f"{identity.name}-{writer}"}
        found.append(
            Replica(
                identity.replica or writer,
                identity.pid,
                identity.version,
                writer in snapshot.alive,
                max(0.0, (snapshot.taken_us - snapshot.rows[writer].heartbeat_us) / 1e6),
                _total(totals, OF_REPLICA, names),
                _rate(watch, totals, OF_REPLICA, names),
                _total(totals, ERRORS_OF_REPLICA, names),
            )
        )
    return tuple(found)


def _models(totals: Totals) -> tuple[Model, ...]:
    """Those that are called most first."""
    known = totals.has(COST)
    return tuple(
        Model(name, calls, totals.nanodollars(COST, model=name) if known else None)
        for name, calls in totals.by("model", CALLS).most_common()
    )


def _hit_ratio(totals: Totals) -> float | None:
    """Hits per get over the cache's life; the gauge of a service that keeps a cache of its own."""
    gets = totals.total(CACHE, operation="get")
    if gets:
        return totals.total(CACHE, operation="get", result="hit") / gets
    return totals.value(HIT_RATE) if totals.has(HIT_RATE) and not totals.has(CACHE) else None


def _count(totals: Totals, name: str, replicas: set[str] | None = None) -> int:
    """The sum over all series of a name; with `replicas`, only over those whose label `replica` is one of these.

    A replica may have two names there: its own, and that with its writer id behind it.
    """
    if replicas is None:
        return totals.total(name)
    return sum(totals.total(name, replica=replica) for replica in replicas)


def _total(totals: Totals, name: str, replicas: set[str] | None = None) -> int | None:
    return _count(totals, name, replicas) if totals.has(name) else None


def _rate(watch: Watch, totals: Totals, name: str, replicas: set[str] | None = None) -> float | None:
    return watch.rate(partial(_count, name=name, replicas=replicas)) if totals.has(name) else None


def most_common(counts: Mapping[str, int], most: int) -> list[tuple[str, int]]:
    """The largest of some counts, the largest first."""
    return Counter(counts).most_common(most)
