"""The last hour of a watch, in memory: how much each total grew in each step of some seconds."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import ceil

from fleetmeter.watching.measures import MOST, OTHERS, measured
from fleetmeter.watching.sighting import Sighting

STEP = 5.0
"""Seconds of one step."""
KEPT = 3600.0
"""Seconds that are kept."""
_POINTS = 60
"""Points of a chart, whatever time it shows."""


@dataclass
class Step:
    """What was added in some seconds: measure → label's value → growth. Times are the store's clock, in seconds.

    `levels` are values that are no counts, as they stood at the end.
    """

    began: float
    ended: float
    grown: dict[str, Counter[str]] = field(default_factory=dict)
    levels: dict[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.ended - self.began

    def amount(self, measure: str) -> Counter[str]:
        """The growth of a measure."""
        return self.grown.get(measure, Counter())

    def take(self, later: "Step") -> None:
        """Add the step that follows this one."""
        self.ended, self.levels = later.ended, later.levels
        for measure, grown in later.grown.items():
            self.grown.setdefault(measure, Counter()).update(grown)


class History:
    """The steps since the first sighting, at most `KEPT` seconds of them. A new epoch of the state begins a new one.

    `began` is the time of the first sighting. `went_back` is when a total was last seen to have become smaller; both
    are None if that has not been.
    """

    def __init__(self) -> None:
        self.began: float | None = None
        self.went_back: float | None = None
        self._steps: deque[Step] = deque()
        self._epoch = ""
        self._at = 0.0
        self._seen: dict[str, dict[str, int]] = {}
        self._kept_apart: dict[str, set[str]] = {}
        self._whole = True

    def add(self, sighting: Sighting, levels: Mapping[str, float]) -> None:
        """Take a sighting, and values that are no counts."""
        snapshot = sighting.snapshot
        at, epoch = snapshot.taken_us / 1e6, "" if snapshot.epoch is None else snapshot.epoch.id
        first = self.began is None or epoch != self._epoch or at <= self._at
        if first:
            self.began, self._epoch, self.went_back = at, epoch, None
            self._steps.clear()
            self._kept_apart.clear()
        seen = {name: self._folded(name, sums) for name, sums in measured(sighting.totals)}
        whole = not sighting.problems
        if not first:
            comparable = self._whole and whole
            grown = {name: self._growth(name, sums, at, born=comparable) for name, sums in seen.items()}
            self._append(Step(self._at, at, {name: found for name, found in grown.items() if found}, dict(levels)))
        self._at, self._seen, self._whole = at, seen, whole

    def last(self, seconds: float) -> Step | None:
        """The growth within the last `seconds`, or since the first sighting if that is less; None before the second."""
        merged: Step | None = None
        for step in self._steps:
            if step.ended > self._at - seconds:
                if merged is None:
                    merged = Step(step.began, step.began)
                merged.take(step)
        return merged

    def points(self, seconds: float) -> list[Step]:
        """The last `seconds`, or what is known of them, as at most some 60 steps of equal length, oldest first."""
        length = self.length(seconds)
        found: list[Step] = []
        for step in self._steps:
            if step.ended <= self._at - seconds:
                continue
            if found and step.ended // length == found[-1].ended // length and step.seconds <= 2 * length:
                found[-1].take(step)
            else:
                found.append(Step(step.began, step.began))
                found[-1].take(step)
        if len(found) > 1 and found[-1].seconds < length / 2:  # too short for a rate to mean anything yet
            found.pop()
        return found

    def length(self, seconds: float) -> float:
        """Seconds of one of the points of the last `seconds`: whole steps."""
        return STEP * max(1, ceil(min(seconds, self.seconds) / _POINTS / STEP))

    @property
    def seconds(self) -> float:
        """How much is known."""
        return self._at - self._steps[0].began if self._steps else 0.0

    def _append(self, step: Step) -> None:
        last = self._steps[-1] if self._steps else None
        if last is not None and last.ended // STEP == step.ended // STEP and step.seconds <= STEP:
            last.take(step)
        else:
            self._steps.append(step)
        while self._steps and self._steps[0].ended <= step.ended - KEPT:
            self._steps.popleft()

    def _growth(self, name: str, sums: Mapping[str, int], at: float, *, born: bool) -> Counter[str]:
        """How much each sum grew; one that is new counts from 0, unless a part of the state could not be read."""
        before = self._seen.get(name, {})
        grown: Counter[str] = Counter()
        for value, total in sums.items():
            change = total - before.get(value, 0 if born else total)
            if change < 0:
                self.went_back = at
            elif change:
                grown[value] = change
        return grown

    def _folded(self, name: str, sums: Mapping[str, int]) -> dict[str, int]:
        """The sums with at most `MOST` values by their own names: those that came first."""
        apart = self._kept_apart.setdefault(name, set())
        found: dict[str, int] = {}
        for value, total in sorted(sums.items(), key=lambda pair: -pair[1]):
            if value not in apart and len(apart) < MOST:
                apart.add(value)
            key = value if value in apart else OTHERS
            found[key] = found.get(key, 0) + total
        return found


def lines(points: list[Step], measure: str, most: int = 10) -> dict[str, list[float]]:
    """The growth per second at each point, for the values of a measure that grew most; all others in one line."""
    whole: Counter[str] = Counter()
    for point in points:
        whole.update(point.amount(measure))
    shown = [value for value, _ in whole.most_common(most)]
    found = {value: [point.amount(measure)[value] / point.seconds for point in points] for value in shown}
    if len(whole) > most:
        found[OTHERS] = [
            sum(grown for value, grown in point.amount(measure).items() if value not in found or value == OTHERS)
            / point.seconds
            for point in points
        ]
    return found


def gaps(points: list[Step], length: float) -> Iterator[int]:
    """The places of points that stand for more than twice the usual time: nothing was seen in between."""
    return (place for place, point in enumerate(points) if point.seconds > 2 * length)
