"""The interface of prometheus_client's multiprocess mode, for code that was written for it.

Set `prometheus_client.values.ValueClass = RedisValue()` before the first metric is made. Counters, gauges, histograms
and summaries then count for the fleet. `mark_process_dead` is for hooks such as gunicorn's `child_exit`. `remove()`,
`remove_by_labels()` and `clear()` act on the fleet once this process has a series of that metric.

As in the client's own multiprocess mode, Info, Enum and gauge functions stay in their process, because they never ask
for a value. `fleetmeter.install()` covers those, too, and records an observation in one step. You may use both.
"""

import logging
import os
from collections.abc import Callable
from typing import Any

from fleetmeter.errors import StateError, StoreError
from fleetmeter.process.goodbye import say_goodbye_for
from fleetmeter.process.installation import current, join
from fleetmeter.schema.keys import Keys
from fleetmeter.settings import Settings
from fleetmeter.writer.store import Store

log = logging.getLogger("fleetmeter")


def RedisValue(process_identifier: Callable[[], object] = os.getpid) -> type[Any]:  # noqa: N802  the client's own style
    """A value class for `prometheus_client.values.ValueClass` that records into the fleet.

    If `fleetmeter.install()` was called, its settings are used. Otherwise they come from the `FLEETMETER_…` variables,
    and `SettingError` is raised for one that cannot be used. `process_identifier` is called once in each process. Its
    answer is shown instead of the pid, and `mark_process_dead` expects it. Counts do not depend on it: each process
    life has an id of its own.
    """
    value = join(process_identifier).hooks.value

    class FleetValue:
        """One value of a metric; making one gives the cell that stands behind it."""

        _multiprocess = True

        def __new__(cls, *args: Any, **kwargs: Any) -> Any:  # the client wants a class, and its methods the cell
            return value(*args, **kwargs)

    return FleetValue


def mark_process_dead(pid: object) -> None:
    """Stop counting an ended process of this host as living, at once.

    `pid` is its process id, or what its `process_identifier` returned. Its counts stay, and so do its gauges, except
    those of a `live*` mode. Never raises because of the store: without this call a dead process stops counting as
    living 15 s after its last sign of life.
    """
    runtime = current()
    settings = runtime.settings if runtime is not None else Settings.from_env()
    store = Store(settings.url, Keys(settings.namespace), credentials=settings.credentials)
    try:
        say_goodbye_for(str(pid), settings, store)
    except (StoreError, StateError) as error:
        log.warning("fleetmeter: process %s cannot be marked as dead now: %s; in 15 s it counts as dead", pid, error)
    finally:
        store.close()
