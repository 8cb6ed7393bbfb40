"""A schedule at work."""

import gc
import random as global_random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from functools import lru_cache, partial
from unittest import mock

from fleetmeter.reader import series
from fleetmeter.reader.continuity import HOLD
from fleetmeter.schema.definition import StoredDefinition
from fleetmeter.writer import compaction, conversion
from simulator.checks import check_caught_up, check_settled, check_store
from simulator.exporter import Exporter, exactly
from simulator.replica import Replica
from simulator.schedule import Step
from simulator.scripts import Scripts
from simulator.stored import KEYS, counted_as_defined
from simulator.world import Violation, World

MOST_REPLICAS = 5
SMALL_LOG, LARGE_LOG = 150, 8 * 2**20
"""Bytes of a log that holds a batch or two, and of the usual one."""

SOME = 2
"""Fields that a step of a conversion moves."""

DAYS = 2 * 86_400.0

SELDOM = 20_000, 20, 20
"""When garbage is collected: a run makes little of it, and to look for it as usual takes a tenth of the time."""

_PARSE = lru_cache(1000)(StoredDefinition.parse)
"""Every exporter of every seed reads the same few definitions."""


class Simulation:
    """The world, the processes, and what happens to them."""

    def __init__(self, seed: int, scripts: Scripts) -> None:
        self.world = World(seed, scripts)
        self.replicas: list[Replica] = []
        self.exporters = [Exporter(self.world), Exporter(self.world)]
        self._jump = 0.0
        for _ in range(self.world.random.randint(1, 2)):
            self.start(small=self.world.random.random() < 0.2)

    def run(self, steps: Sequence[Step]) -> None:
        """Do what the schedule says, let everything settle, and check all the while; raises `Violation`."""
        with self._wall_clock():
            try:
                for step in steps:
                    self._step(step)
                self._settle()
            except Violation:
                raise
            except Exception as error:
                raise Violation(f"error: {error!r}") from error

    @contextmanager
    def _wall_clock(self) -> Iterator[None]:
        """A wall clock that jumps; nothing may depend on it. And no record's bit is lost in a float that is served."""

        def now() -> float:
            return 1e9 + self.world.seconds + self._jump

        with (
            mock.patch.object(time, "time", now),
            mock.patch.object(series, "unscaled", exactly),
            mock.patch.object(StoredDefinition, "parse", _PARSE),
            mock.patch.object(conversion, "FIELDS_PER_STEP", SOME),
            mock.patch.object(compaction, "LEAST", 0),
        ):
            yield

    def _step(self, step: Step) -> None:
        name, *arguments = step
        getattr(self, name)(*arguments)
        self.world.lean()
        self._check()

    def _check(self) -> None:
        for master in self.world.masters:
            check_store(self.world, master)

    def _acting(self, index: int) -> Replica | None:
        acting = [replica for replica in self.replicas if replica.acts]
        return acting[index % len(acting)] if acting else None

    def start(self, small: bool) -> None:
        """A new process; its log may be small."""
        if sum(replica.alive for replica in self.replicas) < MOST_REPLICAS:
            size = SMALL_LOG if small else LARGE_LOG
            self.replicas.append(Replica(self.world, f"replica {len(self.replicas)}", size))

    def record(self, index: int, removable: bool) -> None:
        """One replica records."""
        replica = self._acting(index)
        record = self.world.ledger.enter(removable=removable) if replica else None
        if replica and record:
            replica.record(record)

    def flush(self, index: int, deliveries: Sequence[str]) -> None:
        """One replica hands over."""
        replica = self._acting(index)
        if replica:
            self._flush(replica, deliveries)

    def _flush(self, replica: Replica, deliveries: Sequence[str]) -> bool:
        self.world.crashed_in = ""
        went_well = replica.attempt(replica.exchange.hand_over, list(deliveries))
        # a crash while ended writers are put away comes behind the hand-over, and is found with the next call
        answered = went_well and self.world.crashed_in not in ("fold", "convert", "compact") and replica.answers
        if answered and not replica.writer.must_greet and not replica.writer.ended:
            check_caught_up(self.world, replica, self.world.master(replica.caller.side))
        return went_well

    def beat(self, index: int, deliveries: Sequence[str]) -> None:
        """One replica gives a sign of life, if it is time."""
        replica = self._acting(index)
        if replica:
            replica.attempt(replica.exchange.beat, list(deliveries))

    def goodbye(self, index: int, deliveries: Sequence[str], ends: bool) -> None:
        """One replica shuts down; its process may end then, or record again later."""
        replica = self._acting(index)
        if replica and self._flush(replica, deliveries):
            replica.attempt(replica.exchange.say_goodbye, list(deliveries))
        if replica and ends:
            replica.die()

    def wait(self, seconds: float) -> None:
        """Time passes, and whoever is silent is silent. A twin's id is found out within days, not months."""
        self.world.seconds += min(seconds, DAYS) if self.world.twins else seconds

    def convert(self, index: int, steps: int, forced: bool, deliveries: Sequence[str]) -> None:
        """One replica does some steps of a conversion; `forced` ones even while others write fields."""
        packing = [replica for replica in self.replicas if replica.acts and replica.cells.families.paid.packed]
        if packing:
            replica = packing[index % len(packing)]
            for _ in range(steps):
                replica.attempt(partial(replica.convert, forced=forced), list(deliveries))
                self._check()

    def compact(self, index: int, which: int, deliveries: Sequence[str]) -> None:
        """One replica compacts a layout."""
        replica = self._acting(index)
        if replica:
            replica.attempt(partial(replica.compact, which), list(deliveries))

    def crash(self, index: int) -> None:
        """One process is killed."""
        replica = self._acting(index)
        if replica:
            replica.die()

    def fork(self, index: int) -> None:
        """One process forks."""
        replica = self._acting(index)
        if replica and len(self.replicas) < MOST_REPLICAS:
            self.replicas.append(replica.fork(f"replica {len(self.replicas)}", LARGE_LOG))

    def twin(self, index: int) -> None:
        """One machine is copied while it runs: what it had not handed over is then recorded twice."""
        replica = self._acting(index)
        if replica and not self.world.twins:
            self.world.twins, self.world.shared_id = True, replica.writer.id
            self.world.doubtful |= replica.waiting | replica.in_flight
            self.replicas.append(replica.twin(f"replica {len(self.replicas)}"))

    def pause(self, index: int) -> None:
        """One process stops for a while."""
        replica = self._acting(index)
        if replica:
            replica.pause()

    def wake(self, index: int, slept: bool) -> None:
        """One process goes on."""
        paused = [replica for replica in self.replicas if replica.alive and replica.paused_at is not None]
        if paused:
            paused[index % len(paused)].wake(slept=slept)

    def remove(self, index: int) -> None:
        """One replica removes a series of the fleet."""
        replica = self._acting(index)
        if replica:
            self.world.removals = True
            replica.remove()

    def late(self, index: int, side: int) -> None:
        """A late copy arrives."""
        self.world.deliver(index, side)

    def rollback(self, steps: int, side: int) -> None:
        """A store crashes and comes back in an earlier state."""
        self.world.roll_back(self.world.master(side), steps)

    def failover(self, steps: int, skew: float) -> None:
        """A replica that lags takes over; its clock is another."""
        self.rollback(steps, 0)
        self.world.master().promoted = True
        self.world.master().skew_us += int(skew * 1e6)

    def restore(self, index: int) -> None:
        """Some former state comes back; not to twins, which may have sent again what it holds, under another id."""
        if not self.world.twins:
            self.world.restore(self.world.master(), index)

    def split(self, steps: int) -> None:
        """Two masters; not for twins, as what both hold may be sent again under another id where one is behind."""
        if not self.world.twins:
            self.world.split(steps)

    def heal(self, winner: int) -> None:
        """One master again."""
        self.world.heal(winner)

    def wipe(self) -> None:
        """The store comes back empty."""
        self.world.wipe(self.world.master())

    def reset(self) -> None:
        """An operator resets the namespace."""
        in_flight = 0
        for replica in self.replicas:
            in_flight |= replica.in_flight if replica.alive else 0
        self.world.reset(self.world.master(), in_flight)

    def evict(self, index: int) -> None:
        """One key is dropped."""
        self.world.evict(self.world.master(), index)

    def full(self, full: bool) -> None:
        """The store refuses writes, or takes them again."""
        self.world.master().hashes.full = full

    def jump(self, seconds: float) -> None:
        """The clients' wall clock jumps."""
        self._jump += seconds

    def restart(self, index: int) -> None:
        """An exporter starts anew."""
        self.exporters[index].restart()

    def scrape(self, index: int, deliveries: Sequence[str], between: Step) -> None:
        """An exporter is scraped; something may happen in the middle."""
        interrupt = partial(self._step, between) if between else None
        self.exporters[index].scrape(list(deliveries), interrupt)

    def _settle(self) -> None:
        """Faults end; late copies still arrive. Then every living writer is caught up, and every exporter agrees."""
        world = self.world
        world.heal(0)
        world.master().hashes.full = False
        for replica in self.replicas:
            replica.wake(slept=False)
        self._let_months_pass()
        for number in range(3):
            world.seconds += 6
            for replica in self.replicas:
                if replica.alive and not self._flush(replica, ()):
                    raise Violation(f"stuck: {replica.name} cannot hand over though nothing is wrong")
            if number < 2:
                world.deliver_all()
            self._check()
            for exporter in self.exporters:
                exporter.scrape([])
        for replica in self.replicas:
            if replica.alive and replica.exchange.has_work:
                raise Violation(f"stuck: {replica.name} has work though nothing happens any more")
        check_settled(world, self.replicas)
        self._check_exporters()

    def _let_months_pass(self) -> None:
        """In some seeds one replica is alone for so long that all others are put away, and even that is forgotten."""
        waits = self.world.random.choice(((), (), (), (1000,), (90_000,), (90_000, 9_000_000)))
        for seconds in waits:
            self.wait(seconds)
            for replica in [replica for replica in self.replicas if replica.alive][:1]:
                self._flush(replica, ())

    def _check_exporters(self) -> None:
        world = self.world
        exporter = self.exporters[0]
        self.exporters[1].restart()
        world.seconds += HOLD + 1
        for each in self.exporters:
            each.scrape([])
        if exporter.held and world.master().hashes.hash(KEYS.writers):
            raise Violation("stuck: an old snapshot is held though all writers are caught up")
        served = self.exporters[1].scrape([])
        stored = counted_as_defined(world.master().hashes)
        if not world.evictions and stored and (served is None or served.get(("paid_total", ())) != stored):
            raise Violation("scrape: a fresh exporter does not show what is stored")


def run(seed: int, steps: Sequence[Step], scripts: Scripts) -> Violation | None:
    """What a schedule violates; the seed decides what the schedule leaves open."""
    before = gc.get_threshold()
    gc.set_threshold(*SELDOM)
    try:
        return copy_context().run(_run, seed, steps, scripts)
    finally:
        gc.set_threshold(*before)


def _run(seed: int, steps: Sequence[Step], scripts: Scripts) -> Violation | None:
    global_random.seed(seed)
    try:
        Simulation(seed, scripts).run(steps)
    except Violation as violation:
        return violation
    return None
