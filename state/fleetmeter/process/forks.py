"""What a process does before and after a fork, whoever forks."""

import os
import signal
import threading
from collections.abc import Callable
from typing import Protocol

from fleetmeter.process import pending
from fleetmeter.process.frameworks import Frameworks


class Forkable(Protocol):
    """What takes part in forks; see `Runtime`."""

    def before_fork(self) -> None:
        """Called by the thread that forks."""

    def after_fork_in_parent(self) -> None:
        """Called by the same thread, even if the fork failed."""

    def after_fork_in_child(self) -> None:
        """Called by the child's only thread."""


class Forks:
    """Calls the current `Forkable` around each fork of this process, and `end` when a framework's child ends.

    Make one per process: the interpreter's fork hooks cannot be taken back.
    """

    def __init__(self, current: Callable[[], Forkable | None], end: Callable[[], None]) -> None:
        self._current = current
        self._forking = threading.local()  # two threads may fork at a time
        self._interrupted = False
        self._frameworks = Frameworks(end, self._in_uwsgi_worker)
        os.register_at_fork(before=self._before, after_in_parent=self._in_parent, after_in_child=self._in_child)
        pending.prepare()

    def join_frameworks(self) -> None:
        """Hook the frameworks that make children and are imported already, so that these children end well."""
        self._frameworks.join()

    def _before(self) -> None:
        self.join_frameworks()
        runtime = self._forking.runtime = self._current()
        if runtime is not None:
            runtime.before_fork()

    def _in_parent(self) -> None:
        runtime, self._forking.runtime = self._forking.runtime, None
        if runtime is not None:
            runtime.after_fork_in_parent()

    def _in_child(self) -> None:
        """Be another process. If C code forks, it may call this alone, or never.

        Signals wait until this is done: a handler that raises, as Python's own for SIGINT does, would leave half of it.
        """
        self._interrupted = False
        try:
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
            try:
                signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
                runtime = getattr(self._forking, "runtime", None) or self._current()
                self._forking.runtime = None
                if runtime is not None:
                    runtime.after_fork_in_child()
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        except KeyboardInterrupt:
            self._interrupted = True  # the interpreter only prints what a fork hook raises
            raise

    def _in_uwsgi_worker(self) -> None:
        """Be another process; raise `KeyboardInterrupt` also if one came while fork hooks ran."""
        interrupted = self._interrupted
        self._in_child()
        if interrupted:
            raise KeyboardInterrupt
