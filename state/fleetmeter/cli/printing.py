"""Plain text on standard output: lines, columns, and numbers as people read them."""

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any, NoReturn

from fleetmeter.cli.suggestion import Suggesting
from fleetmeter.escaping import printable, printable_json

shown = printable
"""The name of `printable` here: text that cannot control a terminal."""

NOTHING = "\N{EN DASH}"
"""Shown in the place of a value that does not exist."""


class Parser(Suggesting):
    """A parser of a command line whose errors are safe to show on a terminal."""

    def error(self, message: str) -> NoReturn:
        """Status 2, after the usage and a line with the reason."""
        super().error(shown(message))


def say(text: str = "") -> None:
    """Print one line or several. Put stored text through `shown` first: a line break in it would begin a new line."""
    sys.stdout.write("".join(f"{shown(line)}\n" for line in text.split("\n")))


def complain(message: str, status: int) -> int:
    """Print the reason for ending to standard error; returns `status`, the exit status."""
    sys.stderr.write(f"fleetmeter: {shown(message)}\n")
    return status


def warn_of(problems: Iterable[Exception]) -> None:
    """A line to standard error for each part of the state that cannot be read."""
    for problem in problems:
        sys.stderr.write(f"fleetmeter: left out: {shown(str(problem))}\n")


def say_json(value: Any) -> None:
    """One JSON document to standard output."""
    say(printable_json(value, indent=2))


def json_number(number: float) -> float | str:
    """A number as JSON can hold it: `3` for 3.0, and the texts `NaN`, `+Inf` and `-Inf`, as in an exposition."""
    if not isfinite(number):
        return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}[str(number)]
    return int(number) if number == int(number) else number


def columns(heads: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[str] = ()) -> list[str]:
    """The lines of a table, heads first, two spaces between columns. `right` names the columns aligned to the right."""
    table = [tuple(heads), *(tuple(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    to_right = [head in set(right) for head in heads]
    return [
        "  ".join(
            cell.rjust(width) if numeric else cell.ljust(width)
            for cell, width, numeric in zip(row, widths, to_right, strict=True)
        ).rstrip()
        for row in table
    ]


def seconds_text(seconds: float) -> str:
    """A duration in its largest unit: `0.4 s`, `12 s`, `5 min`, `3 h`, `2 d`."""
    for limit, unit, size in ((9.95, "", 0), (120, "s", 1), (7200, "min", 60), (172_800, "h", 3600)):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}" if size else f"{seconds:.1f} s"
    return f"{seconds / 86_400:.0f} d"


def bytes_text(size: float) -> str:
    """A size in its largest unit: `512 B`, `1.5 KiB`, `3.0 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def time_text(micros: int) -> str:
    """A time in µs since 1970, as `2026-11-30 12:00:00Z`."""
    return datetime.fromtimestamp(micros / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def grouped(number: float) -> str:
    """A number with commas between thousands, as `1,234.5`; a whole one without `.0`."""
    plain = json_number(number)
    return plain if isinstance(plain, str) else f"{plain:,}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """`1 family`, `3 families`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
