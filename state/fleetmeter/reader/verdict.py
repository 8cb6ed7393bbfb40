"""How a snapshot compares with the one that was served before, and why."""

from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from operator import attrgetter

from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.schema.rows import Row


class Verdict(IntEnum):
    """How a snapshot compares with the one that was served before."""

    AHEAD = 0
    """It has everything that was served."""
    LOSS = 1
    """Something is gone for good, or may be: waiting does not bring it back."""
    BEHIND = 2
    """Something is missing, and living writers may send it again."""


class Reason(StrEnum):
    """What was found to differ from what was served."""

    EPOCH_MISSING = "epoch_missing"
    ROW_MISSING = "row_missing"
    ROW_LOWER = "row_lower"
    GIVEN_UP = "given_up"
    ROW_GONE = "row_gone"
    ROW_FOREIGN = "row_foreign"
    NUMBERS_LOWER = "numbers_lower"


HOLDING = (Reason.EPOCH_MISSING, Reason.ROW_MISSING, Reason.ROW_LOWER)
"""The reasons for which an older snapshot is held: living writers may send again what is missing."""


@dataclass(frozen=True)
class Cause:
    """Why a snapshot is not ahead of what was served.

    `writer` is the first writer, by id, that this concerns; `writers` is how many there are. `served` and `found` are
    its rows; `found` is None if it has none, and `folded` is true if it was put away. `epoch` is the id of the epoch
    that was served. Without a writer the cause is about the whole namespace.
    """

    verdict: Verdict
    reason: Reason
    epoch: str
    writer: str = ""
    served: Row | None = None
    found: Row | None = None
    folded: bool = False
    writers: int = 0


def judge(served: Snapshot, snapshot: Snapshot) -> Cause | None:
    """Why a snapshot of the same epoch is not ahead of what was served; None if it is ahead."""
    epoch = served.epoch.id if served.epoch is not None else ""
    if snapshot.epoch is None and served.epoch is not None:
        return Cause(Verdict.BEHIND, Reason.EPOCH_MISSING, epoch)
    changed = [entry for entry in served.rows.items() if not _went_on(entry[1], snapshot.rows.get(entry[0]))]
    causes = [cause for writer, row in sorted(changed) if (cause := _judge_row(writer, row, snapshot, epoch))]
    if not causes:
        return None
    worst = max(causes, key=attrgetter("verdict"))
    return replace(worst, writers=sum(cause.verdict is worst.verdict for cause in causes))


def _went_on(before: Row, now: Row | None) -> bool:
    """Whether a row went up or stayed, and gave nothing up: of thousands of rows hardly one ever does otherwise."""
    if now is None or now.applied < before.applied or now.given_up != before.given_up:
        return False
    return now.applied > before.applied or not _is_foreign(before, now)


def _is_foreign(before: Row, now: Row) -> bool:
    """Whether two rows of one number mean two batches: another copy of the process sent its own after a roll-back."""
    return bool(before.applied == now.applied and before.token and now.token and before.token != now.token)


def _judge_row(writer: str, before: Row, snapshot: Snapshot, epoch: str) -> Cause | None:
    here, folded = snapshot.rows.get(writer), snapshot.retired.get(writer)
    now = here or folded

    def cause(verdict: Verdict, reason: Reason) -> Cause:
        return Cause(verdict, reason, epoch, writer, before, now, here is None and folded is not None)

    if now is None:
        # a writer that said goodbye sends nothing again: its row was dropped, or was lost with all that it counted
        gone = before.said_goodbye or before.heartbeat_us <= snapshot.horizon_us
        return cause(Verdict.LOSS, Reason.ROW_GONE) if gone else cause(Verdict.BEHIND, Reason.ROW_MISSING)
    if now.applied < before.applied:
        return cause(Verdict.BEHIND, Reason.ROW_LOWER)
    if _is_foreign(before, now):
        return cause(Verdict.LOSS, Reason.ROW_FOREIGN)
    return cause(Verdict.LOSS, Reason.GIVEN_UP) if now.given_up > before.given_up else None
