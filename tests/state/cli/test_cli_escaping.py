"""What the programs print: no text, wherever it comes from, does anything to a terminal or changes how a line reads."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from fleetmeter.cli.command import main
from fleetmeter.cli.printing import complain, say, say_json, shown
from fleetmeter.cli.top.panels import plain
from fleetmeter.escaping import printable, printable_json
from fleetmeter.schema.definition import Definition
from fleetmeter_exporter.flags import LOG_FLAGS, Parser, read
from fleetmeter_exporter.logs import JsonFormatter, LogfmtFormatter, fields
from support.scraping import FixedState
from support.store import StoreAddress

NASTY = "\x9b31m\u202eevil\u2028\x1b]0;title\x07\u200b\ufeff\U000e0041\x7f"
ANY = st.text(st.characters(codec=None, exclude_categories=[])) | st.just(NASTY)
STORED = st.text(st.characters(codec="utf-8")) | st.just(NASTY)
EXAMPLES = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@contextmanager
def printed() -> Iterator[io.StringIO]:
    """What is written to either stream; each of its lines has to be printable."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        yield out
    text = out.getvalue()
    assert all(line.isprintable() for line in text.split("\n")), ascii(text)


@EXAMPLES
@given(ANY)
def test_text_and_json_are_printable_and_say_the_same(text: str) -> None:
    """An escape in the place of each such character; JSON means what it meant, in one line or indented."""
    assert printable(text).isprintable()
    assert printable(printable(text)) == printable(text)
    for indent in (None, 2):
        document = printable_json({text: [text, 1, None]}, indent)
        assert all(line.isprintable() for line in document.split("\n"))
        assert json.loads(document) == {text: [text, 1, None]}
    assert "\n" not in printable_json({text: text})


@EXAMPLES
@given(ANY)
def test_whatever_is_said_is_printable(text: str) -> None:
    """Lines, JSON, complaints, the cells of `top`, and what a parser refuses, of the command line and of programs."""
    with printed():
        say(text)
        say_json([text])
        complain(text, 1)
        for parse in (lambda: main([f"x{text}"]), lambda: main(["ls", f"--json={text}"]), lambda: _flags(f"--x{text}")):
            with pytest.raises(SystemExit):
                parse()
        assert plain(text).plain == shown(text)
        Console(width=10_000).print(plain(text))


def _flags(word: str) -> Any:
    return read(LOG_FLAGS, Parser("program", "", ""), [word], {})


@EXAMPLES
@given(ANY, ANY)
def test_lines_of_a_log_are_printable(text: str, other: str) -> None:
    """Message, arguments, field names, values and exceptions, in both formats; JSON has them as they were."""
    record = logging.makeLogRecord({"name": text, "msg": "%s", "args": (text,), **fields(a=text, b=[other])})
    record.fields[other] = text  # type: ignore[attr-defined]
    record.exc_info = (ValueError, ValueError(text), None)
    for formatter in (LogfmtFormatter(), JsonFormatter()):
        assert formatter.format(record).isprintable()


@settings(EXAMPLES, max_examples=15)
@given(STORED)
def test_what_is_stored_is_printed_harmlessly(store: StoreAddress, text: str) -> None:
    """A help text, a label value and a replica's name that hold anything: by every command, as text and as JSON."""
    definition = Definition.of("family", "counter", text, "", ["label"], [], "")
    with FixedState(store) as state:
        state.writer("w1", text, 1)
        state.family(definition, {(text,): 7})
    where = ["--url", store.url, "--namespace", store.namespace]
    with printed():
        for words in (
            ["ls"],
            ["ls", "family"],
            ["ls", "--writers"],
            ["ls", "--namespaces"],
            ["top", "--once", "--interval", "0.01"],
            ["doctor"],
        ):
            assert main([words[0], *where, *words[1:]]) == 0
        main(["forget", *where, "family", f"label={text}x"])
        main(["forget", *where, f"family{text}"])
    with printed() as out:
        assert main(["ls", *where, "--json", "family"]) == 0
    assert json.loads(out.getvalue()) == [{"name": "family_total", "labels": {"label": text}, "value": 7}]
    with printed() as out:
        assert main(["ls", *where, "--json", "--writers"]) == 0
    assert json.loads(out.getvalue())[0]["replica"] == text
    with printed():
        assert main(["forget", *where, "--yes", "family", f"label={text}"]) == 0
        assert main(["reset", *where, "--yes"]) == 0
