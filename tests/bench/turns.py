"""Several ways to one thing, measured in turn, so that what else the machine does meets all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import fmean, median

from bench.namespace import Namespace

TURNS, FEWEST = 15, 3
PATIENCE = 8.0
"""Seconds after which a way that takes long has had its turns, if it had the fewest."""

HEAD = ("turns", "median ms", "min ms", "CPU ms", "MB", "peak RSS MB")
"""What `Times.cells` are, after the name."""


@dataclass
class Times:
    """Each turn of one way: seconds, and processor seconds where they are known; and what came of the last.

    `size` is in bytes, `most` are the megabytes that the process had at most. The first turn, which finds nothing
    prepared, does not count. There are `fewest` others at least.
    """

    fewest: int = FEWEST
    size: int = 0
    most: float = 0.0
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The usual time, in seconds."""
        return median(self.seconds[1:])

    @property
    def least(self) -> float:
        """The shortest time, in seconds."""
        return min(self.seconds[1:])

    @property
    def enough(self) -> bool:
        """Whether there were as many turns as there are, or as much time as they may take."""
        turns = len(self.seconds) - 1
        return turns >= TURNS or (turns >= self.fewest and sum(self.seconds[1:]) > PATIENCE)

    def took(self, seconds: float, size: int, processor: float | None = None, most: float = 0.0) -> None:
        """Keep one turn."""
        self.size, self.most = size, most
        self.seconds.append(seconds)
        if processor is not None:
            self.processor.append(processor)

    def cells(self, name: str) -> list[str]:
        """A row of a table: name, turns, median, least, processor time, size, memory."""
        processor = f"{fmean(self.processor[1:]) * 1e3:,.0f}" if self.processor else "-"
        most = f"{self.most:,.0f}" if self.most else "-"
        times = (f"{seconds * 1e3:,.1f}" for seconds in (self.median, self.least))
        return [name, f"{len(self.seconds) - 1}", *times, processor, f"{self.size / 1e6:.2f}", most]


@dataclass(frozen=True)
class Way:
    """One way: what a turn does, which part of a namespace's numbers changes before, and how many count at least.

    One that `remembers` has a turn that does not count before each change, else what changed for others would count.
    """

    turn: Callable[[Times], None]
    namespace: Namespace
    share: float
    fewest: int = FEWEST
    remembers: bool = False


def measured(ways: Mapping[str, Way]) -> dict[str, Times]:
    """What each way took, one turn of each after the other."""
    times = {name: Times(way.fewest) for name, way in ways.items()}
    while not all(found.enough for found in times.values()):
        for name, way in ways.items():
            if times[name].enough:
                continue
            if way.remembers:
                way.namespace.beat()
                way.turn(Times())
            if way.share:
                way.namespace.change(way.share)
            way.namespace.beat()
            way.turn(times[name])
    return times
