"""The call shapes of prometheus_client's multiprocess mode, for code that is written for them.

`prometheus_client.values.ValueClass = RedisValue()`, before the first metric is made, lets counters, gauges, histograms
and summaries be the fleet's; `mark_process_dead` is for hooks such as gunicorn's `child_exit`. `remove()` and its kin
act on the fleet once this process has a series of that metric. As with the client's own multiprocess mode, what never
asks for a value stays in its process: Info, Enum and functions. `fleetmeter.install()` covers those too, and makes one
step of an observation; both can be used together.
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

    It joins what `fleetmeter.install()` has set up. Without that it takes its settings from the `FLEETMETER_…`
    variables when it is called, and raises `SettingError` for one that cannot be used. `process_identifier` is called
    once in each process, and its answer stands in the place of the pid, for `mark_process_dead` too. Counts do not
    depend on it: each process life has an identity of its own.
    """
    value = join(process_identifier).hooks.value

    class FleetValue:
        """One value of a metric; making one gives the cell that stands behind it."""

        _multiprocess = True

        def __new__(cls, *args: Any, **kwargs: Any) -> Any:  # the client wants a class, and its methods the cell
            return value(*args, **kwargs)

    return FleetValue


def mark_process_dead(pid: object) -> None:
    """Let a process of this host that has ended no longer count as living, without waiting for its heartbeat to age.

    `pid` is its process id, or what its `process_identifier` returned. Its counts stay, and so do its gauges, except
    those of a `live*` mode. It never raises because of the store: a dead process drops out by itself, 15 s after its
    last sign of life.
    """
    runtime = current()
    settings = runtime.settings if runtime is not None else Settings.from_env()
    store = Store(settings.url, Keys(settings.namespace), credentials=settings.credentials)
    try:
        say_goodbye_for(str(pid), settings, store)
    except (StoreError, StateError) as error:
        log.warning("fleetmeter: process %s cannot be marked as dead: %s; it will be in 15 s", pid, error)
    finally:
        store.close()
