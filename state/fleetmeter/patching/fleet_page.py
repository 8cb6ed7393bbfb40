"""The page of prometheus_client's multiprocess mode that a program serves itself: under fleetmeter it shows the fleet.

Their `MultiProcessCollector` adds up files that processes write. Our cells write none, so the page would become empty,
or would stay as it was. The exporter's collector takes its place. This library comes without the exporter and never
imports it. At the first scrape it looks the exporter up by name: then the process serves, and somebody asks.
"""

import importlib
import logging
import os
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

log = logging.getLogger("fleetmeter")

_EXPORTER = "fleetmeter_exporter"


def fleet_collect(original: Callable[[Any], Iterable[Any]]) -> Callable[[Any], Iterable[Any]]:
    """`MultiProcessCollector.collect` that yields the fleet's families; the stock one if there is no exporter."""
    collectors: dict[int, Any] = {}  # by process: a forked child must not share its parent's connection, nor its locks

    @wraps(original)
    def collect(collector: Any) -> Iterable[Any]:
        pid = os.getpid()
        fleet = collectors.get(pid, collectors)
        if fleet is collectors:  # not looked for in this process
            fleet = _collector()
            collectors.clear()
            collectors[pid] = fleet
        return original(collector) if fleet is None else fleet.collect()

    return collect


def _collector() -> Any:
    """The exporter's collector for the fleet that this process records into; None and a warning if there is none."""
    try:
        return importlib.import_module(_EXPORTER).RedisCollector()
    except ImportError as error:
        log.warning(
            "fleetmeter: the page of prometheus_client's multiprocess mode that this program serves does not change "
            "any more, because its numbers are in the store now: scrape fleetmeter-exporter instead; or let the page "
            "show the fleet, by pip install 'fleetmeter[exporter]' here (%s)",
            error,
        )
        return None
