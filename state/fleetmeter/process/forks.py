"""Forks: what a process does around one, and how a child that multiprocessing or Celery made ends well."""

import os
import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol

_LAST = -1000
"""The priority of our finalizer in a child: behind those that the application gave."""


class Forkable(Protocol):
    """What takes part in forks; see `Runtime`."""

    def before_fork(self) -> None:
        """Called by the thread that forks."""

    def after_fork_in_parent(self) -> None:
        """Called by the same thread, also where the fork failed."""

    def after_fork_in_child(self) -> None:
        """Called by the child's only thread."""


class Forks:
    """Calls the current `Forkable` around each fork of this process, and `end` where a framework's child ends.

    Make one per process: the interpreter's fork hooks cannot be taken back.
    """

    def __init__(self, current: Callable[[], Forkable | None], end: Callable[[], None]) -> None:
        self._current = current
        self._end = end
        self._forking = threading.local()  # two threads may fork at a time
        self._known_to_multiprocessing = False
        self._known_to_celery = False
        os.register_at_fork(before=self._before, after_in_parent=self._in_parent, after_in_child=self._in_child)

    def join_frameworks(self) -> None:
        """Ask the frameworks that make children, and that the application has imported, to let these end well."""
        self._join_multiprocessing()
        self._join_celery()

    def _join_multiprocessing(self) -> None:
        """Let multiprocessing run `end` in its children.

        They run no atexit callbacks. What was registered with `Finalize` is dropped when a child begins, after the
        interpreter's fork hooks; what `register_after_fork` knows runs just behind that.
        """
        util: Any = sys.modules.get("multiprocessing.util")
        if util is None or self._known_to_multiprocessing:
            return
        self._known_to_multiprocessing = True
        util.register_after_fork(self, Forks._finalize)
        if sys.modules["multiprocessing.process"].parent_process() is not None:
            self._finalize()

    def _join_celery(self) -> None:
        """Let Celery's pool run `end` in its children, which leave by `os._exit` and run no finalizers either.

        SIGTERM is its own there: it ends a child in the same way.
        """
        signals: Any = sys.modules.get("celery.signals")
        if self._known_to_celery or not hasattr(signals, "worker_process_shutdown"):
            return
        self._known_to_celery = True
        signals.worker_process_shutdown.connect(self._celery_ends, weak=False)

    def _celery_ends(self, **_: Any) -> None:
        self._end()

    def _finalize(self) -> None:
        sys.modules["multiprocessing.util"].Finalize(None, self._end, exitpriority=_LAST)

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
        runtime, self._forking.runtime = self._forking.runtime, None
        if runtime is not None:
            runtime.after_fork_in_child()
