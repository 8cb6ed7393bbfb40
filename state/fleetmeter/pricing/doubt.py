"""Calls that cannot be counted or priced for certain: why, and which of their tokens are certain all the same."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

_log = logging.getLogger(__name__)
_MOST_TOLD = 256
"""Log lines of this kind in the life of a process at most. There is one per kind of problem, and callers decide how
many kinds there are."""
_told: set[tuple[str, str]] = set()


@dataclass(frozen=True, slots=True)
class Doubt:
    """A usage whose tokens are not certain.

    `kind` is one of `no_usage`, `bad_count`, `contradiction`, `unknown_tokens`, `overlap`, `duration` and
    `unreadable`. `shape` lists the names in the usage, and `reason` is a sentence for people.
    """

    kind: str
    shape: str
    reason: str
    certain: Mapping[str, int] = field(default_factory=dict)
    """The tokens that are certain, by disjoint type."""
    total: int | None = None
    """All tokens of the call; None if that is not certain."""

    def disjoint(self) -> dict[str, int]:
        """The certain tokens by the value of the label `type`, as `Usage.disjoint` gives all of them."""
        return dict(self.certain)

    def __str__(self) -> str:
        return f"{self.reason} (the usage has {self.shape})"


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Why a call has no price, which is not the same as free.

    `kind` is one of `usage`, `model`, `provider`, `tier`, `rate`, `kinds` and `price_data`. `about` is the thing in
    question: there is one log line for each pair of `kind` and `about`. `reason` is a sentence for people.
    """

    kind: str
    about: str
    reason: str

    def __str__(self) -> str:
        return self.reason


NO_USAGE = Unpriced("usage", "none", "the answer states no usage")
"""Why a call has no price that was answered without a usage."""


def tell_once(problem: Doubt | Unpriced) -> None:
    """Log a problem, once in the life of the process for each kind and thing. Never raises."""
    about = problem.shape if isinstance(problem, Doubt) else problem.about
    key = (problem.kind, about)
    if key in _told or len(_told) >= _MOST_TOLD:
        return
    _told.add(key)
    _log.warning("a call is counted without its price: %s. Further calls like it are not logged", problem)
    if len(_told) == _MOST_TOLD:
        _log.warning("%d kinds of calls without a price were logged; further kinds are counted silently", _MOST_TOLD)
