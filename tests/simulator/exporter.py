"""A process that reads: the library's own reader, continuity and families, and what must hold of each scrape."""

from collections.abc import Callable, Mapping

from fleetmeter.errors import StoreError
from fleetmeter.reader.continuity import HOLD, Continuity
from fleetmeter.reader.families import families_of
from fleetmeter.reader.life import Life
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.schema.keys import EPOCH_FIELD
from fleetmeter.schema.rows import HEARTBEAT, Epoch
from fleetmeter.schema.scale import unscaled
from fleetmeter.writer.housekeeping import SILENCE
from fleetmeter_exporter.start import Start
from simulator.door import Connection, reader_through
from simulator.ledger import FIELDS, GONE, LOAD, LOADS, ONES, TOOK, missing, number_of
from simulator.stored import KEYS, LAYOUTS
from simulator.world import Caller, Violation, World

_NAMES = [layout.name for layout in FIELDS]

Series = tuple[str, tuple[tuple[str, str], ...]]
Served = dict[Series, float]


class Exporter:
    """One exporter's life after the other behind one address."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.caller = Caller(side=world.random.randrange(2))
        self.restart()

    def restart(self) -> None:
        """A new process, which knows nothing of what was served."""
        self._connection = Connection(self._world, self.caller)
        self._reader = reader_through(self._connection, self._seconds)
        self._continuity = Continuity(clock=self._seconds)
        self._start = Start(self._reader.glance, HEARTBEAT, self._seconds, self._life)
        self._born = self._world.seconds
        self._served: Served | None = None
        self._shown: Snapshot | None = None
        self._samples: Served = {}
        self._found_whole: Served | None = None
        self._epoch = ""
        self._removed: Mapping[bytes, bytes] = {}
        self._whole = True
        self.held = False
        self._rows: dict[str, int] = {}
        self._shared_row = 0
        self._held_since: float | None = None

    def _seconds(self) -> float:
        return self._world.seconds

    def _life(self) -> Life | None:
        return self._world.life(self._world.master(self.caller.side))

    def _check_start(self) -> None:
        """Who answers at once knows that replicas have nothing to send again."""
        master = self._world.master(self.caller.side)
        epoch = master.hashes.hash(KEYS.writers).get(EPOCH_FIELD)
        ago = self._world.seconds - master.went_back
        early = self._world.seconds - self._born < HEARTBEAT and ago < HEARTBEAT
        if early and epoch and Epoch.parse(epoch).birth_us < self._world.now_us(master) - int(ago * 1e6):
            raise Violation(f"start: an exporter answers {ago} s after the store went back")

    def scrape(self, deliveries: list[str], between: Callable[[], None] | None = None) -> Served | None:
        """What is served, checked; None where the store cannot be read, or it is too early.

        `between` happens between the first and the second round trip.
        """
        self.caller.deliveries = list(deliveries)
        try:
            was_over = self._start.over
            if self._start.seconds_left():
                return None
            if not was_over:
                self._check_start()
            self._connection.interrupt(between)
            snapshot = self._reader.read(self._continuity.known)
        except StoreError:
            return None
        finally:
            self._connection.interrupt(None)
            self.caller.deliveries = []
        shown = self._continuity.show(snapshot)
        self.held = shown.held
        if not shown.held:
            self._whole = shown.counts_behind == 0
        served = self._samples_of(shown.snapshot)
        lossless = not (self._world.switches or self._world.removals)  # an exporter may miss the note of a removal
        if lossless and (shown.counts_behind or (shown.held and self._world.seconds < SILENCE)):
            raise Violation(
                f"held: {shown.cause} and {shown.counts_behind} counts behind, though no store lost anything"
            )
        twice = int(served.get(("paid_total", ()), 0)) >> 1 & ONES & ~self._world.doubtful
        if twice:
            raise Violation(f"doubled: {number_of(twice)} records are shown twice")
        defined = {stored.definition.name for stored in shown.snapshot.definitions}
        whole = defined.issuperset(_NAMES)
        if self._whole and whole and not self._world.evictions:
            self._check_whole(served, fresh=not shown.held)
        self._check_hold(snapshot)
        self._check_order(served, shown.snapshot, snapshot.removed)
        return served

    def _samples_of(self, snapshot: Snapshot) -> Served:
        """The samples of a snapshot. If it has what the last one had, they are the same, and in their places."""
        before, self._shown = self._shown, snapshot
        if not (before and not snapshot.problems and _has_the_same(before, snapshot)):
            self._samples = _served(snapshot)
            self._check_places(self._samples)
        return self._samples

    def _check_hold(self, snapshot: Snapshot) -> None:
        """While rows are lower than they were, the last good snapshot is shown for a while, so that nothing is torn."""
        if self.held:
            self._held_since = self._seconds() if self._held_since is None else self._held_since
            return
        before = self._rows if snapshot.epoch and snapshot.epoch.id == self._epoch else {}
        lower = [writer for writer, row in snapshot.rows.items() if writer in before and row.applied < before[writer]]
        if lower and (self._held_since is None or self._seconds() - self._held_since < HOLD):
            raise Violation(f"torn scrape: the rows of {lower} went back, and nothing is held")
        self._rows, self._held_since = {writer: row.applied for writer, row in snapshot.rows.items()}, None

    def _check_places(self, served: Served) -> None:
        """No number is shown under another series."""
        for (name, labels), value in served.items():
            if name in ("twin_total", "gone_total"):
                strangers = self._world.ledger.strangers(int(value), labels[0][1])
                if strangers:
                    raise Violation(
                        f"misplaced: {name} of {labels[0][1]} shows {number_of(strangers)} records of others"
                    )

    def _check_whole(self, served: Served, *, fresh: bool) -> None:
        """Nothing is torn, and what is not held is what the store holds."""
        paid = int(served.get(("paid_total", ()), 0))
        if served is not self._found_whole:
            self._check_parts(served, paid)
            self._found_whole = served
        if fresh and paid != self._connection.counted:
            raise Violation("scrape: what is served is not what the store holds")

    def _check_parts(self, served: Served, paid: int) -> None:
        ledger = self._world.ledger
        twin = sum(int(value) for (name, _), value in served.items() if name == "twin_total")
        count, seconds = (served.get((f"took_seconds_{part}", ()), 0) for part in ("count", "sum"))
        if twin != paid or count != number_of(paid) or served.get(("load_count", ()), 0) != count:
            raise Violation("torn scrape: what was recorded in one block is not seen together")
        if served.get(("took_seconds_bucket", (("le", "+Inf"),)), 0) != count:
            raise Violation("torn scrape: the buckets do not add up to the count")
        if round(seconds * 1e6) != ledger.micros(paid):
            raise Violation("inexact scrape: the sum of seconds is not what was recorded")
        if served.get(("load_sum", ()), 0) * LOADS != ledger.load(paid):
            raise Violation("inexact scrape: the sum of loads is not what was recorded")

    def _check_order(self, served: Served, snapshot: Snapshot, removed: Mapping[bytes, bytes]) -> None:
        """No number goes down within one epoch, but for a series that was removed."""
        epoch = snapshot.epoch.id if snapshot.epoch else ""
        removes = any(int(time) > int(self._removed.get(field, 0)) for field, time in removed.items())
        if self._served is not None and self._epoch == epoch and not self._world.unseen:
            for series, before in self._served.items():
                may_go = (removes and series[0].startswith(GONE.name)) or self._ambiguous(series, snapshot)
                if served.get(series, -1) < before and not may_go:
                    raise Violation(f"decrease: {series[0]} from {before} to {served.get(series)}")
        self._served, self._epoch, self._removed = served, epoch, removed
        self._shared_row = self._row_of_copies(snapshot)

    def _ambiguous(self, series: Series, snapshot: Snapshot) -> bool:
        """Whether a lower number may be right for all that an exporter knows: a sum, if observations are negative.

        A key that was evicted has one, if it was filled anew with more observations than were served. So has a store
        that lost a batch of one copy of a process, if the other copy has brought the row above that batch, and one of
        two masters that lacks another batch than the first, if a log was too small to send it again.
        """
        family = next((family for family in (TOOK, LOAD) if series[0] == f"{family.name}_sum"), None)
        return family is not None and (
            any(LAYOUTS[key][1].name == family.name for key in self._world.evictions & LAYOUTS.keys())
            or self._other_copy_went_on(snapshot)
            or (self._lacks_served() and any(row.given_up for row in snapshot.rows.values()))
        )

    def _other_copy_went_on(self, snapshot: Snapshot) -> bool:
        """Whether the store lacks what was served, and the row that two copies share is above the one served."""
        return self._lacks_served() and 0 < self._shared_row < self._row_of_copies(snapshot)

    def _lacks_served(self) -> bool:
        """Whether a store that went back lacks something that was served."""
        served = int((self._served or {}).get(("paid_total", ()), 0))
        return bool(self._world.switches and missing(served, self._connection.counted))

    def _row_of_copies(self, snapshot: Snapshot) -> int:
        shared = self._world.shared_id
        row = snapshot.rows.get(shared) or snapshot.retired.get(shared)
        return row.applied if row is not None else 0


def _has_the_same(before: Snapshot, snapshot: Snapshot) -> bool:
    return before.definitions == snapshot.definitions and (
        before.numbers.keys() == snapshot.numbers.keys()
        and all(before.numbers[field] is group for field, group in snapshot.numbers.items())
    )


def _served(snapshot: Snapshot) -> Served:
    return {
        (family.definition.name + sample.suffix, sample.labels): sample.value
        for family in families_of(snapshot)
        for sample in family.samples
    }


def exactly(stored: float, scale: int) -> float:
    """As `unscaled`, but whole if it is: the bits of all records are more than a float has."""
    return stored // scale if scale != 1 and isinstance(stored, int) and not stored % scale else unscaled(stored, scale)
