"""The parts of one process in the fleet. Here, and only here, they are put together from the settings."""

import gc
import os
import sys
import threading
import time
from collections.abc import Callable

from fleetmeter._version import __version__
from fleetmeter.errors import NotDurable
from fleetmeter.patching.hooks import Hooks
from fleetmeter.process.patience import EXIT_TIMEOUT
from fleetmeter.process.pending import call_after_fork
from fleetmeter.process.termination import Termination
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.keys import Keys
from fleetmeter.settings import PACKED, Settings, without_password
from fleetmeter.values.accumulator import Accumulator
from fleetmeter.values.callbacks import Callbacks
from fleetmeter.writer.exchange import Exchange
from fleetmeter.writer.flusher import Flusher
from fleetmeter.writer.protocol import Writer
from fleetmeter.writer.store import Store
from fleetmeter.writer.telemetry import Telemetry


class Runtime:
    """Everything that `install()` sets up. In a forked child it goes on as another writer.

    Code that forks need not say so: the process id is checked whenever a thread, a connection or an id is used. While
    the interpreter is finalising, nothing is sent and no thread is started, because neither would end.

    Until `hook()` is called, only metrics that ask `hooks.value` for a value are recorded. `identify` is called once in
    each process, and returns what to show instead of the pid.
    """

    def __init__(self, settings: Settings, identify: Callable[[], object] = os.getpid) -> None:
        self.settings = settings
        self._identify = identify
        self._join: Callable[[], None] = _nothing
        self._finalising = sys.is_finalizing  # kept here: a module's own names may be gone by then
        self._getpid = os.getpid
        self._forking = self._noticing = threading.RLock()
        self._leaving = self._hooked = False
        self.accumulator = Accumulator(self._wake, self._reject)
        self.hooks = Hooks(self.accumulator, packed=settings.numbers == PACKED)

    def hook(self) -> None:
        """Make every metric of prometheus_client the fleet's."""
        if not self._hooked:
            self._hooked = True
            self.hooks.install()
            if self.accumulator.awake:  # metrics that were there before had counted already
                self._wake()

    def start(self, join: Callable[[], None]) -> None:
        """Get ready to hand over, and for SIGTERM. `join` looks for frameworks that end processes in their own way."""
        self._join = join
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
        # a child makes its own metrics: a thread of the parent may have held a lock of the parent's
        with self.hooks.for_new_metrics():
            self._telemetry = Telemetry(without_password(settings.url))
        self._store = Store(
            settings.url,
            Keys(settings.namespace),
            settings.max_series,
            settings.credentials,
            packed=settings.numbers == PACKED,
        )
        self._exchange = Exchange(self.accumulator, Writer(), self._store, self._telemetry, identity)
        self._flusher = Flusher(self.accumulator, self._exchange, self._telemetry, settings.flush_interval)
        self._callbacks = Callbacks(self.accumulator, self._telemetry.callback_failed)
        self._pid = self._getpid()

    def _notice_fork(self) -> None:
        """Become another writer, if this is a forked child of the process that made all this."""
        if self._getpid() == self._pid:
            return
        with self._noticing:
            if self._getpid() != self._pid:  # another thread may have noticed meanwhile
                self.accumulator.notice_fork()
                self._be_another()

    def _be_another(self) -> None:
        self._compose()
        self._termination.follow(self._flusher)

    def _wake(self) -> None:
        if not hasattr(self, "_callbacks") or self._leaving or self._finalising():
            return
        self._notice_fork()
        self._join()
        flusher = self._flusher
        if self._ended:  # a later exit function records: there may be no other moment to hand over
            flusher.flush(EXIT_TIMEOUT, goodbye=True)
            self.accumulator.rest()
        else:
            flusher.wake()
            self._callbacks.wake()

    def _reject(self, definition: Definition, amount: object) -> None:
        if not self._finalising():
            self._telemetry.rejected(definition, amount)

    def flush(self, timeout: float) -> bool:
        """Hand over everything recorded before the call; see `fleetmeter.flush`."""
        if self._finalising():
            return not self._flusher.has_work
        self._notice_fork()
        started = time.monotonic()
        self._callbacks.ask(timeout)
        done = self._flusher.flush(timeout - (time.monotonic() - started))
        return done and not self._held_back()

    def _held_back(self) -> bool:
        """Whether records wait for the end of a block that is open around the caller."""
        held = self.accumulator.held_back
        if held:
            self._telemetry.held_back(held)
        return held > 0

    def confirm(self, timeout: float, replicas: int) -> NotDurable | None:
        """Hand over everything recorded before the call, to the store and to that many replicas of it.

        Returns what `durable` raises if that was not confirmed in time.
        """
        if self._finalising():
            return NotDurable(timeout, replicas, None, "the interpreter is at its end")
        self._notice_fork()
        uninstalled = self._leaving  # while the block ran; no thread may stay then
        done = self.shutdown(timeout) if uninstalled else self._flusher.flush(timeout, replicas=replicas)
        if done:
            return None
        trouble = self._flusher.trouble
        return NotDurable(timeout, replicas, trouble.reason if trouble else None, str(trouble or ""))

    def shutdown(self, timeout: float = EXIT_TIMEOUT) -> bool:
        """Hand over what is left and let the thread end; a later record starts a new one."""
        if self._finalising():
            return not self._flusher.has_work
        self._notice_fork()
        deadline = time.monotonic() + timeout
        self._callbacks.stop()  # a gauge's value after the goodbye would make this process a new replica
        done = self._flusher.flush(timeout, goodbye=True)
        self._flusher.stop(max(0.0, deadline - time.monotonic()))
        if done:
            self._flusher.take_leave()
        self.accumulator.rest()
        self._store.close()
        if not done:
            self._telemetry.left_behind()
        return done and not self._held_back()

    def at_exit(self) -> None:
        """Shut down at the interpreter's end. Garbage is collected now: its finalizers may still record."""
        if gc.isenabled():
            gc.collect()
        self.end()
        self.accumulator.wait_for_nobody()

    def end(self) -> None:
        """Shut down at the end of the process. A later record is handed over at once.

        Blocks that suspended generators keep open are closed.
        """
        self.accumulator.commit_all()
        self._ended = self.shutdown()
        self._termination.release()

    def uninstall(self) -> None:
        """Shut down and put prometheus_client and SIGTERM back as they were."""
        self._leaving = True  # a thread that records until the last moment must not start another flush thread
        self.shutdown()
        self._termination.uninstall()
        self.accumulator.note_no_more()
        self.hooks.uninstall()

    def before_fork(self) -> None:
        """Hold still, so that the child's copy is whole, and end our threads first if they can end in time."""
        self._forking.acquire()
        self._flusher.park()
        self._callbacks.park()
        self.accumulator.before_fork()

    def after_fork_in_parent(self) -> None:
        """Go on as before."""
        self.accumulator.after_fork_in_parent()
        call_after_fork(self._unpark)
        self._forking.release()

    def _unpark(self) -> None:
        self._flusher.unpark()
        self._callbacks.unpark()

    def after_fork_in_child(self) -> None:
        """Become another writer. Nothing of the parent's is handed over, and its thread and connection are not used."""
        self._forking = self._noticing = threading.RLock()
        self.accumulator.after_fork_in_child()
        self._be_another()


def _nothing() -> None:
    """Stands in while there is nothing to call yet."""
