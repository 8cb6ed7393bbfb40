"""The user's TOML file of prices, which is read again when it changes."""

import logging
import tomllib
from decimal import Decimal
from pathlib import Path
from threading import Lock
from time import monotonic

from fleetmeter.errors import SettingError
from fleetmeter.pricing.book import Book

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0
"""Seconds between two looks at the file's `stat`. An answer that is priced in between costs no system call."""
_Stamp = tuple[int, int, int]


def read_book(path: Path) -> Book:
    """The book in a file of prices. Raises `SettingError`, which names the file, the key, and what was expected."""
    try:
        return Book.from_mapping(tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal), file=str(path))
    except tomllib.TOMLDecodeError as error:
        raise SettingError(str(path), f"is no TOML: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(str(path), f"cannot be read: {error}") from error


class PriceFile:
    """Follows a file of prices.

    A changed file is read once it looked the same twice, about a second apart. So a file that is just being written is
    never read half-way. If the new file cannot be used, the old prices stay in force, and the log says why, once.
    """

    def __init__(self, path: Path) -> None:
        """Reads the file. Raises `SettingError` if it cannot be used."""
        self._path = path
        self._stamp = _stamp(path)
        self._seen = self._stamp
        self._book = read_book(path)
        self._next_look = monotonic() + _LOOK_SECONDS
        self._lock = Lock()

    def book(self) -> Book:
        """The prices in force. Never raises, and never waits."""
        if monotonic() >= self._next_look and self._lock.acquire(blocking=False):
            try:
                self._next_look = monotonic() + _LOOK_SECONDS
                self._look()
            finally:
                self._lock.release()
        return self._book

    def _look(self) -> None:
        stamp = _stamp(self._path)
        settled, self._seen = stamp == self._seen, stamp
        if stamp == self._stamp or not settled:
            return
        self._stamp = stamp
        try:
            self._book = read_book(self._path)
        except SettingError as error:
            _log.warning("the old prices stay in force: %s", error)
        else:
            _log.info("%s: prices were read again", self._path)


def _stamp(path: Path) -> _Stamp | None:
    """Figures that change whenever the file changes; None if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
