"""Makes a Python process that `fleetmeter run` started a replica, as soon as it imports what it could record with.

Every Python process below the launcher imports this file first: supervisors and helpers, too, and other Pythons than
the launcher's. So it costs next to nothing until such an import, is written for old Pythons, and never breaks the
program: trouble is logged.

Two ways lead here. If fleetmeter is installed for that Python, its `site-packages` has `fleetmeter-run.pth`, which
Python reads before any `sitecustomize`, so that no other launcher's can hide us. For other Pythons there is our own
`sitecustomize`, which comes first on PYTHONPATH unless another launcher puts its own before it.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

TYPE_CHECKING = False  # as type checkers read it; `typing` would be one import more in each process
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  each process would have to import pathlib
_AWAITED = ("prometheus_client", "fleetmeter", "uvicorn")
"""uvicorn restores the SIGTERM handler that it found and raises the signal again: ours has to be there before it."""


class Watcher:
    """A finder that leaves the finding to the others, and runs `install` after the import of a module in `_AWAITED`."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        """The specification of a module in `_AWAITED`, with a loader that calls us at its end; None for all others."""
        if name not in _AWAITED:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None:
                with suppress(AttributeError):  # a loader that cannot be changed
                    _announce(name, spec.loader)
                return spec
        return None


def _announce(name: str, loader: Any) -> None:
    """Let a loader call `install` after it has executed its module."""
    execute = loader.exec_module

    def exec_module(module: Any) -> None:
        execute(module)
        library = getattr(sys.modules.get("fleetmeter"), "__spec__", None)
        if name == "fleetmeter" or not getattr(library, "_initializing", False):
            install()  # else the library is half imported, and its own end comes here again

    loader.exec_module = exec_module


def install() -> None:
    """Call `fleetmeter.install()`, once."""
    watchers = [finder for finder in sys.meta_path if isinstance(finder, Watcher)]
    for watcher in watchers:
        sys.meta_path.remove(watcher)
    if not watchers:
        return
    try:
        import fleetmeter

        fleetmeter.install()
    except Exception as error:  # noqa: BLE001  the program is not ours to break
        import logging

        logging.getLogger("fleetmeter").warning("this process runs without fleetmeter: %s", error)


def watch() -> None:
    """Begin to watch, once, and take our folder from the path, so that the program finds the path that it expects.

    Python then imports the `sitecustomize` that it would have imported without us.
    """
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder) != _HERE]  # noqa: PTH100
    if sys.version_info >= (3, 11):  # noqa: UP036  other Pythons may run below the launcher
        sys.meta_path.insert(0, Watcher())


watch()
