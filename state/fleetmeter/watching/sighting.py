"""Sightings: the fleet at one instant, and the change since the sighting before."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from fleetmeter.errors import FleetmeterError, StateError
from fleetmeter.reader.families import legible_families
from fleetmeter.reader.identities import Identities, Identity
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.watching.target import Target
from fleetmeter.watching.totals import Totals


@dataclass(frozen=True)
class Sighting:
    """The fleet at one instant. `at` is a reading of the monotonic clock, in seconds.

    `problems` has the parts of the state that cannot be read; the totals lack them. `took` is how long reading took,
    in seconds.
    """

    snapshot: Snapshot
    totals: Totals
    identities: dict[str, Identity]
    at: float
    problems: Sequence[StateError] = ()
    took: float = 0.0


class Watch:
    """The last two sightings. `now` is the last one, None before the first; `trouble` says why a newer one failed.

    `buckets_of` names the histograms whose buckets are looked at, too.
    """

    def __init__(
        self, target: Target, clock: Callable[[], float] = time.monotonic, buckets_of: Collection[str] = ()
    ) -> None:
        self.target = target
        self.now: Sighting | None = None
        self.trouble: str | None = None
        self._before: Sighting | None = None
        self._clock = clock
        self._buckets_of = buckets_of
        self._reader = target.reader()
        self._client = target.client()
        self._identities = Identities(self._client, target.keys)

    def look(self) -> None:
        """Read the store once. If that fails, the last sighting stays, and `trouble` says why."""
        self.take(self.sight())

    def sight(self) -> "Sighting | FleetmeterError":
        """Read the store once, or why that failed. It changes nothing, so that it may be called by another thread."""
        began = self._clock()
        try:
            snapshot = self._reader.read()
            families, problems = legible_families(snapshot)
            shown = [writer for writer, row in snapshot.rows.items() if not row.said_goodbye]
            identities = self._identities.of(shown)
            totals = Totals.of(families, self._buckets_of)
        except FleetmeterError as error:
            return error
        now = self._clock()
        return Sighting(snapshot, totals, identities, now, problems, now - began)

    def take(self, found: "Sighting | FleetmeterError") -> None:
        """Make what `sight` returned the last sighting, or say why there is no newer one."""
        if isinstance(found, FleetmeterError):
            self.trouble = str(found)
        else:
            self._before, self.now, self.trouble = self.now, found, None

    @property
    def age(self) -> float | None:
        """Seconds since the store was last read."""
        return None if self.now is None else self._clock() - self.now.at

    def rate(self, measure: Callable[[Totals], float]) -> float | None:
        """How much `measure` grew per second between the last two sightings; None if that is not known.

        It is not known before the second sighting, after a new epoch, or if the measure went down.
        """
        if self.now is None or self._before is None:
            return None
        old, new = self._before.snapshot, self.now.snapshot
        seconds = (new.taken_us - old.taken_us) / 1e6
        grown = measure(self.now.totals) - measure(self._before.totals)
        if seconds <= 0 or grown < 0 or old.epoch is None or new.epoch is None or old.epoch.id != new.epoch.id:
            return None
        return grown / seconds

    def close(self) -> None:
        """Close the connections."""
        self._reader.close()
        self._client.close()
