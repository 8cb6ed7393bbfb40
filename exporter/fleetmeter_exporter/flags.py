"""Flags in the style of Prometheus' exporters. Each has an environment twin, and is a text, a list or a switch."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NoReturn

import fleetmeter
from fleetmeter.cli.suggestion import Suggesting
from fleetmeter.errors import SettingError
from fleetmeter.escaping import printable
from fleetmeter_exporter.logs import FORMATS, LEVELS
from fleetmeter_exporter.redaction import redacted

_SWITCH = {"true": True, "1": True, "false": False, "0": False}


def variable(flag: str, program: str = "exporter") -> str:
    """The environment twin of a program's flag: `FLEETMETER_EXPORTER_LOG_LEVEL` for `log.level`."""
    return f"fleetmeter_{program}_{flag}".upper().replace(".", "_").replace("-", "_")


@dataclass(frozen=True)
class Flag:
    """A flag, with its text for `--help`.

    A `list` may be repeated on the command line; its twin has the values with commas between them. A `switch` is
    `--name` or `--no-name`; its twin is `true` or `false`. `fallback` is a variable of the library that is used if
    neither the flag nor its twin is given; it has one value.
    """

    name: str
    metavar: str
    text: str
    default: str = ""
    kind: Literal["text", "list", "switch"] = "text"
    fallback: str = ""

    def add_to(self, parser: argparse.ArgumentParser, program: str) -> None:
        """Add the flag to a parser; `program` is that of its environment twin."""
        twin = variable(self.name, program)
        text = f"{self.text}; may be repeated" if self.kind == "list" else self.text
        variables = ", ".join(name for name in (twin, self.fallback) if name)
        shown = f"{text} ({variables}; {f'default {self.default}' if self.default else 'not set by default'})"
        if self.kind == "switch":
            parser.add_argument(f"--{self.name}", dest=self.name, help=shown, action=argparse.BooleanOptionalAction)
        else:
            action = "append" if self.kind == "list" else "store"
            parser.add_argument(f"--{self.name}", dest=self.name, metavar=self.metavar, help=shown, action=action)

    def given(self, parsed: object, environ: Mapping[str, str], variable: str) -> "Given":
        """The value from the command line, else from `variable`, its twin, else from the fallback, else the default.

        An empty value counts as not given.
        """
        twin = environ.get(variable, "")
        offers = (
            (f"--{self.name}", _texts(parsed)),
            (variable, [item.strip() for item in twin.split(",")] if self.kind == "list" else [twin]),
            (self.fallback, [environ.get(self.fallback, "")]),
        )
        for source, texts in offers:
            values = tuple(filter(None, texts))
            if values:
                return Given(source, values)
        return Given(f"--{self.name}", (self.default,) if self.default else ())


@dataclass(frozen=True)
class Given:
    """The value of a flag. `source` is the flag or variable that it came from; `values` may hold a secret."""

    source: str
    values: tuple[str, ...] = field(repr=False)

    @property
    def one(self) -> tuple[str, str]:
        """Source and value; the value is empty if there is none."""
        return self.source, self.values[-1] if self.values else ""

    @property
    def on(self) -> bool:
        """Whether a switch is on. Raises `SettingError` if it is neither on nor off."""
        source, text = self.one
        if text.lower() not in _SWITCH:
            raise SettingError(source, f"{text!r} is neither on nor off; expected one of {', '.join(_SWITCH)}")
        return _SWITCH[text.lower()]

    def choice(self, choices: Sequence[str], what: str) -> str:
        """The value, which must be one of `choices`. Raises `SettingError` if it is not; `what` names their kind."""
        source, text = self.one
        if text not in choices:
            raise SettingError(source, f"{text!r} is no {what}; expected one of {', '.join(choices)}")
        return text


LOG_FLAGS = (
    Flag("log.level", "LEVEL", f"one of {', '.join(LEVELS)}", "info"),
    Flag("log.format", "FORMAT", f"one of {', '.join(FORMATS)}", "logfmt"),
)
"""The flags that every program has."""


def log_level(given: Mapping[str, Given]) -> str:
    """The level of the log. Raises `SettingError`."""
    return given["log.level"].choice(LEVELS, "level")


def log_format(given: Mapping[str, Given]) -> str:
    """The format of the log. Raises `SettingError`."""
    return given["log.format"].choice(FORMATS, "format")


class Parser(Suggesting):
    """A parser of flags. It takes no abbreviations, and its errors repeat no secret.

    `name` is the command's name. `program` stands in the names of environment twins, as EXPORTER in
    `FLEETMETER_EXPORTER_HOLD`.
    """

    def __init__(self, name: str, description: str, epilog: str, program: str = "exporter") -> None:
        super().__init__(name, description=description, epilog=epilog, allow_abbrev=False)
        self.program = program
        self.add_argument("--version", action="version", version=f"%(prog)s {fleetmeter.__version__}")

    def error(self, message: str) -> NoReturn:
        """Status 2, after the usage and a line with the reason."""
        super().error(printable(redacted(message)))


def read(
    flags: Sequence[Flag], parser: Parser, arguments: Sequence[str], environ: Mapping[str, str]
) -> dict[str, Given]:
    """The value of each flag, by its name. An unknown flag ends the program."""
    for flag in flags:
        flag.add_to(parser, parser.program)
    return given(flags, vars(parser.parse_args(arguments)), environ, parser.program)


def given(
    flags: Sequence[Flag], parsed: Mapping[str, object], environ: Mapping[str, str], program: str
) -> dict[str, Given]:
    """The value of each flag, by its name, from what a parser has parsed."""
    return {flag.name: flag.given(parsed[flag.name], environ, variable(flag.name, program)) for flag in flags}


def _texts(parsed: object) -> list[str]:
    if parsed is None:
        return []
    if isinstance(parsed, list):
        return parsed
    return [str(parsed).lower() if isinstance(parsed, bool) else str(parsed)]
