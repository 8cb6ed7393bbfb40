"""One finding of `doctor`: the subject, what was found, and what that means for the numbers."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """The verdict of a finding; `UNKNOWN` means that this user is not allowed to see it."""

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
    """1 if a check fails, else 0."""
    return int(any(check.status is Status.FAIL for check in checks))
