"""One line per event, in logfmt or JSON, whatever is in it and whoever logs it."""

import json
import logging
import re
import subprocess
import sys
from typing import Any

import pytest

from fleetmeter_exporter.logs import JsonFormatter, LogfmtFormatter, fields

CONTROL = "".join(map(chr, [*range(32), *range(127, 160)])) + "\u2028\u2029\u202e\ud800\U000e0001"
WILD = [
    "a b",
    'say "x"',
    "a=b",
    "",
    "back\\slash",
    "line\nbreak\r\n",
    "tab\t",
    "Ünïcode",
    "日本 語",
    CONTROL,
    "null",
    "'",
]

_PAIR = re.compile(r'([A-Za-z0-9_.-]+)=("(?:[^"\\]|\\.)*"|[^\s"=]*)(?: |$)')


def record(msg: str, *args: object, **more: Any) -> logging.LogRecord:
    """A record as a logger would make it, of a fixed time."""
    made = logging.getLogger("fleetmeter.exporter").makeRecord(
        "fleetmeter.exporter", logging.WARNING, "x.py", 1, msg, args, more.pop("exc_info", None), extra=more or None
    )
    made.created = 1_790_000_000.0425
    return made


def parse_logfmt(line: str) -> dict[str, str]:
    """A logfmt line's pairs; fails for one that is not wholly made of pairs."""
    pairs = list(_PAIR.finditer(line))
    assert "".join(pair[0] for pair in pairs) == line
    return {
        name: json.loads(text) if text.startswith('"') else text for name, text in (pair.groups() for pair in pairs)
    }


def test_a_line_begins_with_when_how_bad_who_and_what() -> None:
    """RFC 3339 in UTC with milliseconds, level, logger, message; then the fields in the order given."""
    made = record("store is %s", "behind", **fields(namespace="shop", numbers=3, held=True, why=None, share=0.5))
    expected = (
        'ts=2026-09-21T14:13:20.042Z level=warning logger=fleetmeter.exporter msg="store is behind" '
        "namespace=shop numbers=3 held=true why=null share=0.5"
    )
    assert LogfmtFormatter().format(made) == expected
    assert json.loads(JsonFormatter().format(made)) == {
        "ts": "2026-09-21T14:13:20.042Z",
        "level": "warning",
        "logger": "fleetmeter.exporter",
        "msg": "store is behind",
        "namespace": "shop",
        "numbers": 3,
        "held": True,
        "why": None,
        "share": 0.5,
    }


@pytest.mark.parametrize("text", WILD)
def test_any_text_comes_back_from_one_line(text: str) -> None:
    """Message and field can be read back, and the line has nothing that a terminal or a line reader acts upon."""
    made = record("%s", text, **fields(value=text))
    for line, parsed in (
        (LogfmtFormatter().format(made), parse_logfmt(LogfmtFormatter().format(made))),
        (JsonFormatter().format(made), json.loads(JsonFormatter().format(made))),
    ):
        assert (parsed["msg"], parsed["value"]) == (text, text)
        assert line.isprintable()
        assert len(line.splitlines()) == 1


@pytest.mark.parametrize(
    ("value", "logfmt", "in_json"),
    [
        ("plain", "plain", "plain"),
        ("ünï-1.5/:,", "ünï-1.5/:,", "ünï-1.5/:,"),
        ("", '""', ""),
        ("a b", '"a b"', "a b"),
        ("a=b", '"a=b"', "a=b"),
        (["a", "b"], "a,b", ["a", "b"]),
        (("a b", 1), '"a b,1"', ["a b", 1]),
        ([], '""', []),
        (float("nan"), "nan", "nan"),
        (float("inf"), "inf", "inf"),
        (2**70, str(2**70), 2**70),
        (b"\xff", "\"b'\\\\xff'\"", "b'\\xff'"),
        (ValueError("x"), "x", "x"),
    ],
)
def test_values_of_any_type(value: object, logfmt: str, in_json: object) -> None:
    """Numbers, truth and lists stay what they are in JSON; quotes only where they are needed in logfmt."""
    made = record("x", **fields(value=value))
    assert LogfmtFormatter().format(made).partition(" value=")[2] == logfmt
    assert json.loads(JsonFormatter().format(made))["value"] == in_json


def test_an_exception_is_a_field() -> None:
    """With its traceback, in the one line."""
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        made = record("it failed", exc_info=sys.exc_info())
    for parsed in (
        parse_logfmt(LogfmtFormatter().format(made)),
        json.loads(JsonFormatter().format(made)),
    ):
        assert parsed["msg"] == "it failed"
        assert parsed["exception"].startswith("Traceback")
        assert parsed["exception"].endswith("ValueError: first\nsecond")


def test_no_part_of_a_line_shows_a_secret() -> None:
    """Message, field, list and exception are searched for URLs."""
    url = "redis://u:very-secret@h/0"
    try:
        raise ValueError(url)
    except ValueError:
        made = record("at %s", url, exc_info=sys.exc_info(), **fields(store=url, stores=[url], cause=ValueError(url)))
    for line in (LogfmtFormatter().format(made), JsonFormatter().format(made)):
        assert "very-secret" not in line
        assert line.count("redis://***@h/0") == 5


def test_a_field_never_hides_a_part() -> None:
    """A field that is called as a part of every line gets another name; one that logfmt cannot name, too."""
    made = record("x", **fields(**{"msg": "y", "level": 3, "a b": 1}))
    assert LogfmtFormatter().format(made).endswith(" msg=x msg_=y level_=3 a_b=1")
    assert json.loads(JsonFormatter().format(made))["msg"] == "x"


def test_arguments_that_do_not_fit_are_told_with_the_message() -> None:
    """Logging itself would write a traceback of many lines, with everything in it."""
    made = record("%d of %d", "redis://u:very-secret@h/0")
    assert parse_logfmt(LogfmtFormatter().format(made))["msg"] == "%d of %d ('redis://***@h/0',)"


def test_somebody_elses_extra_is_no_harm() -> None:
    """Another library's record may have an attribute of the same name."""
    assert LogfmtFormatter().format(record("x", fields="theirs")).endswith(" msg=x")


PROGRAM = """
import logging, sys, threading, warnings
from fleetmeter_exporter.logs import configure
configure(*sys.argv[1:])
for name in ("fleetmeter.exporter", "server.error"):
    for level in ("debug", "info", "warning", "error"):
        getattr(logging.getLogger(name), level)("%s says é", level)
warnings.warn("old", DeprecationWarning, stacklevel=1)
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
raise RuntimeError("the end")
"""


def lines_of(level: str, log_format: str) -> list[dict[str, str]]:
    """What a program logs in an environment without UTF-8."""
    command = [sys.executable, "-W", "always", "-c", PROGRAM, level, log_format]
    environ = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(command, env=environ, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
    lines = done.stderr.decode().splitlines()
    return [json.loads(line) if log_format == "json" else parse_logfmt(line) for line in lines]


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
def test_everything_that_a_process_says_has_the_format(log_format: str) -> None:
    """Other libraries, warnings, and what nobody caught, in a thread too; UTF-8 whatever the locale."""
    lines = lines_of("info", log_format)
    assert [(line["logger"], line["level"]) for line in lines] == [
        ("fleetmeter.exporter", "info"),
        ("fleetmeter.exporter", "warning"),
        ("fleetmeter.exporter", "error"),
        ("server.error", "warning"),
        ("server.error", "error"),
        ("py.warnings", "warning"),
        ("fleetmeter.exporter", "critical"),
        ("fleetmeter.exporter", "critical"),
    ]
    assert lines[0]["msg"] == "info says é"
    assert "DeprecationWarning: old" in lines[5]["msg"]
    assert lines[6]["exception"].endswith("ZeroDivisionError: division by zero")
    assert lines[7]["exception"].endswith("RuntimeError: the end")


def test_the_level_is_ours_first() -> None:
    """Below info, others speak at debug only; above warning, nobody does."""
    heard = {
        level: [(line["logger"], line["level"]) for line in lines_of(level, "json")][:8] for level in ("debug", "error")
    }
    assert ("server.error", "debug") in heard["debug"]
    assert ("fleetmeter.exporter", "debug") in heard["debug"]
    assert [level for _, level in heard["error"]] == ["error", "error", "critical", "critical"]
