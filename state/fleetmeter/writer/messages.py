"""What a writer and the store say to each other, and what follows from an answer."""

from collections.abc import Mapping
from dataclasses import dataclass

from fleetmeter.values.delta import NOTHING, Delta


@dataclass(frozen=True)
class Hello:
    """Make `writer` known. If the namespace has no epoch, it gets `epoch`.

    `lives` are the epochs in which the writer had a row, `heard_us` is when the store last renewed its row, by the
    store's clock. A row that is missing was dropped on purpose, not lost, if the namespace is in one of these epochs,
    and if `heard_us` is not after the horizon: the newest heartbeat of all rows that were dropped. Example: horizon
    12:00, renewed at 11:00, no row: dropped. Renewed at 13:00: the row was lost.
    """

    writer: str
    epoch: str
    heard_us: int = 0
    lives: tuple[str, ...] = ()


@dataclass(frozen=True)
class Apply:
    """Apply `delta`, the sum of the writer's batches after `prev` up to `seq`.

    If `prev` equals `seq` and there is no content, it is a heartbeat. `given_up` counts the batches up to `seq` that
    the store will never hold; `goodbye` says that the writer ends. `prev_token` and `token` are the tokens of the
    batches `prev` and `seq`. A token is empty for number 0, and for a row without one.
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
    up to it the row counts as lost. `epoch` is the namespace's; `deliberate` is true if an operator began it. `refused`
    are the numbers that could not be added, and how many in all. `undefined` is true if a family that was added to has
    no definition in the store. `overflowed` is how many series went to `__overflow__`, by key. `conflicts` are the
    definitions that differ from this writer's: field of `families` and stored text. `stale` are the packed layouts of
    which the writer knew what is no more, `learned` and `grown` are texts about their slots; see `Directory`.
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
    stale: tuple[str, ...] = ()
    learned: tuple[str, ...] = ()
    grown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What follows from an answer: `trouble` is the reason to count, or None; `lost` are batches now known as gone."""

    trouble: str | None = None
    lost: int = 0
    send_all_again: bool = False


Ended = tuple[str, tuple[tuple[str, str], ...]]
"""A writer, and series and mode of each of its gauges."""


@dataclass(frozen=True)
class Fold:
    """What one call shall put away, if the store finds it due: writers, numbers of `retired`, removal notes.

    `lives` are, in seconds: the time from a goodbye until the number moves to `retired`, and until it is dropped; the
    silence after which a writer is folded; the life of its number in `retired`; the life of a removal note.
    """

    epoch: str
    lives: tuple[float, float, float, float, float]
    writers: tuple[Ended, ...] = ()
    retired: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Leftovers:
    """The hashes that show what is due, as they are stored."""

    writers: Mapping[bytes, bytes]
    retired: Mapping[bytes, bytes]
    removed: Mapping[bytes, bytes]
