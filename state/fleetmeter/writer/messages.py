"""What a writer and the store say to each other, and what a writer makes of an answer."""

from collections.abc import Mapping
from dataclasses import dataclass

from fleetmeter.values.delta import NOTHING, Delta


@dataclass(frozen=True)
class Hello:
    """Make `writer` known; `epoch` is used where the namespace has none.

    A row that is missing was dropped on purpose, not lost, where the namespace is in one of the `lives` (epochs) in
    which its writer had it, and the writer was last answered, at `heard_us` by the store's clock, no later than some
    writer whose row was dropped.
    """

    writer: str
    epoch: str
    heard_us: int = 0
    lives: tuple[str, ...] = ()


@dataclass(frozen=True)
class Apply:
    """Apply `delta`, the sum of the writer's batches after `prev` up to `seq`.

    With `prev` = `seq` and no content it is a heartbeat. `given_up` counts the batches up to `seq` that the store will
    not hold; `goodbye` says that the writer ends. `prev_token` and `token` are those of the batches `prev` and `seq`:
    empty for number 0, and for a row that has none.
    """

    epoch: str
    writer: str
    prev: int
    seq: int
    given_up: int
    delta: Delta = NOTHING
    goodbye: bool = False
    prev_token: str = ""
    token: str = ""


Call = Hello | Apply


@dataclass(frozen=True)
class Answer:
    """The store's answer.

    `row` is the writer's last applied number, `token` that batch's token (empty for none), `given_up` how many batches
    up to it the row counts as lost; `epoch` the namespace's, `deliberate` if an operator began it; `refused` the
    numbers that could not be added, and how many in all; `undefined` whether a family that was added to has no
    definition there; `overflowed` how many series went to `__overflow__`, by key; `conflicts` the definitions that say
    something else than this writer's: field of `families` and stored text.
    """

    status: str
    row: int
    epoch: str
    store_now_us: int
    given_up: int = 0
    token: str = ""
    deliberate: bool = False
    refused: tuple[str, ...] = ()
    refused_count: int = 0
    undefined: bool = False
    overflowed: tuple[tuple[str, int], ...] = ()
    conflicts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What an answer meant: `trouble` is None or the reason to count, `lost` the batches now known to be gone."""

    trouble: str | None = None
    lost: int = 0
    send_all_again: bool = False


Ended = tuple[str, tuple[tuple[str, str], ...]]
"""A writer, and series and mode of each of its gauges."""


@dataclass(frozen=True)
class Fold:
    """What one call shall put away, if the store finds it due: writers, numbers of `retired`, records of removals.

    `lives` are, in seconds: the time from a goodbye until the number moves to `retired`, and until it is dropped; the
    silence after which a writer is folded; the life of its retired number; the life of a record of a removal.
    """

    epoch: str
    lives: tuple[float, float, float, float, float]
    writers: tuple[Ended, ...] = ()
    retired: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Leftovers:
    """The hashes that tell what is due, as they are stored."""

    writers: Mapping[bytes, bytes]
    retired: Mapping[bytes, bytes]
    removed: Mapping[bytes, bytes]
