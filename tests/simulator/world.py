"""Stores with their histories, the network before them, and the faults of both. Time is virtual."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import redis

from fleetmeter.reader.life import Life
from fleetmeter.schema.keys import EPOCH_FIELD, STATE_FORMAT
from fleetmeter.writer.housekeeping import GOODBYE_GRACE, RETIRED_LIFE, SILENCE
from simulator.bitfield import CommandError
from simulator.blocks import leaning
from simulator.hashes import Frozen, Hashes
from simulator.ledger import FORMATS, LARGEST, ONES, PACKED, Families, Ledger, missing
from simulator.scripts import ScriptReply, Scripts
from simulator.stored import GHOST, KEYS, LAYOUTS, PLACES, amount, counted, counted_in, evicted, numbers

START_US = 1_800_000_000 * 10**6
LEANING = 0.3
"""The part of seeds in which slots are near what is carried."""

MOST_CALLS = 60
"""Calls that one step of one replica may take; more mean that it is stuck."""


class Violation(AssertionError):
    """An invariant does not hold."""


@dataclass(frozen=True)
class Request:
    """A call on its way, and whose it is."""

    script: str
    keys: Sequence[str]
    arguments: Sequence[object]
    sent: float = 0.0
    caller: "Caller | None" = None


@dataclass
class Master:
    """A store that takes writes, and every state that it was in."""

    hashes: Hashes
    history: list[Frozen] = field(default_factory=list)
    skew_us: int = 0
    promoted: bool = False
    went_back: float = float("-inf")
    """When it last started with older data, in virtual seconds."""
    checked: Frozen = field(default_factory=dict)
    """The numbers that were found right, and so need no second look."""


@dataclass
class Caller:
    """Whoever has a connection: which of two masters it reaches, and what befalls its next calls.

    `left` are the ids that it gave up because another process has them.
    """

    side: int = 0
    deliveries: list[str] = field(default_factory=list)
    calls: int = 0
    left: set[str] = field(default_factory=set)


class World:
    """Everything outside the processes.

    `vanished` holds the records that a store had and lost; `evicted` those whose key was evicted; `excused` those that
    an operator's reset took; `forbidden` by epoch those that must not come back in it.
    """

    def __init__(self, seed: int, scripts: Scripts) -> None:
        self.random = Random(seed)
        self.formats = Random(f"formats of {seed}")
        self._mixture = self.formats.choice((FORMATS, FORMATS[:1], FORMATS[1:]))
        self._leans = self.formats.random() < LEANING
        self.ledger = Ledger(self.random)
        self.seconds = 0.0
        self.masters = [Master(Hashes(LARGEST))]
        self.everything: list[Frozen] = [self.masters[0].hashes.freeze()]
        self.masters[0].history.append(self.everything[0])
        self._when = {id(self.everything[0]): 0.0}
        self.network: list[Request] = []
        self.vanished = self.evicted = self.excused = self.doubtful = 0
        self.twins = False
        self.shared_id = ""  # the id that two copies of a process had when they became two
        self.evictions: set[str] = set()
        self.converted = False
        """Whether a step of a conversion was ever sent."""
        self.removals = False
        """Whether anybody wanted to remove a series."""
        self.unseen = False
        """Whether a store that had dropped a row on purpose went back: no row tells an exporter of what it lost."""
        self._rows_evicted = float("-inf")
        self.forbidden: dict[str, int] = {}
        self.crashed_in = ""  # the script of the last call in which a store crashed
        self.switches = 0
        self._ids = self._tokens = 0
        self.log: list[str] | None = None
        self._scripts = scripts

    def new_id(self) -> str:
        """An id that nobody has."""
        self._ids += 1
        return f"id{self._ids}"

    def new_token(self) -> int:
        """A token that no batch has."""
        self._tokens += 1
        return self._tokens

    def families(self) -> Families:
        """Those of a new process: a seed has processes that pack their numbers, that do not, or some of both."""
        return self.formats.choice(self._mixture)

    def master(self, side: int = 0) -> Master:
        """The master that callers of a side reach."""
        return self.masters[side % len(self.masters)]

    def call(self, caller: Caller, request: Request) -> ScriptReply:
        """The reply to a call, if the network lets it through; raises what a redis client raises."""
        caller.calls += 1
        if caller.calls > MOST_CALLS:
            raise Violation("stuck: a step takes no end of calls")
        kind = caller.deliveries.pop(0) if caller.deliveries else "ok"
        if kind in ("late", "copy"):
            self.network.append(replace(request, sent=self.seconds, caller=caller))
        if kind in ("no_request", "late"):
            raise redis.TimeoutError(kind)
        master = self.master(caller.side)
        try:
            reply = self.execute(master, request)
        except CommandError as error:
            raise redis.ResponseError(str(error)) from error
        finally:
            if kind.startswith("crash"):
                self.roll_back(master, int(kind.removeprefix("crash")))
                self.crashed_in = request.script
        if kind == "no_reply" or kind.startswith("crash"):
            raise redis.ConnectionError(kind)
        return [text.encode() for text in reply]

    def execute(self, master: Master, request: Request) -> ScriptReply:
        """Run a script."""
        hashes = master.hashes
        hashes.now_us = self.now_us(master)
        self.converted |= request.script == "convert"
        try:
            return self._scripts.run(request.script, hashes, request.keys, request.arguments)
        finally:
            if hashes.changed:
                self._note(master)

    def now_us(self, master: Master) -> int:
        """A master's clock."""
        return START_US + int(self.seconds * 1e6) + master.skew_us

    def life(self, master: Master) -> Life | None:
        """What a store's INFO tells, see `Life`."""
        started_us = START_US + int(max(master.went_back, 0.0) * 1e6) + master.skew_us
        return None if master.promoted else Life(started_us)

    def _note(self, master: Master) -> None:
        state = master.hashes.freeze()
        self._when[id(state)] = self.seconds
        master.history.append(state)
        self.everything.append(state)

    def deliver(self, index: int, side: int) -> None:
        """Let a late copy of a call arrive; the copy stays on its way.

        Unless it is too late for the protocol: see `_too_late`.
        """
        request = self.network[index % len(self.network)] if self.network else None
        if request and not self._too_late(request):
            with suppress(CommandError):
                self.execute(self.master(side), request)

    def _too_late(self, request: Request) -> bool:
        """Whether a copy would do what the protocol cannot undo; docs/limits.md tells of the second kind.

        A hello after the row of a writer that said goodbye was dropped, or after all rows were evicted, makes a new
        row. And where a store went back, a batch under an id that its writer has left to another process finds its
        place again, while its content was sent again under the new id.
        """
        if request.script == "hello":
            return request.sent <= max(self.seconds - GOODBYE_GRACE, self._rows_evicted)
        left = request.caller is not None and not request.caller.left.isdisjoint(request.arguments)
        return left and self.switches > 0

    def deliver_all(self) -> None:
        """Let every late copy arrive."""
        for index in range(len(self.network)):
            self.deliver(index, 0)

    def roll_back(self, master: Master, steps: int) -> None:
        """A crash, or a failover to a replica that lags: the store is in an earlier state of its history."""
        position = max(0, len(master.history) - 1 - steps)
        if self._young(master.history[position]):
            del master.history[position + 1 :]
            self._switch(master, master.history[position])

    def restore(self, master: Master, index: int) -> None:
        """Somebody restores a state that any store was ever in."""
        state = self.everything[index % len(self.everything)]
        if self._young(state):
            self._switch(master, state)
            self._note(master)

    def _young(self, state: Frozen) -> bool:
        """Whether a state may come back: in an older one a retired number is dropped before its writer could call."""
        return self.seconds - self._when[id(state)] < RETIRED_LIFE - SILENCE

    def _switch(self, master: Master, state: Frozen) -> None:
        before = counted(master.hashes)
        self.unseen |= "@horizon" in master.hashes.hash(KEYS.retired)
        master.hashes.thaw(state)
        master.went_back = self.seconds
        self._lose(before, master)

    def _lose(self, before: int, master: Master) -> None:
        self.switches += 1
        self.vanished |= missing((before | before >> 1) & ONES, counted(master.hashes))

    def split(self, steps: int) -> None:
        """A second master: a replica that lags, and that some callers reach."""
        old = self.masters[0]
        position = max(0, len(old.history) - 1 - steps)
        if len(self.masters) == 1 and self._young(old.history[position]):
            new = Master(Hashes(LARGEST), old.history[: position + 1], old.skew_us, True, self.seconds)
            new.hashes.thaw(old.history[position])
            self.unseen |= "@horizon" in old.hashes.hash(KEYS.retired)
            before = counted(old.hashes)
            self.masters.append(new)
            self._lose(before, new)

    def heal(self, winner: int) -> None:
        """One master stays; what only the other had is lost."""
        if len(self.masters) == 2:
            loser = self.masters[1 - winner]
            self.unseen |= "@horizon" in loser.hashes.hash(KEYS.retired)
            self.masters = [self.masters[winner]]
            self._lose(counted(loser.hashes), self.masters[0])

    def wipe(self, master: Master) -> None:
        """The store comes back empty."""
        self._switch(master, {})
        self._note(master)

    def reset(self, master: Master, unknown: int) -> None:
        """An operator begins the namespace anew; `unknown` are records whose batch may be sent again in it."""
        present = counted(master.hashes)
        here = (present | present >> 1) & ONES
        self.excused |= here
        master.hashes.thaw({})
        master.hashes.full, full = False, master.hashes.full
        identity = self.new_id()
        self.forbid(identity, here & ~unknown & ~self.doubtful)
        epoch = f"{identity} {self.now_us(master)} {STATE_FORMAT} reset"
        for key in (KEYS.writers, KEYS.retired):
            master.hashes.execute("HSET", key, EPOCH_FIELD, epoch)
        master.hashes.full = full
        self.switches += 1
        self._note(master)

    def forbid(self, epoch: str, records: int) -> None:
        """Records of before a reset, which must not be counted after it."""
        self.forbidden[epoch] = self.forbidden.get(epoch, 0) | records

    def evict(self, master: Master, index: int) -> None:
        """The store drops a single key.

        Of the two that hold the epoch one stays until a hello mends the other. Twins need their row to be told apart.
        """
        kept = {GHOST, KEYS.writers, KEYS.retired} if self.twins or None in _epochs(master.hashes) else {GHOST}
        keys = sorted(key for key in master.hashes.names() if key not in kept)
        if not keys:
            return
        key = keys[index % len(keys)]
        gone = self._records_under(master.hashes, key) if key in LAYOUTS else 0
        if gone is None:
            return
        master.hashes.full, full = False, master.hashes.full
        if key in LAYOUTS:
            _, layout = LAYOUTS[key]
            master.hashes.execute("HSET", GHOST, layout.field, gone)
            self.evicted |= gone & ONES | gone >> 1 & ONES
        master.hashes.execute("DEL", key)
        master.hashes.full = full
        self.evictions.add(key)
        if key in (KEYS.writers, KEYS.retired):
            self._rows_evicted = self.seconds
        self.switches += 1
        self._note(master)

    def _records_under(self, hashes: Hashes, key: str) -> int | None:
        """The records in the layout of a key, those that were evicted from it before included.

        None if nobody can say: a conversion may have moved some parts of a series, and not yet the others.
        """
        families, layout = LAYOUTS[key]
        if not self.converted:  # every process has written all its records in one format, and there they are
            return counted_in(hashes, families)
        if not layout.has_parts:
            return amount(hashes, layout) + evicted(hashes, layout)
        other = next(one for each in FORMATS if each is not families for one in each if one.name == layout.name)
        here, there = (any(map(float, numbers(hashes, one).values())) for one in (layout, other))
        if here and there:
            return None
        return counted(hashes) - evicted(hashes, other) if here else evicted(hashes, layout)

    def lean(self) -> None:
        """In some seeds slots are as after very many additions: the sums are the same, and the next one is carried."""
        for hashes in [master.hashes for master in self.masters] if self._leans else ():
            if "leans" in hashes.derived:
                continue
            for places in [PLACES[layout.field] for layout in PACKED]:
                operations = leaning(hashes, places)
                if operations:
                    hashes.full, full = False, hashes.full
                    hashes.execute("BITFIELD", places[0], *operations)
                    hashes.full = full
            hashes.derived["leans"] = True


def _epochs(hashes: Hashes) -> list[str | None]:
    """The epoch, as each of its two places has it."""
    return [hashes.hash(key).get(EPOCH_FIELD) for key in (KEYS.writers, KEYS.retired)]


def state_of(master: Master) -> dict[str, Any]:
    """A state, for messages."""
    return {key.rpartition("}:")[2]: master.hashes.value(key) for key in master.hashes.names()}
