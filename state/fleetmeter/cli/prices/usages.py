"""Reads a file of usages: one JSON object a line, as APIs return them."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol

from fleetmeter.cli.prices.bill import Bill
from fleetmeter.errors import SettingError
from fleetmeter.pricing import PriceList, read_answer
from fleetmeter.pricing.tariff_list import OTHER

_LONGEST_LINE = 1 << 26
"""Bytes of a line at most. A longer one is no answer, and could fill the memory."""
_LONG_FILE = 1 << 20
"""Bytes. A larger file takes long enough to show a bar of progress."""
_JSON_NAMES = {
    list: "a list", str: "a text", int: "a number", float: "a number", bool: "true or false", type(None): "null",
}  # fmt: skip
"""What a line may hold in the place of an object, in JSON's words."""
_STEP = 1 << 16
"""Bytes between two movements of the bar."""


class Progress(Protocol):
    """A function that shows how far the reading is."""

    def __call__(self, done: int) -> object:
        """Show that `done` bytes were read."""
        ...


def price_file(path: Path, prices: PriceList, *, tier: str | None, at: datetime | None, **place: Any) -> Bill:
    """The bill for a file. Raises `SettingError` if the file cannot be read."""
    bill = Bill(str(path))
    try:
        with _opened(path) as file, _progress(path) as progress:
            for number, line in enumerate(_lines(file, progress), start=1):
                if line.strip():
                    _add(bill, number, line, prices, tier, at, place)
    except OSError as error:
        raise SettingError("--usage", f"{path} cannot be read: {error.strerror or error}") from error
    return bill


def _add(
    bill: Bill,
    number: int,
    line: bytes,
    prices: PriceList,
    tier: str | None,
    at: datetime | None,
    place: dict[str, Any],
) -> None:
    try:
        record = _record(line)
    except ValueError as error:
        bill.refuse(number, str(error))
        return
    answer = read_answer(record)
    when = at or _made_at(record)
    price = prices.price(answer.model, answer.usage, tier=tier or answer.tier, at=when, **place)
    name = prices.normalise(answer.model, **place)
    bill.add(number, (answer.model or "(none named)") if name == OTHER else name, answer, price)


def _record(line: bytes) -> dict[str, Any]:
    """The JSON object in a line. Raises `ValueError`, which says what the line is instead."""
    if len(line) > _LONGEST_LINE:
        raise ValueError(f"has more than {_LONGEST_LINE:,} bytes; expected one answer a line")
    try:
        record = json.loads(line)
    except UnicodeDecodeError:
        raise ValueError("is no UTF-8; expected one JSON object a line") from None
    except RecursionError:
        raise ValueError("is nested too deeply; expected an answer as an API returns it") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"is no JSON ({error.msg}, column {error.colno}); expected one JSON object a line") from None
    except ValueError:
        raise ValueError("has a number with thousands of digits; expected counts of tokens") from None
    if not isinstance(record, dict):
        found = _JSON_NAMES[type(record)]
        raise ValueError(f"is {found}; expected an object: an answer, or a usage with a model")  # noqa: TRY004
    return record


def _made_at(record: dict[str, Any]) -> datetime | None:
    """The time at which an answer says it was made, None if it does not say. The prices of that day are used."""
    inner = record.get("response")
    body = inner.get("body", inner) if isinstance(inner, dict) else record
    for name in ("created", "created_at"):
        seconds = body.get(name) if isinstance(body, dict) else None
        if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 1e9 <= seconds < 1e11:
            return datetime.fromtimestamp(seconds, UTC)
    return None


def _lines(file: IO[bytes], progress: Progress) -> Iterator[bytes]:
    done = told = 0
    while line := file.readline(_LONGEST_LINE + 1):
        yield line
        done += len(line)
        while len(line) > _LONGEST_LINE and not line.endswith(b"\n"):  # the rest of a line that is too long
            line = file.readline(_LONGEST_LINE + 1)
            done += len(line)
        if done - told >= _STEP:
            told = done
            progress(done)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    with path.open("rb") as file:
        yield file


def _say_nothing(done: int) -> None:
    """A `Progress` that shows nothing."""


@contextmanager
def _progress(path: Path) -> Iterator[Progress]:
    """A bar of progress for a large file; nothing without a terminal or without rich."""
    size = path.stat().st_size if path.is_file() else 0
    if size < _LONG_FILE or not sys.stderr.isatty():
        yield _say_nothing
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar
    except ImportError:
        yield _say_nothing
        return
    with Bar(BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=size)
        yield lambda done: bar.update(task, completed=done)
