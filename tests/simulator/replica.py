"""A process that records: the library's own accumulator, cells, writer and exchange, on a virtual clock."""

from collections.abc import Callable
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import replace
from typing import Any
from unittest import mock

from fleetmeter.errors import StoreError
from fleetmeter.values.accumulator import Accumulator
from fleetmeter.values.batch import Batch
from fleetmeter.values.delta import Delta, Removal
from fleetmeter.writer import conversion
from fleetmeter.writer.compaction import Compact
from fleetmeter.writer.exchange import Exchange
from fleetmeter.writer.messages import Answer, Call, Outcome
from fleetmeter.writer.protocol import Writer
from fleetmeter.writer.replay import ReplayLog
from simulator.cells import Cells
from simulator.door import Connection, store_through
from simulator.ledger import FORMATS, PACKED, Families, Record, missing
from simulator.stored import counted, records_in
from simulator.world import Caller, World


class Observed(Writer):
    """The writer, watched: its replica is told what each answer changed."""

    replica: "Replica"

    def submit(self, delta: Delta) -> None:
        """Give the next number to a batch."""
        before = self.id
        if self.replica.removes:
            self.replica.removes = False
            delta = replace(delta, removals=(self.replica.removal(),))
        super().submit(delta)
        self.replica.submitted(delta, renewed=self.id != before)

    def receive(self, call: Call, answer: Answer) -> Outcome:
        """Take in an answer."""
        replica = self.replica
        identity, epoch, in_flight = self.id, self.epoch, replica.in_flight
        outcome = super().receive(call, answer)
        replica.epochs.add(epoch)
        if epoch is not None and self.epoch != epoch:
            replica.forgot(in_flight, deliberate=answer.deliberate)
        if self.id != identity:
            replica.renewed(in_flight)
            if outcome.trouble == "foreign":
                replica.caller.left.add(identity)
        else:
            replica.lost += outcome.lost
        replica.answers += 1
        return outcome


class Replica:
    """One process life. `alive` ends with a crash or a clean end; a paused one does nothing until it wakes up.

    `waiting` is what was recorded and is in no batch yet. `batches` has the records of each batch under the present
    id, `past` those acknowledged under former ones; `lost` is how many batches the present id has counted as lost;
    `given_up` the records that the writer dropped itself, `forgotten` those of a namespace that began anew.
    """

    def __init__(self, world: World, name: str, keep_bytes: int, families: Families | None = None) -> None:
        self.world = world
        self.name = name
        self.caller = Caller(side=world.random.randrange(2))
        self.alive = True
        self.paused_at: float | None = None
        self._slept = world.random.uniform(0, 1e6)
        self.removes = False
        self.waiting = self.answers = 0
        self.batches: list[int] = []
        self.past = self.lost = self.given_up = self.forgotten = 0
        self.epochs: set[str | None] = set()
        self.returned = False
        """Whether an epoch came back that it had left: the row then counts only what was given up since."""
        self.doubtful = 0
        """Records whose fate nobody can know: pending or in flight when the process died."""
        self.accumulator = Accumulator(lambda: None, lambda *_: None)
        self.cells = Cells(self.accumulator, families or world.families())
        self._compose(Observed(world.new_id, self.monotonic, ReplayLog(keep_bytes=keep_bytes), world.new_token))

    def _compose(self, writer: Observed) -> None:
        self.writer = writer
        writer.replica = self
        self.connection = Connection(self.world, self.caller)
        telemetry: Any = Silence()
        store = store_through(self.connection, packed=self.cells.families.paid.packed)
        self.exchange = Exchange(
            self.accumulator, writer, store, telemetry, {"replica": self.name, "pid": "1"}, self.monotonic
        )

    def monotonic(self) -> float:
        """This process' clock, which stands still while the machine sleeps."""
        return (self.world.seconds if self.paused_at is None else self.paused_at) - self._slept

    def pause(self) -> None:
        """Stop, in the middle of things."""
        if self.paused_at is None:
            self.paused_at = self.world.seconds

    def wake(self, *, slept: bool) -> None:
        """Go on; after a sleep of the whole machine the clock has not moved."""
        if self.paused_at is not None:
            if slept:
                self._slept += self.world.seconds - self.paused_at
            self.paused_at = None

    @property
    def acts(self) -> bool:
        """Whether it can do anything now."""
        return self.alive and self.paused_at is None

    def record(self, record: Record) -> None:
        """One atomic block."""
        self.cells.record(record)
        self.waiting |= record.amount

    def removal(self) -> Removal:
        """Of one series that everybody may have, or of all."""
        batch = Batch()
        batch.remove(self.cells.families.gone, [self.world.formats.choice(("x", "x", "y", None))])
        return batch.removals[0]

    def remove(self) -> None:
        """Remove a series of the fleet with the next batch."""
        self.removes = True

    def convert(self, *, forced: bool) -> None:
        """One step of a conversion, if it is for this replica to convert; `forced` in any case."""
        converter, writer = self.exchange._converter, self.writer
        if self.exchange.living and writer.epoch is not None and not writer.must_greet:
            with mock.patch.object(conversion, "converts", return_value=True) if forced else nullcontext():
                if not converter._left:
                    converter.find(writer.id, self.world.now_us(self.world.master(self.caller.side)))
            converter.step(writer.epoch, writer.id)

    def compact(self, which: int) -> None:
        """Compact a packed layout, whether it is worth it or not."""
        writer, layout = self.writer, PACKED[which % len(PACKED)]
        if writer.epoch is not None and not writer.must_greet:
            call = Compact(writer.epoch, writer.id, (layout.field,), least=0, share=0, most=999)
            self.exchange._store.compact(call)

    def attempt(self, action: Callable[[], None], deliveries: list[str]) -> bool:
        """Do something with the store under these faults; whether it went well."""
        self.caller.deliveries = list(deliveries)
        self.caller.calls = self.answers = 0
        try:
            action()
        except StoreError:
            return False
        finally:
            self.caller.deliveries = []
        return True

    def forgot(self, in_flight: int, *, deliberate: bool) -> None:
        """The namespace began anew: what was acknowledged before is no part of it."""
        before = missing(self.everything & ~in_flight, counted(self.world.master(self.caller.side).hashes))
        self.forgotten |= before
        comes_back = self.writer.epoch in self.epochs
        self.returned |= comes_back
        self.epochs.add(self.writer.epoch)
        if deliberate:
            self.world.excused |= before
            if self.writer.epoch and not comes_back:
                self.world.forbid(self.writer.epoch, before)

    def renewed(self, in_flight: int) -> None:
        """The writer took a new id; what was acknowledged stays under the old one."""
        again = self.in_flight
        self.given_up |= in_flight & ~again
        self.past |= self.everything & ~(in_flight | again)
        self.batches = [again] if again else []
        self.lost = 0

    def submitted(self, delta: Delta, *, renewed: bool) -> None:
        """A batch got its number."""
        if renewed:
            self.past |= self.everything
            self.batches, self.lost = [], 0
        amount = paid_in(delta)
        if amount:
            self.batches.append(amount)
            self.waiting &= ~amount

    def joined(self, delta: Delta) -> None:
        """More went into the batch in flight, which no correct writer does."""
        if self.batches:
            self.batches[-1] |= paid_in(delta)
            self.waiting &= ~paid_in(delta)

    @property
    def everything(self) -> int:
        """The records of all batches under the present id."""
        return sum(self.batches)

    def die(self) -> None:
        """End, at once and for good."""
        self.alive = False
        self.doubtful = self.waiting | self.in_flight

    @property
    def in_flight(self) -> int:
        """The records of the batch that waits for its acknowledgement."""
        delta = self.writer._in_flight
        return 0 if delta is None else paid_in(delta)

    def fork(self, name: str, keep_bytes: int) -> "Replica":
        """A child, by the library's own rules: everything is copied, then it starts empty."""
        child = Replica(self.world, name, keep_bytes, self.cells.families)
        child.cells.copy(self.cells)
        child.accumulator._awake = self.accumulator._awake
        child.accumulator.after_fork_in_child()
        return child

    def twin(self, name: str) -> "Replica":
        """A copy of the whole machine that goes on beside it: the same memory, the same id."""
        other = Replica(self.world, name, 0, self.cells.families)
        other.cells.copy(self.cells)
        other.accumulator._awake = self.accumulator._awake
        other.accumulator._resting = self.accumulator._resting
        other.cells.copy_news(self.cells)
        outside = ("replica", "_new_id", "_new_token", "_clock")
        memory = {key: value for key, value in vars(self.writer).items() if key not in outside}
        vars(other.writer).update(deepcopy(memory))
        vars(other.exchange._store)["_directory"] = deepcopy(self.exchange._store._directory)
        other.waiting = self.waiting
        other.batches = list(self.batches)
        other.past, other.lost, other.given_up, other.forgotten = self.past, self.lost, self.given_up, self.forgotten
        return other


class Silence:
    """In the place of the machinery's own metrics, which the simulator does not look at."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


def paid_in(delta: Delta) -> int:
    """The records of a batch."""
    return sum(
        records_in(families.paid, int(amount))
        for families in FORMATS
        for amount in delta.adds.get(families.paid.field, {}).values()
    )
