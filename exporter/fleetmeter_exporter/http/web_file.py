"""The web configuration that is in force: read again when its file changes, kept when the new one is bad."""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace

from fleetmeter.errors import SettingError
from fleetmeter_exporter.http.section import Files
from fleetmeter_exporter.http.web_config import WebConfig, read
from fleetmeter_exporter.logs import fields

LOOK = 1.0
"""Seconds between two looks at the files, which happen only when somebody connects or asks."""

log = logging.getLogger("fleetmeter.exporter")


class WebFile:
    """A web configuration file and the files that it names. Raises `SettingError` if the first reading fails.

    Files are compared by what `stat` says of them, when `current()` is called and no more often than once in `LOOK`
    seconds. A version that cannot be used is logged once, and what was in force stays so.
    """

    def __init__(self, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._looked_at = clock()
        self._files = Files(os.path.dirname(path))  # noqa: PTH120  as it was written
        self._current = read(path, self._files)

    def current(self) -> WebConfig:
        """What is in force now."""
        now = self._clock()
        if now - self._looked_at >= LOOK:
            self._looked_at = now
            if self._files.changed():
                self._reload()
        return self._current

    def _reload(self) -> None:
        self._files = Files(os.path.dirname(self._path))  # noqa: PTH120  as it was written
        try:
            self._current = self._follow(read(self._path, self._files))
        except SettingError as error:
            log.error(  # noqa: TRY400  the problem says it all
                "the web configuration has changed and cannot be used; the former one stays in force",
                extra=fields(problem=str(error)),
            )
        else:
            log.info("the web configuration has changed and is in force", extra=fields(file=self._path))

    def _follow(self, found: WebConfig) -> WebConfig:
        """The new configuration, with the former TLS if that is the same. Raises `SettingError` for an opening."""
        former = self._current
        if (found.tls is None) != (former.tls is None):
            raise SettingError(f"{self._path}: tls_server_config", "TLS is switched on and off by a restart only")
        if former.users and not found.users:  # a file that is being written looks like this, too
            raise SettingError(f"{self._path}: basic_auth_users", "all users are gone; that takes a restart")
        if found.tls and former.tls and found.tls.settings == former.tls.settings:
            return replace(found, tls=former.tls)
        return found
