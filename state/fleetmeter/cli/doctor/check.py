"""One finding of `doctor`: what was looked at, what was found, and what it means for the numbers."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a finding is to be taken; `UNKNOWN` is what this user is not allowed to see."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Check:
    """One finding."""

    status: Status
    subject: str
    found: str
    meaning: str


def not_seen(subject: str, why: str, meaning: str) -> Check:
    """A finding that could not be made."""
    return Check(Status.UNKNOWN, subject, why, meaning)


def exit_status(checks: Iterable[Check]) -> int:
    """1 where something fails, else 0."""
    return int(any(check.status is Status.FAIL for check in checks))
