"""A program's log: one line per event on stderr, in logfmt or JSON, without secrets.

A call gives a message and fields: `log.warning("store is behind", extra=fields(numbers=3))`. Every line has `ts`,
`level`, `logger` and `msg`, then the fields, then `exception` if there is one.
"""

import json
import logging
import re
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from functools import partial
from types import TracebackType

from fleetmeter.escaping import printable_json
from fleetmeter.excerpt import cut, quoted
from fleetmeter_exporter.redaction import redacted

FORMATS = ("logfmt", "json")
LEVELS = ("debug", "info", "warning", "error")

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]")

LONGEST = 16_000
"""Characters of one field at most: a stored value may have millions, and an exception many lines."""

Field = str | int | float | bool | None
"""The values that a field of a line can have."""


def fields(**values: object) -> dict[str, object]:
    """The argument `extra` of a logging call whose line should have these fields."""
    return {"fields": values}


def configure(
    level: str, log_format: str, program: str = "exporter", *, also: Collection[str] = (), never: Collection[str] = ()
) -> None:
    """Write everything that this process logs in this format, including warnings and uncaught exceptions.

    `level` holds for fleetmeter and for the loggers in `also`. Other libraries log warnings only, unless `level` is
    `debug`. The loggers in `never` log warnings only, at any level, because their other lines may hold secrets.
    Uncaught exceptions are logged by `fleetmeter.<program>`.
    """
    sys.stderr.reconfigure(encoding="utf-8")  # type: ignore[union-attr]  # so that lines are valid in any locale
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else LogfmtFormatter())
    ours = getattr(logging, level.upper())
    others = ours if ours == logging.DEBUG else max(ours, logging.WARNING)
    logging.basicConfig(level=others, handlers=[handler], force=True)
    for name in ("fleetmeter", *also):
        logging.getLogger(name).setLevel(ours)
    for name in never:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    unforeseen = partial(_unforeseen, logging.getLogger(f"fleetmeter.{program}"))
    sys.excepthook = unforeseen
    threading.excepthook = lambda hook: unforeseen(hook.exc_type, hook.exc_value, hook.exc_traceback)


class _LineFormatter(logging.Formatter, ABC):
    """Makes one line from the parts of a record."""

    def format(self, record: logging.LogRecord) -> str:
        parts: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": _message(record),
        }
        more = getattr(record, "fields", None)  # another library may use this name for something else
        for name, value in (more if isinstance(more, Mapping) else {}).items():
            parts[name + "_" if name in parts else name] = value
        if record.exc_info and record.exc_info[0] is not None:
            parts["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            parts["stack"] = record.stack_info
        return self.line({name: _shown(value) for name, value in parts.items()})

    @abstractmethod
    def line(self, parts: Mapping[str, Field | list[Field]]) -> str:
        """The parts as text without a line break."""


class LogfmtFormatter(_LineFormatter):
    """`name=value name="other value"`. Quoted values are JSON strings; items of a list have commas between them."""

    def line(self, parts: Mapping[str, Field | list[Field]]) -> str:
        """The parts with spaces between them."""
        return " ".join(f"{_NOT_IN_NAMES.sub('_', name)}={_word(value)}" for name, value in parts.items())


class JsonFormatter(_LineFormatter):
    """One object per line."""

    def line(self, parts: Mapping[str, Field | list[Field]]) -> str:
        """The parts as a JSON object."""
        return printable_json(parts)


def _message(record: logging.LogRecord) -> str:
    """The message of a record; template and arguments if they do not fit, for which logging prints a traceback."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {quoted(record.args, LONGEST)}"


def _shown(value: object) -> Field | list[Field]:
    """A value for a line, without secrets. Anything that JSON does not have becomes text."""
    if isinstance(value, list | tuple | set | frozenset):
        return [_one(item) for item in value]
    return _one(value)


def _one(value: object) -> Field:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and value - value == 0:  # JSON has no NaN and no infinity
        return value
    return cut(redacted(str(value)), LONGEST)


def _word(value: Field | list[Field]) -> str:
    text = ",".join(map(_plain, value)) if isinstance(value, list) else _plain(value)
    return text if text and text.isprintable() and not set(text) & set(' "=\\') else printable_json(text)


def _plain(value: Field) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _unforeseen(
    log: logging.Logger, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    """Log an uncaught exception as one line, which the interpreter would print as a traceback."""
    if not issubclass(kind, KeyboardInterrupt | SystemExit):
        log.critical("uncaught exception", exc_info=(kind, error or kind(), trace))
