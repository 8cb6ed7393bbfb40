"""The page of the command line, from the parsers themselves."""

import argparse
import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager

from fleetmeter.cli.command import main, make_parser
from fleetmeter_docs.markdown import block, code, table
from fleetmeter_docs.markdown import page as page_of

INTRODUCTION = """
The command `fleetmeter` shows, checks and clears a fleet's numbers. The flags of
`fleetmeter-exporter` and `fleetmeter-app` are listed with [the settings](settings.md).

Start with these: `fleetmeter doctor` checks the store, the state, and what this user may do there. It tries a writer's
whole life in one transaction that leaves nothing behind. `fleetmeter ls` lists families, series, writers and
namespaces.
`fleetmeter top` needs the extra `cli`, and `fleetmeter board` the extra `board`.
"""

_COLUMNS = 100


def page() -> str:
    """The text of the page."""
    with _columns():
        parts = [part for parser in commands().values() for part in _section(parser)]
    return page_of("The command line", INTRODUCTION, "## Exit status", _statuses(), *parts)


def commands() -> dict[str, argparse.ArgumentParser]:
    """Each command that can be given, such as `fleetmeter keys create`, with its parser."""
    return dict(_walk(make_parser()))


def _walk(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001
    if not inner:
        yield parser.prog, parser
    for action in inner:
        for below in action.choices.values():
            yield from _walk(below)


def _section(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield f"## {parser.prog}"
    yield " ".join((parser.description or "").split())
    yield block("text", parser.format_usage().removeprefix("usage: "))
    rows = [_row(action) for action in parser._actions if not isinstance(action, argparse._HelpAction)]  # noqa: SLF001
    if rows:
        yield table(("argument", "meaning"), rows)
    if parser.epilog:
        yield " ".join(parser.epilog.split())


def _row(action: argparse.Action) -> tuple[str, str]:
    value = action.metavar if isinstance(action.metavar, str) else action.dest.upper() if action.nargs != 0 else ""
    names = ", ".join(action.option_strings)
    text = (action.help or "").replace("%%", "%")
    return code(f"{names} {value}".strip() if names else value), text[:1].upper() + text[1:] + "."


def _statuses() -> str:
    """What the docstring of `main` says of them."""
    _, _, text = (inspect.getdoc(main) or "").partition("Returns the exit status: ")
    said = " ".join(text.split()).partition(" argparse")[0]
    return said[:1].upper() + said[1:]


@contextmanager
def _columns() -> Iterator[None]:
    """Usages are as wide everywhere, whatever the terminal."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(_COLUMNS)
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
