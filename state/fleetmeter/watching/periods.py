"""What today and this month cost, as far as that can be known from totals; otherwise since when it is known."""

from dataclasses import dataclass, field
from datetime import datetime

from fleetmeter.watching.figures import COST
from fleetmeter.watching.sighting import Sighting


@dataclass(frozen=True)
class Spent:
    """Nano-dollars since a time, in seconds since 1970. `whole`: nothing of the period can be missing.

    It is whole if counting began within the period, or if the watch runs since before the period began.
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


def day_start(at: datetime) -> datetime:
    """Midnight."""
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def month_start(at: datetime) -> datetime:
    """Midnight of the first."""
    return day_start(at).replace(day=1)


STARTS = {"today": day_start, "month": month_start}
"""The periods, and when each begins in this machine's time zone."""


@dataclass
class Periods:
    """Follows the money of a watch through days and months. `spent` is empty if no cost is recorded."""

    spent: dict[str, Spent] = field(default_factory=dict)
    _periods: dict[str, _Period] = field(default_factory=dict)
    _before: tuple[str, int] | None = None

    def add(self, sighting: Sighting) -> None:
        """Take a sighting."""
        snapshot = sighting.snapshot
        self.spent = {}
        if snapshot.epoch is None or not sighting.totals.has(COST):
            return
        at, epoch = snapshot.taken_us / 1e6, snapshot.epoch
        total, birth = sighting.totals.nanodollars(COST), epoch.birth_us / 1e6
        followed = self._before is not None and self._before[0] == epoch.id
        for name, start_of in STARTS.items():
            start = start_of(datetime.fromtimestamp(at).astimezone()).timestamp()
            period = self._periods.setdefault(name, _Period())
            if birth >= start:
                period.start, period.baseline, period.since, period.whole = start, 0, birth, True
            elif not followed or start != period.start:
                seen_before = self._before if followed else None
                period.whole = seen_before is not None
                period.baseline = total if seen_before is None else seen_before[1]
                period.since = at if seen_before is None else start
                period.start = start
            self.spent[name] = Spent(max(0, total - period.baseline), period.since, period.whole)
        self._before = epoch.id, total

    def start_of(self, period: str) -> float:
        """When a period that is followed began, in seconds since 1970."""
        return self._periods[period].start
