"""What today and this month cost, as far as that can be known from totals; otherwise since when it is known."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fleetmeter.watching.figures import COST
from fleetmeter.watching.sighting import Sighting


@dataclass(frozen=True)
class Spent:
    """Nano-dollars since a time, in seconds since 1970. `whole`: it is what the period cost, and no less.

    It is whole if counting began within the period, or if the watch saw the fleet shortly before the period began.
    """

    nanodollars: int
    since: float
    whole: bool


@dataclass
class _Period:
    start: float = 0.0
    baseline: int = 0
    since: float = 0.0
    whole: bool = False


@dataclass(frozen=True)
class _Seen:
    at: float
    epoch: str
    models: Mapping[str, int]


_UNSEEN = 60.0
"""Seconds between the last sighting of a period and its end at most. What is spent in them counts for the next one."""


def day_start(at: datetime) -> datetime:
    """Midnight, by this machine's clock: on a day when the clocks change it has another offset than noon."""
    return at.astimezone().replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None).astimezone()


def month_start(at: datetime) -> datetime:
    """Midnight of the first."""
    return day_start(at.astimezone().replace(day=1, tzinfo=None))


STARTS = {"today": day_start, "month": month_start}
"""The periods, and when each begins in this machine's time zone."""


@dataclass
class Periods:
    """Follows the money of a watch through days and months. `spent` is empty if no cost is recorded.

    A model whose series somebody removes has cost what it has cost: it stays in the sum.
    """

    spent: dict[str, Spent] = field(default_factory=dict)
    _periods: dict[str, _Period] = field(default_factory=dict)
    _before: _Seen | None = None

    def add(self, sighting: Sighting) -> None:
        """Take a sighting."""
        snapshot = sighting.snapshot
        self.spent = {}
        if snapshot.epoch is None or not sighting.totals.has(COST):
            return
        at, epoch = snapshot.taken_us / 1e6, snapshot.epoch
        seen = _Seen(at, epoch.id, sighting.totals.nanodollars_by("model", COST))
        total, birth = sum(seen.models.values()), epoch.birth_us / 1e6
        before = self._before if self._before is not None and self._before.epoch == epoch.id else None
        removed = 0 if before is None else sum(before.models[model] for model in before.models.keys() - seen.models)
        for name, start_of in STARTS.items():
            start = start_of(datetime.fromtimestamp(at).astimezone()).timestamp()
            period = self._periods.setdefault(name, _Period())
            period.baseline -= removed
            if before is None or start != period.start:
                if birth >= start:
                    period.baseline, period.since, period.whole = 0, birth, True
                elif before is not None and start - before.at <= _UNSEEN:
                    period.baseline, period.since, period.whole = sum(before.models.values()) - removed, start, True
                else:
                    period.baseline, period.since, period.whole = total, at, False
                period.start = start
            self.spent[name] = Spent(max(0, total - period.baseline), period.since, period.whole)
        self._before = seen

    def start_of(self, period: str) -> float:
        """When a period that is followed began, in seconds since 1970."""
        return self._periods[period].start
