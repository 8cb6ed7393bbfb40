"""Whether the numbers of a watch are the fleet's, and in words why not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fleetmeter.watching.figures import COST, LOST, UNPRICED
from fleetmeter.watching.history import History
from fleetmeter.watching.sighting import Sighting, Watch

_RECENT = 600.0
"""Seconds for which something that happened to the whole state is still told."""


class Level(StrEnum):
    """How far the numbers can be trusted."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"
    EMPTY = "empty"


@dataclass(frozen=True)
class Trust:
    """The verdict, its headline, and each reason as a sentence."""

    level: Level
    headline: str
    reasons: tuple[str, ...] = ()


def judge(watch: Watch, history: History, failures: Sequence[str] = ()) -> Trust:
    """The verdict on what a watch shows. `failures` are sentences of others, such as `doctor`, that forbid trust."""
    now = watch.now
    if watch.trouble is not None:
        seen = (
            "Nothing has been read yet."
            if now is None
            else f"What is shown was read at {clock(now.snapshot.taken_us / 1e6)}."
        )
        kept = "Replicas go on counting, and hand over when the store is back; this page comes back by itself."
        return Trust(Level.NO, "No: the store cannot be read", (f"{watch.trouble}.", seen, kept))
    if now is None:
        return Trust(Level.EMPTY, "Not known yet: the store has not been read")
    grave = [*_unread(now), *failures]
    light = [*_missing(now), *_silent(now), *_went_back(now, history)]
    if grave:
        return Trust(Level.NO, "No: not everything could be read", (*grave, *light))
    if now.snapshot.epoch is None:
        return Trust(Level.EMPTY, "Nothing has been recorded yet", ("The first replica that records begins it.",))
    if light:
        headline = "Yes, but not all cost is known" if _unpriced(now) and len(light) == 1 else "Yes, with reservations"
        return Trust(Level.PARTLY, headline, tuple(light))
    return Trust(Level.YES, "Yes: every replica hands over its counts, and all of them were read")


def clock(seconds: float) -> str:
    """A time since 1970 as this machine's clock shows it: `14:05:09`."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%H:%M:%S")


def _unread(now: Sighting) -> list[str]:
    if now.snapshot.epoch is None and now.snapshot.rows:
        return ["There are writers but no epoch: it was deleted or evicted; a replica writes it again."]
    if not now.problems:
        return []
    more = f", and {len(now.problems) - 1} more" if len(now.problems) > 1 else ""
    return [f"A part of the state cannot be read: {now.problems[0]}{more}; fleetmeter doctor says what to do."]


def _unpriced(now: Sighting) -> int:
    return now.totals.total(UNPRICED)


def _missing(now: Sighting) -> list[str]:
    totals = now.totals
    found = []
    lost, unpriced = totals.total(LOST), _unpriced(now)
    dropped = totals.by("family", "fleetmeter_dropped_series_total")
    rejected = totals.total("fleetmeter_rejected_values_total")
    if lost:
        found.append(f"{lost:,} batches were lost by the store, and nobody could send them again: totals are too low.")
    if unpriced and totals.has(COST):
        models = ", ".join(model for model, _ in totals.by("model", UNPRICED).most_common(3))
        found.append(f"{unpriced:,} answered calls have no price ({models}): sums of money are too low by their cost.")
    if dropped:
        families = ", ".join(family for family, _ in dropped.most_common(3))
        found.append(f"{sum(dropped.values()):,} series had no place ({families}): see __overflow__ there.")
    if rejected:
        found.append(f"{rejected:,} values could not be recorded.")
    return found


def _silent(now: Sighting) -> list[str]:
    snapshot = now.snapshot
    silent = [row for writer, row in snapshot.rows.items() if not row.said_goodbye and writer not in snapshot.alive]
    if not silent:
        return []
    last = clock(max(row.heartbeat_us for row in silent) / 1e6)
    who = "1 replica is" if len(silent) == 1 else f"{len(silent):,} replicas are"
    return [f"{who} silent since {last} without a goodbye: what it had not handed over is missing."]


def _went_back(now: Sighting, history: History) -> list[str]:
    if history.went_back is None or now.snapshot.taken_us / 1e6 - history.went_back > _RECENT:
        return []
    at = clock(history.went_back)
    return [f"At {at} a total became smaller: the store was rolled back, or somebody removed series."]
