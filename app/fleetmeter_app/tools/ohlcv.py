"""OHLCV files in a folder of the user's: CSV with the columns date, open, high, low, close and volume."""

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fleetmeter_app.errors import ToolError

_COLUMNS = ("date", "open", "high", "low", "close", "volume")
_MOST_BYTES = 8 * 2**20
"""Of one file: 150,000 days."""
_MOST_NAMED = 50
"""Symbols that an error names."""
_SUFFIX, _SYNTHETIC = ".csv", ".synthetic"


@dataclass(frozen=True)
class Bar:
    """The prices of one period; `date` as the file has it, in ISO 8601."""

    date: str
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True)
class Series:
    """The bars of one symbol, oldest first; at least one. `synthetic` ones were made up, as the file's name says."""

    symbol: str
    file: str
    synthetic: bool
    bars: tuple[Bar, ...]


class PriceFolder:
    """The files of a folder: `ACME.csv` holds ACME's prices, `ACME.synthetic.csv` prices that were made up.

    A symbol is never made a path: it is compared with the names of the files that are there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def series(self, symbol: str) -> Series:
        """The prices of a symbol, in any case. Raises `ToolError` if there are none that can be read."""
        found = dict(self._files())
        by_key = {name.casefold(): name for name in found}
        name = by_key.get(symbol.casefold())
        if name is None:
            known = ", ".join(sorted(found)[:_MOST_NAMED]) or "none"
            raise ToolError(f"there are no prices of {symbol[:32]!r}. There are prices of: {known}.")
        path = found[name]
        return Series(name, path.name, path.stem.endswith(_SYNTHETIC), _bars(path))

    def _files(self) -> Iterator[tuple[str, Path]]:
        """Symbols and their files; of two files for one symbol the real one comes last, and counts."""
        root = self._folder.resolve()
        try:
            paths = sorted(root.iterdir(), key=lambda path: not path.stem.endswith(_SYNTHETIC))
        except OSError as error:
            raise ToolError("the folder of prices cannot be read.") from error
        for path in paths:
            real = path.resolve()
            if path.suffix.lower() == _SUFFIX and real.is_file() and real.is_relative_to(root):
                yield path.stem.removesuffix(_SYNTHETIC), path


def _bars(path: Path) -> tuple[Bar, ...]:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ToolError(f"{path.name} cannot be read.") from error
    if len(content) > _MOST_BYTES:
        raise ToolError(f"{path.name} is larger than {_MOST_BYTES} bytes.")
    try:
        bars = tuple(_rows(path.name, text))
    except csv.Error as error:
        raise ToolError(f"{path.name} is no CSV: {error}.") from error
    if not bars:
        raise ToolError(f"{path.name} has no prices.")
    return bars


def _rows(name: str, text: str) -> Iterator[Bar]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    columns = {str(column).strip().lower(): column for column in reader.fieldnames or ()}
    if not columns.keys() >= set(_COLUMNS):
        raise ToolError(f"{name} has not the columns {', '.join(_COLUMNS)}.")
    before: datetime | None = None
    for row in reader:
        date, *prices = (str(row[columns[column]] or "").strip() for column in _COLUMNS)
        try:
            when = datetime.fromisoformat(date)
            numbers = [float(price) for price in prices]
            in_order = before is None or before < when
        except (ValueError, TypeError) as error:  # TypeError: of two times only one has a zone
            raise ToolError(f"{name}: line {reader.line_num} is no date and five numbers.") from error
        if not in_order or not all(map(math.isfinite, numbers)):
            raise ToolError(f"{name}: line {reader.line_num} is out of order, or has a number that is none.")
        before = when
        yield Bar(date, *numbers)
