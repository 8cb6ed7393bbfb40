"""What an exporter may show, so that no number it has served goes down except on purpose.

The rows of a snapshot tell how far each writer has come: a store that was rolled back shows a lower row, or none. Then
the last good snapshot is held for a while, in which living writers send again what was lost. After that each number is
shown as the larger of served and stored. If 120 was served and the store is back at 100, the exporter shows 120 until
the store is above 120: the counter stands still for a while, and never goes down.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from fleetmeter.reader.floors import Floors, lost_numbers
from fleetmeter.reader.gathered import without_gathered
from fleetmeter.reader.numbers import Legibility, Numbers
from fleetmeter.reader.removals import Removed
from fleetmeter.reader.returned import Returned, kept_registrations
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.reader.twins import Twins, joined, packed_beside
from fleetmeter.reader.verdict import Cause, Reason, Verdict, judge

HOLD = 30.0
"""Seconds for which the last good snapshot is shown while writers send again what the store lost."""


@dataclass(frozen=True)
class Shown:
    """What to serve.

    `held` is true if an older snapshot is shown in the place of the newest. `counts_behind` is how many numbers of the
    store are below what is served. `cause` is the reason for either, as it was found when that began; else None.
    """

    snapshot: Snapshot
    held: bool = False
    counts_behind: int = 0
    cause: Cause | None = None


class Continuity:
    """The memory of one exporter for one namespace. Times are seconds of a clock that never goes back."""

    def __init__(self, hold_seconds: float = HOLD, clock: Callable[[], float] = time.monotonic) -> None:
        self._hold = hold_seconds
        self._clock = clock
        # what was shown last, with the store's rows of that time; a family that could not be read stays as it was
        self._served: Snapshot | None = None
        self._legibility = Legibility()
        self._floors = Floors()
        self._twins = Twins()
        self._behind_since: float | None = None
        self._cause: Cause | None = None
        self._stored_returned: Returned | None = None

    @property
    def known(self) -> frozenset[str]:
        """The writers whose rows were served. If one is missing next time, its fate decides what may be shown."""
        return frozenset(self._served.rows) if self._served is not None else frozenset()

    def show(self, snapshot: Snapshot) -> Shown:
        """What to serve, given what the store holds now."""
        served = self._served
        if served is None or _began_anew(served, snapshot):
            return self._accept(self._twins.join(snapshot), Floors(), {})
        snapshot = self._twins.join(snapshot, served.definitions)
        served = self._in_formats_of(snapshot, served)
        twins = packed_beside((*served.definitions, *snapshot.definitions))
        since = Removed.since(served.removed, snapshot.removed, served.taken_us, twins)
        numbers = without_gathered(since.taken_from(served.numbers), since, served, snapshot)
        lost = lost_numbers(numbers, snapshot.numbers)
        snapshot = replace(
            snapshot,
            definitions=kept_registrations(served.definitions, since, snapshot.definitions),
            returned=self._returned(snapshot.returned, served, numbers, since),
        )
        cause = judge(served, snapshot)
        verdict = cause.verdict if cause is not None else Verdict.AHEAD
        if verdict is Verdict.BEHIND:
            now = self._clock()
            if self._behind_since is None:
                self._behind_since, self._cause = now, cause
            if now - self._behind_since < self._hold:
                return Shown(replace(served, numbers=numbers), held=True, counts_behind=lost.count, cause=self._cause)
        elif verdict is Verdict.AHEAD:  # numbers may be missing all the same: a key was evicted, or deleted by hand
            lost = lost.without_new_sums(self._floors, numbers, snapshot.numbers)
        if self._cause is None and lost.count:
            self._cause = cause or Cause(verdict, Reason.NUMBERS_LOWER, served.epoch.id if served.epoch else "")
        return self._accept(snapshot, lost, numbers)

    def _in_formats_of(self, snapshot: Snapshot, served: Snapshot) -> Snapshot:
        """What was served, with those layouts packed that are so in a newer snapshot: both are compared as sums."""
        again = joined(served, snapshot.definitions)
        if again is not served:
            self._served, self._floors = again, self._floors.under(packed_beside(again.definitions))
        return again

    def _returned(self, stored: Returned, served: Snapshot, numbers: Numbers, since: Removed) -> Returned:
        """When removed series came back, as it is to be shown; mostly this is the answer of the last scrape."""
        if stored is self._stored_returned and not since:
            return served.returned
        self._stored_returned = stored
        return stored.but_served(served.returned, numbers)

    def _accept(self, snapshot: Snapshot, floors: Floors, before: Numbers) -> Shown:
        """Show a snapshot with these floors, and remember it; `before` are the numbers that were served before."""
        shown = snapshot
        if floors.count:
            old = {stored.definition.field: stored for stored in self._served.definitions} if self._served else {}
            here = {stored.definition.field for stored in snapshot.definitions}
            lost = tuple(old[field] for field in floors.families if field in old and field not in here)
            numbers = floors.raised(snapshot.numbers)
            shown = replace(snapshot, numbers=numbers, definitions=(*snapshot.definitions, *lost))
        if shown.epoch is None and self._served is not None:
            shown = replace(shown, epoch=self._served.epoch)  # until there is another, this is the one that was served
        self._served = replace(shown, numbers=self._legible(shown, before))
        self._floors, self._behind_since = floors, None
        if not floors.count:
            self._cause = None
        return Shown(shown, counts_behind=floors.count, cause=self._cause)

    def _legible(self, shown: Snapshot, before: Numbers) -> Numbers:
        """The numbers of families that can be served. If a family cannot be read, those from `before` are kept for it.

        A field that is no series, or a text that is no number, was never shown to anybody, so it is never put back.
        """
        kept = {}
        for stored in shown.definitions:
            field = stored.definition.field
            group = shown.numbers.get(field)
            if group is not None and not (group is before.get(field) or self._legibility.of(stored.definition, group)):
                group = before.get(field)
            if group is not None:
                kept[field] = group
        return kept


def _began_anew(served: Snapshot, snapshot: Snapshot) -> bool:
    """Whether this is another life of the namespace, whose counts began at 0 for everybody to see."""
    return snapshot.epoch is not None and (served.epoch is None or served.epoch.id != snapshot.epoch.id)
