"""Failures of ours while a call is counted: they are logged, once for each kind, and never reach the caller."""

import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

log = logging.getLogger("fleetmeter")

P = ParamSpec("P")
R = TypeVar("R")
_complained: set[str] = set()


def quietly(function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R | None:
    """What a function of ours returns; None, and one log line, if it raises: the caller's call goes on."""
    try:
        return function(*arguments, **named)
    except Exception as error:  # noqa: BLE001  the call is the caller's
        complain(getattr(function, "__qualname__", str(function)), error)
        return None


def complain(where: str, error: Exception) -> None:
    """One log line for each kind of failure of ours."""
    kind = f"{where} {type(error).__name__}"
    if kind not in _complained:
        _complained.add(kind)
        log.warning("fleetmeter: a call of openai could not be counted in full: %r", error, exc_info=error)
