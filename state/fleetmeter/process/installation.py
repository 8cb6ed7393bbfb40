"""The one runtime that this process has, from `install()` to `uninstall()`, and what callers may ask of it."""

import atexit
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from fleetmeter.errors import InstallError
from fleetmeter.keywords import names_its_arguments
from fleetmeter.process.forks import Forks
from fleetmeter.process.patience import EXIT_TIMEOUT

if TYPE_CHECKING:  # whoever imports fleetmeter and installs nothing need not wait for redis-py
    from fleetmeter.connection.provider import CredentialProvider
    from fleetmeter.process.runtime import Runtime

_lock = threading.Lock()
_current: "Runtime | None" = None
_forks: Forks | None = None


def current() -> "Runtime | None":
    """The runtime of this process; None before `install()` and after `uninstall()`."""
    return _current


@names_its_arguments
def install(
    *,
    url: str | None = None,
    namespace: str | None = None,
    flush_interval: float | None = None,
    replica: str | None = None,
    max_series: int | None = None,
    credential_provider: "CredentialProvider | None" = None,
) -> None:
    """Make every metric of prometheus_client in this process a metric of the fleet.

    `url` is the store's (`redis://`, `rediss://`, `unix://`, `redis+sentinel://h1,h2,h3/service/db`,
    `redis+cluster://h1,h2,h3`, and the same with `valkey`), `namespace` separates fleets in one store,
    `flush_interval` is in seconds, `replica` names this process' host, `max_series` is the number of label sets that a
    family may hold: what comes on top goes to one series whose label values are `__overflow__`, and of gauges this
    process shows no more. Each has an environment twin: FLEETMETER_REDIS_URL, FLEETMETER_NAMESPACE,
    FLEETMETER_FLUSH_INTERVAL, FLEETMETER_REPLICA, FLEETMETER_MAX_SERIES (10000). A URL without a password
    takes it from FLEETMETER_REDIS_PASSWORD or FLEETMETER_REDIS_PASSWORD_FILE, and its user, where it names none, from
    FLEETMETER_REDIS_USERNAME.

    `credential_provider` is for tokens that expire: a function without arguments that returns `(user, password)`, or an
    object of redis-py's kind. It is called for each new connection, in whatever thread makes that. If it raises, the
    connection fails as with a wrong password, and what was recorded is kept and sent later. Its twin
    FLEETMETER_REDIS_CREDENTIAL_PROVIDER names it as `module:function`.

    No connection is made before the first record. Raises `SettingError` for a setting that cannot be used, and
    `InstallError` when installed already with other settings; with the same ones it does nothing.
    """
    from fleetmeter.process.runtime import Runtime
    from fleetmeter.settings import Settings

    settings = Settings.from_env(
        url=url,
        namespace=namespace,
        flush_interval=flush_interval,
        replica=replica,
        max_series=max_series,
        credential_provider=credential_provider,
    )
    with _lock:
        if _current is None:
            runtime = Runtime(settings)
            runtime.hook()  # before the machinery is made: its own metrics are the fleet's too
            _enter(runtime)
        elif _current.settings == settings:
            _current.hook()
        else:
            raise InstallError(
                "fleetmeter is installed with other settings; call uninstall() first, or install() once, with one set"
            )


def forget_family(metric: object) -> None:
    """Let the store not know of a metric's family, if nothing of it was handed over; its place was taken by another."""
    runtime = _current
    if runtime is not None:
        runtime.hooks.undefine(metric)


def join(identify: Callable[[], object]) -> "Runtime":
    """The runtime of this process; if there is none, one that leaves new metrics alone, by the environment's settings.

    Raises `SettingError` for a setting that cannot be used.
    """
    from fleetmeter.process.runtime import Runtime
    from fleetmeter.settings import Settings

    with _lock:
        if _current is None:
            runtime = Runtime(Settings.from_env(), identify)
            runtime.hooks.join()
            return _enter(runtime)
        return _current


def _enter(runtime: "Runtime") -> "Runtime":
    """Make a runtime the one of this process."""
    global _current, _forks
    if _forks is None:
        _forks = Forks(current, _at_end)
    runtime.start(_forks.join_frameworks)
    _current = runtime
    _forks.join_frameworks()
    atexit.register(_at_exit)
    return runtime


def uninstall() -> None:
    """Hand over what is left, then let the metrics go on as stock ones, with this process's own totals."""
    global _current
    with _lock:
        runtime, _current = _current, None
        atexit.unregister(_at_exit)
    if runtime is not None:
        runtime.uninstall()


def flush(timeout: float = 5.0) -> bool:
    """Hand over everything that this process recorded before the call.

    Returns whether the store acknowledged it within `timeout` seconds; what it did not is kept and sent later. False,
    too, while records wait for the end of an `atomic()` block that is open around the caller. True where fleetmeter is
    not installed. Never raises because of the store.
    """
    runtime = _current
    return True if runtime is None else runtime.flush(timeout)


async def aflush(timeout: float = 5.0) -> bool:  # noqa: ASYNC109  the store's deadline, which a cancellation cannot replace
    """`flush` for asynchronous code: it waits in another thread, not in the event loop."""
    import asyncio

    return await asyncio.to_thread(flush, timeout)


def shutdown(timeout: float = EXIT_TIMEOUT) -> bool:
    """Hand over what is left, end the flush thread and close the connection; whether all was acknowledged in time.

    Runs by itself at the interpreter's end. A record made later is handed over too.
    """
    runtime = _current
    return True if runtime is None else runtime.shutdown(timeout)


def hand_over(timeout: float = EXIT_TIMEOUT) -> bool:
    """Hand over what is left and say goodbye, for a process that ends by `os._exit` or goes on as another (`os.execv`).

    Such an end runs no exit functions; call this right before it. Returns whether the store acknowledged everything
    within `timeout` seconds. A process that records again afterwards is a new replica, and may call it again. True
    where fleetmeter is not installed. Never raises because of the store.
    """
    return shutdown(timeout)


def _at_exit() -> None:
    runtime = _current
    if runtime is not None:
        runtime.at_exit()


def _at_end() -> None:
    """Called by frameworks whose processes end without the interpreter's end."""
    runtime = _current
    if runtime is not None:
        runtime.end()
