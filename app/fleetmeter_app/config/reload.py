"""Reads the configuration again when its file changes, or at SIGHUP; what cannot be used changes nothing."""

import asyncio
import logging
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from fleetmeter.errors import SettingError
from fleetmeter_app.errors import ConfigError

log = logging.getLogger("fleetmeter.app")

T = TypeVar("T")

INTERVAL = 2.0
"""Seconds between two looks at the file."""


class Reload(Generic[T]):
    """Calls `load` in a thread, and `use` with what it gives in the event loop.

    A change that is refused is logged once, with file, key and reason. SIGHUP reads everything again, also if only a
    file with a key has changed.
    """

    def __init__(self, path: Path | None, load: Callable[[], T], use: Callable[[T], object]) -> None:
        self._path = path
        self._load = load
        self._use = use
        self._seen = self._stamp()
        self._asked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Watch from now on."""
        loop = asyncio.get_running_loop()
        try:
            loop.add_signal_handler(signal.SIGHUP, self._asked.set)
        except (RuntimeError, ValueError) as error:  # asyncio's and uvloop's word outside the main thread
            log.info("SIGHUP will not read the configuration again, only a change of its file will: %s", error)
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Watch no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            try:
                async with asyncio.timeout(INTERVAL):
                    await self._asked.wait()
            except TimeoutError:
                stamp = self._stamp()
                if stamp == self._seen:
                    continue
                self._seen = stamp
            self._asked.clear()
            await self._read()

    async def _read(self) -> None:
        try:
            self._use(await asyncio.to_thread(self._load))
        except (ConfigError, SettingError) as error:
            log.error("the configuration stays as it was: %s", error)  # noqa: TRY400 - the message says it all
        else:
            log.info("the configuration was read again")

    def _stamp(self) -> tuple[int, int, int] | None:
        """What tells one state of the file from another; None while it is not there."""
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
