"""The call shapes of prometheus_client's multiprocess mode, for code that is written for them.

`prometheus_client.values.ValueClass = RedisValue()`, before the first metric is made, lets counters, gauges, histograms
and summaries be the fleet's; `mark_process_dead` is for hooks such as gunicorn's `child_exit`. As with the client's own
multiprocess mode, what never asks for a value stays in its process: Info, Enum, functions and removals.
`fleetmeter.install()` covers those too, and makes one step of an observation; both can be used together.
"""

import os
from collections.abc import Callable
from typing import Any

from fleetmeter.connection.client import connect, translated
from fleetmeter.errors import StateError, StoreError
from fleetmeter.process.installation import current, join
from fleetmeter.schema.keys import EPOCH_FIELD, Keys
from fleetmeter.schema.rows import Epoch, Row
from fleetmeter.settings import Settings
from fleetmeter.writer.messages import Apply
from fleetmeter.writer.store import Store
from fleetmeter.writer.telemetry import log


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

    `pid` is its process id, or what its `process_identifier` told. Its counts stay, and so do its gauges but for those
    of a `live*` mode. It never raises because of the store: a dead process drops out by itself, 15 s after its last
    sign of life.
    """
    runtime = current()
    settings = runtime.settings if runtime is not None else Settings.from_env()
    store = Store(settings.url, Keys(settings.namespace), credentials=settings.credentials)
    try:
        _say_goodbye_for(str(pid), settings, store)
    except (StoreError, StateError) as error:
        log.warning("fleetmeter: process %s cannot be marked as dead: %s; it will be in 15 s", pid, error)
    finally:
        store.close()


def _say_goodbye_for(pid: str, settings: Settings, store: Store) -> None:
    client: Any = connect(settings.url, store.keys.writers, settings.credentials)
    try:
        with translated():
            hash_of_writers = client.hgetall(store.keys.writers)
            rows = {
                raw.decode(): Row.parse(raw.decode(), text.decode())
                for raw, text in hash_of_writers.items()
                if not raw.startswith(b"@")
            }
            living = [writer for writer, row in rows.items() if not row.said_goodbye]
            pipeline = client.pipeline(transaction=False)
            for writer in living:
                pipeline.hmget(store.keys.writer(writer), "replica", "pid")
            names = pipeline.execute()
    finally:
        client.close()
    epoch = hash_of_writers.get(EPOCH_FIELD.encode(), b"").decode()
    wanted = [settings.replica.encode(), pid.encode()]
    for writer, name in zip(living, names, strict=True):
        if name == wanted:
            row = rows[writer]  # where it has changed by now, the writer lives, and nothing is changed
            store.apply(Apply(Epoch.parse(epoch).id, writer, row.applied, row.applied, row.given_up, goodbye=True))
