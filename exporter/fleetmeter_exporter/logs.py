"""A program's log: one line per event on stderr, in logfmt or JSON, without secrets.

A call site says what happened, and what it happened to: `log.warning("store is behind", extra=fields(numbers=3))`.
Every line has `ts`, `level`, `logger` and `msg`, then those fields, then `exception` where there is one.
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
"""Characters that a line shows of one thing: a stored value may have millions, and an exception many lines."""

Field = str | int | float | bool | None
"""What a line can hold of one thing."""


def fields(**values: object) -> dict[str, object]:
    """What a logging call takes as `extra`, so that its line has these fields."""
    return {"fields": values}


def configure(
    level: str, log_format: str, program: str = "exporter", *, also: Collection[str] = (), never: Collection[str] = ()
) -> None:
    """Let everything that this process logs come out this way: warnings and unforeseen exceptions too.

    `level` is that of fleetmeter, and of the loggers named in `also`; other libraries are asked for warnings, and for
    more at `debug` only. Those named in `never` log what may not be shown, and are asked for warnings whatever the
    level. `program` is the last word of the logger that unforeseen exceptions have.
    """
    sys.stderr.reconfigure(encoding="utf-8")  # type: ignore[union-attr]  # whatever the locale: a line is valid
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
    """Makes one line of a record, from its parts."""

    def format(self, record: logging.LogRecord) -> str:
        parts: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": _message(record),
        }
        more = getattr(record, "fields", None)  # another library may call something else so
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
    """`name=value name="other value"`; what is quoted is written as JSON writes it, lists have commas."""

    def line(self, parts: Mapping[str, Field | list[Field]]) -> str:
        """The parts between spaces."""
        return " ".join(f"{_NOT_IN_NAMES.sub('_', name)}={_word(value)}" for name, value in parts.items())


class JsonFormatter(_LineFormatter):
    """One object per line."""

    def line(self, parts: Mapping[str, Field | list[Field]]) -> str:
        """The parts as an object."""
        return printable_json(parts)


def _message(record: logging.LogRecord) -> str:
    """What it says; of one whose arguments do not fit, which logging would answer with a traceback, its parts."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {quoted(record.args, LONGEST)}"


def _shown(value: object) -> Field | list[Field]:
    """A value that JSON has, without secrets; anything else as its text."""
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
    """What the interpreter does with an exception that nobody caught, as one line."""
    if not issubclass(kind, KeyboardInterrupt | SystemExit):
        log.critical("an exception that nobody caught", exc_info=(kind, error or kind(), trace))
