"""One process' part in the fleet: composed here, from the settings, and nowhere else."""

import os
import time
from collections.abc import Callable

from fleetmeter._version import __version__
from fleetmeter.errors import NotDurable
from fleetmeter.patching.hooks import Hooks
from fleetmeter.process.termination import Termination
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.keys import Keys
from fleetmeter.settings import Settings, without_password
from fleetmeter.values.accumulator import Accumulator
from fleetmeter.values.callbacks import Callbacks
from fleetmeter.writer.exchange import Exchange
from fleetmeter.writer.flusher import Flusher
from fleetmeter.writer.protocol import Writer
from fleetmeter.writer.store import Store
from fleetmeter.writer.telemetry import Telemetry

EXIT_TIMEOUT = 2.0
"""Seconds that a normal exit waits, at most, for the store to take what was recorded."""


class Runtime:
    """Everything that `install()` sets up. It lives on in forked children, as a writer of their own.

    Until `hook()` is called it records only what asks `hooks.value` for a value. `identify` tells, in each process,
    what stands in the place of the pid.
    """

    def __init__(self, settings: Settings, identify: Callable[[], object] = os.getpid) -> None:
        self.settings = settings
        self._identify = identify
        self._leaving = self._hooked = False
        self.accumulator = Accumulator(self._wake, self._reject)
        self.hooks = Hooks(self.accumulator)

    def hook(self) -> None:
        """Make every metric of prometheus_client the fleet's."""
        if not self._hooked:
            self._hooked = True
            self.hooks.install()
            if self.accumulator.awake:  # metrics that were there before had counted already
                self._wake()

    def start(self) -> None:
        """Get ready to hand over, and to be told to end."""
        self._compose()
        self._termination = Termination(self._flusher)
        self._termination.install()
        if self.accumulator.awake:
            self._wake()

    def _compose(self) -> None:
        """Make what belongs to one process life."""
        self._ended = False
        settings = self.settings
        identity = {
            "replica": settings.replica,
            "pid": str(self._identify()),
            "version": __version__,
            "started": str(int(time.time())),
        }
        # a child has its own: a thread of the parent may have held a lock of that one's
        with self.hooks.for_new_metrics():
            self._telemetry = Telemetry(without_password(settings.url))
        self._store = Store(settings.url, Keys(settings.namespace), settings.max_series, settings.credentials)
        self._exchange = Exchange(self.accumulator, Writer(), self._store, self._telemetry, identity)
        self._flusher = Flusher(self.accumulator, self._exchange, self._telemetry, settings.flush_interval)
        self._callbacks = Callbacks(self.accumulator, self._telemetry.callback_failed)

    def _wake(self) -> None:
        if not hasattr(self, "_callbacks") or self._leaving:
            return
        flusher = self._flusher
        if self._ended:  # a later exit function records: there may be no other moment to hand over
            flusher.flush(EXIT_TIMEOUT)
            self.accumulator.rest()
        else:
            flusher.wake()
            self._callbacks.wake()

    def _reject(self, definition: Definition, amount: object) -> None:
        self._telemetry.rejected(definition, amount)

    def flush(self, timeout: float) -> bool:
        """Hand over everything recorded before the call; see `fleetmeter.flush`."""
        started = time.monotonic()
        self._callbacks.ask(timeout)
        return self._flusher.flush(timeout - (time.monotonic() - started))

    def confirm(self, timeout: float, replicas: int) -> NotDurable | None:
        """Hand over everything recorded before the call, to the store and so many replicas of it.

        Returns what `durable` raises where that was not confirmed in time.
        """
        uninstalled = self._leaving  # meanwhile: no thread may stay
        done = self.shutdown(timeout) if uninstalled else self._flusher.flush(timeout, replicas=replicas)
        if done:
            return None
        trouble = self._flusher.trouble
        return NotDurable(timeout, replicas, trouble.reason if trouble else None, str(trouble or ""))

    def shutdown(self, timeout: float = EXIT_TIMEOUT) -> bool:
        """Hand over what is left and let the thread end; a later record starts a new one."""
        deadline = time.monotonic() + timeout
        self._callbacks.stop()  # a value that came after the goodbye would make it another replica
        done = self._flusher.flush(timeout, goodbye=True)
        self._flusher.stop(max(0.0, deadline - time.monotonic()))
        self.accumulator.rest()
        self._store.close()
        if not done:
            self._telemetry.left_behind()
        return done

    def end(self) -> None:
        """Shut down at the interpreter's end; what is recorded after that is handed over at once."""
        self._ended = self.shutdown()
        self._termination.release()

    def uninstall(self) -> None:
        """Shut down and put prometheus_client and SIGTERM back as they were."""
        self._leaving = True  # a thread that records until the last moment must not start another flush thread
        self.shutdown()
        self._termination.uninstall()
        self.hooks.uninstall()

    def before_fork(self) -> None:
        """Hold still, so that the child's copy is whole."""
        self.accumulator.before_fork()

    def after_fork_in_parent(self) -> None:
        """Go on as before."""
        self.accumulator.after_fork_in_parent()

    def after_fork_in_child(self) -> None:
        """Be another writer: nothing of the parent's is handed over, its thread and its connection stay behind."""
        self.accumulator.after_fork_in_child()
        self._compose()
        self._termination.follow(self._flusher)
