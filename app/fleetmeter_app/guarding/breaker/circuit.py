"""A circuit as one replica knows it: state, what it counted since it last told, and what it wants changed. No I/O."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from fleetmeter_app.guarding.breaker.config import BreakerConfig

State: TypeAlias = Literal["closed", "half_open", "open"]
Event: TypeAlias = list[Any]
"""As `circuit_report.lua` takes them."""

_ASK_AGAIN = 0.05
"""Seconds after which an open circuit whose time is over may be asked again: somebody is just fetching the probe."""

MOST_ASKED = 600.0
"""Seconds that a deployment may ask to be left alone; a longer wish is not believed."""


@dataclass(frozen=True)
class Told:
    """What the store says of a circuit; `until` is by this process's clock."""

    state: State
    changes: int
    until: float
    prober: str


@dataclass
class Circuit:
    """One deployment's circuit. Times are seconds of this process's monotonic clock.

    `ours` says that this replica may make the one probe of the fleet, `probing` that it is under way. `change` is what
    the store is to be told of the newest change here, None if it knows. While the store is away a circuit may open and
    close any number of times, and only the last of these counts.
    """

    deployment: str
    model: str
    state: State = "closed"
    changes: int = 0
    until: float = 0.0
    ours: bool = False
    probing: bool = False
    wanted: bool = False
    row: int = 0
    change: Event | None = None
    _calls: int = 0
    _failures: int = 0
    _row: int = 0
    _asked: float = 0.0

    def refuses(self, now: float) -> float | None:
        """None if it may be called now, else the seconds until that may be so."""
        if self.state == "closed" or (
            self.state == "half_open" and self.ours and not self.probing and now < self.until
        ):
            return None
        if now < self.until:
            return self.until - now
        self.wanted = True
        return _ASK_AGAIN

    def report(self, config: BreakerConfig, now: float, *, failed: bool, retry_after: float | None) -> bool:
        """Count a call that ended; whether the circuit changed, which others should know at once."""
        asked = min(retry_after or 0.0, MOST_ASKED) if failed else 0.0
        self._calls += 1
        self._failures += failed
        self._row = self._row + 1 if failed else 0
        self._asked = max(self._asked, asked)
        self.row = self.row + 1 if failed else 0
        if self.state == "half_open" and self.ours:
            self.ours = self.probing = False
            if failed:
                self._open(config, now, asked)
            else:
                self.state, self.until = "closed", 0.0
                self.change = [self.deployment, "close", self.changes]
            return True
        if self.state == "closed" and self.row >= config.consecutive_failures:
            self._open(config, now, self._asked)
            return True
        return False

    def _open(self, config: BreakerConfig, now: float, asked: float) -> None:
        self.state, self.until, self.row = "open", now + max(config.open_seconds, asked), 0
        self.change = [self.deployment, "open", self.changes, round(asked * 1e6)]

    def take_events(self, now: float) -> list[Event]:
        """What the store is to be told; the circuit forgets the counts, and `told` what it wants changed."""
        events = [] if self.change is None else [self.change]
        if self._calls and not events:
            row = self._row if self._row < self._calls else self._calls
            events.append([self.deployment, "calls", self._calls, self._failures, row, round(self._asked * 1e6)])
        if self.ours and self.probing:
            events.append([self.deployment, "hold", self.changes])
        elif self.wanted and self.state != "closed" and now >= self.until:
            events.append([self.deployment, "probe", self.changes])
        self._calls = self._failures = self._row = 0
        self._asked = 0.0
        return events

    def told(self, told: Told, sent: Event | None, replica: str) -> bool:
        """Take in what the store says, unless something happened since that it does not know; whether it is news.

        `sent` is the `change` that the store was told.
        """
        if self.change is not sent:
            return False
        self.change = None
        was = self.state
        began = told.prober == replica and told.changes != self.changes
        if told.state != "half_open" or told.prober != replica:
            self.ours = self.probing = False
        elif began:
            self.ours, self.probing = True, False
        if told.state == "closed" and was != "closed":
            self.row = 0
        self.state, self.changes, self.until, self.wanted = told.state, told.changes, told.until, False
        return was != told.state

    def probe_alone(self, config: BreakerConfig, now: float) -> None:
        """Try it without asking: the store is away, and its time is over."""
        if self.wanted and self.state != "closed" and now >= self.until:
            self.state, self.ours, self.probing, self.wanted = "half_open", True, False, False
            self.until = now + config.probe_seconds
