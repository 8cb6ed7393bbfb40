"""The public functions of a process: `install`, `uninstall`, `flush`, `shutdown`, `hand_over`.

They share the one runtime of this process, which exists from `install()` to `uninstall()`.
"""

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
    numbers: str | None = None,
    credential_provider: "CredentialProvider | None" = None,
) -> None:
    """Make every metric of prometheus_client in this process a metric of the fleet.

    All arguments are optional. One that is left out comes from the environment variable in brackets, then from the
    default.

    * `url` (FLEETMETER_REDIS_URL, `redis://127.0.0.1:6379/0`): the store. Also `rediss://` with TLS, `unix://path`,
      `redis+sentinel://h1,h2,h3/service/db` and `redis+cluster://h1,h2,h3`; `valkey` means the same as `redis`.
    * `namespace` (FLEETMETER_NAMESPACE, `default`): the fleet's name; one store can hold several fleets.
    * `flush_interval` (FLEETMETER_FLUSH_INTERVAL, 0.25): seconds between two batches.
    * `replica` (FLEETMETER_REPLICA, the host's name): this replica's name in labels. `replica="web-1:4711"` is the name
      and the pid.
    * `max_series` (FLEETMETER_MAX_SERIES, 10000): the most label sets that a family may have in the store. With 10,000
      users as labels, amounts of user 10,001 go to one more series, whose label values are `__overflow__`. A gauge of
      that user is not shown.
    * `numbers` (FLEETMETER_NUMBERS, `packed`): how the store keeps what this process adds. With `packed`, all numbers
      of a family stand in one string: every sum is exact, and a scrape keeps the store busy for a hundredth of the
      time. `fields` keeps each number as a field of a hash, as earlier versions did. It is for the time of an upgrade,
      while there is an exporter that cannot read packed numbers. Processes with either setting count together; once
      no living process writes fields, what is left in hashes is packed, too.
    * `credential_provider` (FLEETMETER_REDIS_CREDENTIAL_PROVIDER, as `module:function`): for tokens that expire. A
      function without arguments that returns `(user, password)`, or redis-py's kind of object. It is called for each
      new connection, in the thread that opens it. If it raises, the connection fails as with a wrong password, and the
      records are kept and sent later.

    If the URL has no password, it comes from FLEETMETER_REDIS_PASSWORD or FLEETMETER_REDIS_PASSWORD_FILE. If it has no
    user, that comes from FLEETMETER_REDIS_USERNAME.

    No connection is made before the first record. A second call with the same settings does nothing. Raises
    `SettingError` for a setting that cannot be used, and `InstallError` if installed already with other settings.
    """
    from fleetmeter.process.runtime import Runtime
    from fleetmeter.settings import Settings

    settings = Settings.from_env(
        url=url,
        namespace=namespace,
        flush_interval=flush_interval,
        replica=replica,
        max_series=max_series,
        numbers=numbers,
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
                "fleetmeter is installed already, with other settings; call uninstall() first, or install() only once"
            )


def forget_family(metric: object) -> None:
    """Do not announce a metric's family to the store, because another metric has taken its place.

    Only for a family of which nothing was handed over yet.
    """
    runtime = _current
    if runtime is not None:
        runtime.hooks.undefine(metric)


def join(identify: Callable[[], object]) -> "Runtime":
    """The runtime of this process. If there is none, one is made from the environment's settings.

    The new one does not touch metrics: it records only what asks it for a value. `identify` returns what to show
    instead of the pid. Raises `SettingError` for a setting that cannot be used.
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
    """Hand over what is left, and give prometheus_client back its metrics, each with this process's own total."""
    global _current
    with _lock:
        runtime, _current = _current, None
        atexit.unregister(_at_exit)
    if runtime is not None:
        runtime.uninstall()


def flush(timeout: float = 5.0) -> bool:
    """Hand over everything that this process recorded before the call.

    Returns True if the store acknowledged it within `timeout` seconds, or if fleetmeter is not installed. Returns False
    if it did not: the records are kept and sent later. Also returns False inside an open `atomic()` block with records,
    because they are added only when the block ends. Never raises because of the store.
    """
    runtime = _current
    return True if runtime is None else runtime.flush(timeout)


async def aflush(timeout: float = 5.0) -> bool:  # noqa: ASYNC109  the store's deadline, which a cancellation cannot replace
    """`flush` for asynchronous code: it waits in another thread, not in the event loop."""
    import asyncio

    return await asyncio.to_thread(flush, timeout)


def shutdown(timeout: float = EXIT_TIMEOUT) -> bool:
    """Hand over what is left, end the flush thread and close the connection.

    Returns whether the store acknowledged everything within `timeout` seconds; True if fleetmeter is not installed.
    The interpreter calls this at its end by itself. A record made later is handed over, too.
    """
    runtime = _current
    return True if runtime is None else runtime.shutdown(timeout)


def hand_over(timeout: float = EXIT_TIMEOUT) -> bool:
    """Hand over what is left and say goodbye, before `os._exit` or `os.execv`, which run no exit functions.

    Call it right before them.
    Returns whether the store acknowledged everything within `timeout` seconds; True if fleetmeter is not installed. A
    process that records again afterwards is a new replica, and may call it again. Never raises because of the store.
    """
    return shutdown(timeout)


def _at_exit() -> None:
    runtime = _current
    if runtime is not None:
        runtime.at_exit()


def _at_end() -> None:
    """For processes that a framework ends without running the interpreter's exit functions."""
    runtime = _current
    if runtime is not None:
        runtime.end()
