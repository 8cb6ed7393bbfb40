"""Asking the user before something is deleted."""

import sys

from fleetmeter.cli.printing import shown
from fleetmeter.errors import SettingError


def confirmed(question: str, answer: str, *, yes: bool) -> bool:
    """Whether the user typed exactly this answer. With `--yes` it is True, and nobody is asked.

    Raises `SettingError` if there is no terminal to ask on.
    """
    if yes:
        return True
    if sys.stdin is None or not sys.stdin.isatty():
        raise SettingError("--yes", "there is no terminal to ask on; give --yes to go on without a question")
    sys.stdout.flush()
    sys.stderr.write(f"{shown(question)}, type {shown(answer)}: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() == answer
