"""Judges the scrapes of one fleet, one after the other: nothing may go down, and nothing may be torn."""

from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from support.exposition import Series

_EPOCH = "fleetmeter_state_epoch_timestamp_seconds"


@dataclass(frozen=True)
class Scrape:
    """One exposition, taken apart: every sample, and those among them that may never go down."""

    samples: dict[Series, float]
    cumulative: dict[Series, float]

    @classmethod
    def parse(cls, text: str) -> "Scrape":
        """Take a text exposition apart."""
        samples: dict[Series, float] = {}
        cumulative: dict[Series, float] = {}
        for family in text_string_to_metric_families(text):
            found = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in family.samples}
            samples |= found
            if family.type in ("counter", "histogram", "summary"):
                cumulative |= found
        return cls(samples, cumulative)

    def own(self, name: str) -> float | None:
        """A number of the exporter's own, None where it does not show it."""
        return self.samples.get((name, frozenset()))


@dataclass
class Judge:
    """What was found so far. Holds are in seconds."""

    scrapes: int = 0
    """Scrapes that showed the fleet's numbers."""
    blind: int = 0
    """Scrapes that showed none, as the store was away or the exporter had just started."""
    epochs: int = 0
    """Lives of the namespace that were seen."""
    decreases: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    longest_hold: float = 0.0
    latest: Scrape | None = None
    latest_at: float = 0.0
    """When the latest scrape was begun."""
    _held_since: float | None = None

    def miss(self) -> None:
        """A scrape that was answered with nothing to judge; it ends a hold."""
        self.blind += 1
        self._held_since = None

    def take(self, scrape: Scrape, at: float) -> None:
        """Judge a scrape that was begun at a time."""
        if scrape.own("fleetmeter_up") != 1:
            self.miss()
            return
        self.scrapes += 1
        before = self.latest
        epoch, epoch_before = scrape.own(_EPOCH), before.own(_EPOCH) if before is not None else None
        if epoch is not None and epoch != epoch_before:
            self.epochs += 1
        elif before is not None:
            self._find_decreases(before, scrape)
        held = scrape.own("fleetmeter_snapshot_held") == 1
        if not held and scrape.own("fleetmeter_counts_behind") == 0:
            self._find_torn(scrape)
        self._measure_hold(held, at)
        self.latest, self.latest_at = scrape, at

    def _find_decreases(self, before: Scrape, now: Scrape) -> None:
        for (name, labels), value in before.cumulative.items():
            found = now.cumulative.get((name, labels))
            if found is None or found < value:
                self.decreases.append(f"scrape {self.scrapes}: {name} {dict(labels)}: {value!r} then {found!r}")

    def _find_torn(self, scrape: Scrape) -> None:
        samples = scrape.samples
        for (name, labels), value in samples.items():
            other = {
                "chaos_left_total": ("chaos_right_total", labels),
                "chaos_right_total": ("chaos_left_total", labels),
                "chaos_seconds_count": ("chaos_seconds_bucket", labels | {("le", "+Inf")}),
            }.get(name)
            if other is not None and samples.get(other) != value:
                text = f"{name} {dict(labels)} is {value!r}, {other[0]} {samples.get(other)!r}"
                self.torn.append(f"scrape {self.scrapes}: {text}")

    def _measure_hold(self, held: bool, at: float) -> None:
        if self._held_since is not None:
            self.longest_hold = max(self.longest_hold, at - self._held_since)
        if not held:
            self._held_since = None
        elif self._held_since is None:
            self._held_since = at
