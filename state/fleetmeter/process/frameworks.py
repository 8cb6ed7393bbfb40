"""Frameworks that make and end processes in their own ways. Each is joined if the application has imported it."""

import os
import signal
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

_LAST = -1000
"""The priority of our finalizer in a child: lower than those of the application, so that it runs after them."""

_MULTIPROCESSING = ("multiprocessing", "multiprocess")
"""Packages whose children run the finalizers of their own `util`; the second is pathos'."""

_LEAVING = ("rq.worker", "rq.worker.base", "rq.worker.worker_classes", "billiard.pool", "billiard.popen_fork",
            "billiard.forkserver")  # fmt: skip
"""Modules that end a child by `os._exit` without calling anything before: RQ's, and those of Celery's billiard."""


class _Leaving(ModuleType):
    """Stands in one module for `os`: `_exit` calls `end` first, everything else is as it is."""

    def __init__(self, end: Callable[[], None]) -> None:
        super().__init__("os")
        self._end = end

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _exit(self, status: int) -> None:
        try:
            self._end()
        finally:
            os._exit(status)


class Frameworks:
    """Calls `end` when a framework's child ends, and `forked` in the children that uWSGI forks in C.

    `forked` may raise `KeyboardInterrupt`: the child has been told to end.
    """

    def __init__(self, end: Callable[[], None], forked: Callable[[], None]) -> None:
        self._end = end
        self._forked = forked
        self._leaving = _Leaving(end)
        self._known: set[str] = set()

    def join(self) -> None:
        """Join the frameworks that were imported since the last call."""
        for package in _MULTIPROCESSING:
            self._join_multiprocessing(package)
        for name in _LEAVING:
            module: Any = sys.modules.get(name)
            if getattr(module, "os", None) is os:
                module.os = self._leaving
        self._join_celery()
        self._join_uwsgi()

    def _is_new(self, name: str, attribute: str) -> Any:
        """A module that has this attribute, and was not joined before."""
        module: Any = sys.modules.get(name)
        if name in self._known or not hasattr(module, attribute):
            return None
        self._known.add(name)
        return module

    def _join_multiprocessing(self, package: str) -> None:
        """Let a package like multiprocessing run `end` in its children.

        They run no atexit callbacks, only finalizers. A finalizer that was registered with `Finalize` before is dropped
        when a child begins. So `register_after_fork` registers it again in each child, just after that.
        """
        util = self._is_new(f"{package}.util", "register_after_fork")
        if util is None:
            return

        def finalize(_: object = None) -> None:
            util.Finalize(None, self._end, exitpriority=_LAST)

        util.register_after_fork(self, finalize)
        if sys.modules[f"{package}.process"].parent_process() is not None:
            finalize()

    def _join_celery(self) -> None:
        """Let Celery's pool run `end` in its children, which run no finalizers.

        SIGTERM is its own there: it ends a child in the same way.
        """
        signals = self._is_new("celery.signals", "worker_process_shutdown")
        if signals is not None:
            signals.worker_process_shutdown.connect(self._celery_ends, weak=False)

    def _celery_ends(self, **_: Any) -> None:
        self._end()

    def _join_uwsgi(self) -> None:
        """Let uWSGI, which forks in C, call `forked` in its workers. The application's own hook still runs.

        uWSGI has room for one hook, which it looks up when it forks. A hook that the application sets later would
        replace ours, so from now on each one that is set is put behind ours.
        """
        uwsgi = self._is_new("uwsgi", "__dict__")
        if uwsgi is None:
            return
        forked = self._forked

        class Uwsgi(ModuleType):
            """The module `uwsgi`, which puts each `post_fork_hook` that is set behind ours."""

            def __setattr__(self, name: str, value: Any) -> None:
                super().__setattr__(name, _behind(forked, value) if name == "post_fork_hook" else value)

        hook = getattr(uwsgi, "post_fork_hook", None)
        uwsgi.__class__ = Uwsgi
        uwsgi.post_fork_hook = hook


def _behind(forked: Callable[[], None], hook: Any) -> Callable[[], Any]:
    """A hook that calls `forked`, then the application's own if there is one.

    uWSGI takes SIGINT for a worker after these hooks only, and its master sends it once. Until then Python's handler
    has it, which raises here, and uWSGI only prints what a hook raises: the worker would live on, and the master with
    it, until the worker is killed after `--worker-reload-mercy`, 60 s. So the worker ends here; it has served nothing.
    """

    def both() -> Any:
        try:
            forked()
            return hook() if callable(hook) else None
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)

    return both
