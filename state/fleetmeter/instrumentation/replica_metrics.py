"""The `replica_*` gauges: declared when the first application is instrumented, never at import."""

from dataclasses import dataclass
from functools import cache

from prometheus_client import Gauge

from fleetmeter.instrumentation.http_metrics import default_registry


@dataclass(frozen=True, eq=False)
class ReplicaGauges:
    """What each living replica has done since it started: a way to find the sick one."""

    requests: Gauge
    errors: Gauge


@cache
def replica_gauges() -> ReplicaGauges:
    """The two gauges of this process; they stand in the registry of the `http_*` families."""
    return ReplicaGauges(
        requests=Gauge(
            "replica_requests",
            "HTTP requests that each living replica has answered since it started.",
            registry=default_registry(),
            multiprocess_mode="liveall",
        ),
        errors=Gauge(
            "replica_errors",
            "HTTP requests that each living replica has answered with a status of 500 or above since it started.",
            registry=default_registry(),
            multiprocess_mode="liveall",
        ),
    )
