"""Flags as Prometheus' exporters have them, each with an environment twin: one value, several, or on and off."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NoReturn

import fleetmeter
from fleetmeter.errors import SettingError
from fleetmeter.escaping import printable
from fleetmeter_exporter.logs import FORMATS, LEVELS
from fleetmeter_exporter.redaction import redacted

_SWITCH = {"true": True, "1": True, "false": False, "0": False}


def variable(flag: str, program: str = "exporter") -> str:
    """The environment twin of a program's flag."""
    return f"fleetmeter_{program}_{flag}".upper().replace(".", "_").replace("-", "_")


@dataclass(frozen=True)
class Flag:
    """A flag and what `--help` says of it.

    A `list` may be repeated, and its twin holds the values between commas. A `switch` is `--name` and `--no-name`, and
    its twin `true` or `false`. `fallback` is a variable of the library, with one value, that is asked last.
    """

    name: str
    metavar: str
    text: str
    default: str = ""
    kind: Literal["text", "list", "switch"] = "text"
    fallback: str = ""

    def add_to(self, parser: "Parser") -> None:
        """Let a parser know it."""
        twin = variable(self.name, parser.program)
        text = f"{self.text}; may be repeated" if self.kind == "list" else self.text
        variables = ", ".join(name for name in (twin, self.fallback) if name)
        shown = f"{text} ({variables}; {f'default {self.default}' if self.default else 'not set by default'})"
        if self.kind == "switch":
            parser.add_argument(f"--{self.name}", dest=self.name, help=shown, action=argparse.BooleanOptionalAction)
        else:
            action = "append" if self.kind == "list" else "store"
            parser.add_argument(f"--{self.name}", dest=self.name, metavar=self.metavar, help=shown, action=action)

    def given(self, parsed: object, environ: Mapping[str, str], variable: str) -> "Given":
        """Its value: of the command line, else of its twin, the variable, else of the fallback, else its default.

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
    """What a flag was set to: `source` is the flag or the variable that says so; `values` may hold a secret."""

    source: str
    values: tuple[str, ...] = field(repr=False)

    @property
    def one(self) -> tuple[str, str]:
        """Source and value; the value is empty where there is none."""
        return self.source, self.values[-1] if self.values else ""

    @property
    def on(self) -> bool:
        """Whether a switch is on; raises `SettingError` for what is neither on nor off."""
        source, text = self.one
        if text.lower() not in _SWITCH:
            raise SettingError(source, f"{text!r} is neither on nor off; expected one of {', '.join(_SWITCH)}")
        return _SWITCH[text.lower()]

    def choice(self, choices: Sequence[str], what: str) -> str:
        """Its value, which is one of these; raises `SettingError` for another, which is none of `what`."""
        source, text = self.one
        if text not in choices:
            raise SettingError(source, f"{text!r} is no {what}; expected one of {', '.join(choices)}")
        return text


LOG_FLAGS = (
    Flag("log.level", "LEVEL", f"one of {', '.join(LEVELS)}", "info"),
    Flag("log.format", "FORMAT", f"one of {', '.join(FORMATS)}", "logfmt"),
)
"""What every program has."""


def log_level(given: Mapping[str, Given]) -> str:
    """What `LOG_FLAGS` say of the level; raises `SettingError`."""
    return given["log.level"].choice(LEVELS, "level")


def log_format(given: Mapping[str, Given]) -> str:
    """What `LOG_FLAGS` say of the format; raises `SettingError`."""
    return given["log.format"].choice(FORMATS, "format")


class Parser(argparse.ArgumentParser):
    """A parser of flags: takes no abbreviations, and repeats no secret of what it refuses.

    `name` is what the program is started as; `program` is its word in the environment twins of its flags.
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
    """What each flag was set to, by its name. What the parser does not know ends the program."""
    for flag in flags:
        flag.add_to(parser)
    parsed = vars(parser.parse_args(arguments))
    return {flag.name: flag.given(parsed[flag.name], environ, variable(flag.name, parser.program)) for flag in flags}


def _texts(parsed: object) -> list[str]:
    if parsed is None:
        return []
    if isinstance(parsed, list):
        return parsed
    return [str(parsed).lower() if isinstance(parsed, bool) else str(parsed)]
