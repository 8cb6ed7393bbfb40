"""Errors that end a demo early.

DemoError
├── DemoSettingError   a variable that cannot be used
└── ProgramError       a program that did not start, or that ended by itself
"""

from fleetmeter_app.errors import GatewayError


class DemoError(GatewayError):
    """An error that is shown to the user as one line; `status` is the exit status of the demo."""

    status = 1


class DemoSettingError(DemoError):
    """A variable of the environment that cannot be used."""

    status = 2

    def __init__(self, variable: str, value: str, expected: str) -> None:
        super().__init__(f"{variable}={value!r} cannot be used; expected {expected}")


class ProgramError(DemoError):
    """A program of the demo failed; `what` says how, `last_line` is the last line of its log."""

    def __init__(self, program: str, address: str, what: str, last_line: str) -> None:
        place = f" ({address})" if address else ""
        super().__init__(f"{program}{place} {what}; the last line of its log: {last_line or '(it wrote nothing)'}")
