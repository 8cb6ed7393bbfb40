"""A writer's side of the conversation with the store, without any I/O: what to say next, and what an answer means.

The rules and the schedules behind them stand in ARCHITECTURE.md. Two calls exist, `Hello` and `Apply`. At most one
batch is in flight, and until its outcome is known its content is in every call that is made.
"""

from collections.abc import Callable
from time import monotonic

from fleetmeter.schema.rows import random_id
from fleetmeter.values.delta import NOTHING, Delta
from fleetmeter.writer.gaps import Gaps
from fleetmeter.writer.messages import Answer, Apply, Call, Hello, Outcome
from fleetmeter.writer.replay import ReplayLog


class Writer:
    """One writer's place in the protocol.

    `seq` is the highest number given to a batch, `row` the number that the store is known to have applied last. Where
    they differ, the next call brings the store from one to the other.
    """

    def __init__(
        self,
        new_id: Callable[[], str] = random_id,
        clock: Callable[[], float] = monotonic,
        log: ReplayLog | None = None,
    ) -> None:
        self._new_id = new_id
        self._clock = clock
        self.id = new_id()
        self.epoch: str | None = None
        self.seq = 0
        self.row = 0
        self.log = log or ReplayLog()
        self._gaps = Gaps()
        self._sent = 0  # the highest number of any call that may have reached the store
        self._doubtful = 0  # the highest number of any call but those that met no row: its batch may be in
        self._known = False
        self._in_flight: Delta | None = None
        self._answered_us = 0  # the store's time of the last answer that proved this writer's row
        self._left: dict[str, int] = {}  # epochs that it was in before, and the row that it knew there
        self._ended = False

    @property
    def in_flight(self) -> bool:
        """Whether a batch waits for its acknowledgement."""
        return self._in_flight is not None

    @property
    def behind(self) -> bool:
        """Whether the store lacks something that this writer can send: a batch in flight, or one to be sent again."""
        return self._in_flight is not None or self.row < self.seq

    @property
    def must_greet(self) -> bool:
        """Whether the next call is a hello."""
        return not self._known

    @property
    def ended(self) -> bool:
        """Whether goodbye was said, and nothing since."""
        return self._ended

    @property
    def given_up(self) -> int:
        """Batches that the store lost and this writer could not send again."""
        return self._gaps.up_to(self.row)

    @property
    def retained(self) -> int:
        """Bytes that are held for sending again."""
        return self.log.size + (self._in_flight.size if self._in_flight is not None else 0)

    def greet(self) -> Hello:
        """The hello to send."""
        lives = self._left if self.epoch is None else (*self._left, self.epoch)
        return Hello(self.id, self._new_id(), self._answered_us, tuple(lives))

    def submit(self, delta: Delta) -> None:
        """Give the next number to a batch; it is in flight from here on."""
        if self._in_flight is not None:
            raise RuntimeError("a batch is in flight already")
        if self._ended:
            self._renew()
        self.seq += 1
        self._in_flight = delta

    def next_apply(self, *, goodbye: bool = False) -> Apply:
        """What brings the store from its row to this writer's newest batch, in one call; else a heartbeat.

        A `goodbye` is this writer's last word: whatever is recorded later goes under a new id, so that a row which
        was dropped on purpose is never taken for one that was lost. Everything must be acknowledged before it.
        """
        if self.epoch is None:
            raise RuntimeError("hello comes first")
        if goodbye and self.behind:
            raise RuntimeError("goodbye comes last")
        self._ended = self._ended or goodbye
        delta = self.log.after(self.row, self._in_flight or NOTHING) if self.behind else NOTHING
        given_up = self._gaps.with_gap(self.row, self.log.base).up_to(self.seq)
        return Apply(self.epoch, self.id, self.row, self.seq, given_up, delta, goodbye)

    def receive(self, call: Call, answer: Answer) -> Outcome:
        """Take in the answer to a call."""
        if isinstance(call, Hello):
            return self._greeted(answer)
        sent, self._sent = self._sent, max(self._sent, call.seq)
        if answer.status != "unknown":
            self._doubtful = max(self._doubtful, call.seq)
        if answer.status in ("applied", "already", "behind"):
            self._answered_us = answer.store_now_us
        if answer.status != "applied":
            self._ended = False  # the store has gone back, and not taken the last word
        match answer.status:
            case "applied":
                return self._acknowledge(call.seq)
            case "already" if answer.row > sent:
                return self._leave_id()
            case "already":
                return self._acknowledge(call.seq)
            case "behind" if answer.row > sent:
                return self._leave_id()
            case "behind":
                self.row = answer.row
                return Outcome("behind", send_all_again=True)
            case "unknown":
                self._known = False
                return Outcome("unknown", send_all_again=True)
            case "epoch":
                self._known = False
                return Outcome("epoch", send_all_again=True)
        raise ValueError(f"the store answered apply with {answer.status!r}")

    def unanswered(self, call: Call) -> None:
        """Note that a call may have reached the store though no answer came."""
        if isinstance(call, Apply):
            self._sent = max(self._sent, call.seq)
            self._doubtful = max(self._doubtful, call.seq)

    def _greeted(self, answer: Answer) -> Outcome:
        if answer.status == "format":
            return Outcome("format")
        if answer.status not in ("hello", "dropped"):
            raise ValueError(f"the store answered hello with {answer.status!r}")
        same_epoch, greeted_before = self.epoch in (None, answer.epoch), self.epoch is not None
        if self.epoch is not None and not same_epoch:  # what was acknowledged belonged to another life of the namespace
            self.log.forget(self.seq - self.in_flight)
            self._gaps = self._gaps.anew(self.log.base, deliberate=answer.deliberate)
            self._left[self.epoch] = self.row
        self.epoch, row_here = answer.epoch, self._left.pop(answer.epoch, self.row)
        if answer.status == "dropped":
            return self._dropped(row_here)
        if answer.row > self._sent:
            return self._leave_id()
        self._known = True
        self._answered_us = answer.store_now_us
        behind, self.row = same_epoch and answer.row < self.row, answer.row
        arrived = self._in_flight is not None and self.row == self.seq
        lost = self._acknowledge(self.seq).lost if arrived else 0
        # a new id, as after a goodbye, cannot know what became of the definitions that the old one sent
        return Outcome("behind" if behind else None, lost, send_all_again=greeted_before)

    def _acknowledge(self, seq: int) -> Outcome:
        """The store holds every batch up to `seq`, but for those that could not be sent again."""
        self._gaps = self._gaps.with_gap(self.row, self.log.base)
        self.row = seq
        if self._in_flight is not None:
            self.log.append(self._in_flight, self._clock())
            self._in_flight = None
        return Outcome(lost=self._gaps.newly_counted())

    def _leave_id(self) -> Outcome:
        """Take a new id: another process uses this one. What is in flight is sent again, under the new id."""
        self._renew()
        return Outcome("foreign", send_all_again=True)

    def _dropped(self, row: int) -> Outcome:
        """Take a new id: the row was dropped on purpose, so what was acknowledged up to `row` is counted.

        What was sent after that may be counted too, which nobody can tell any more: it is given up.
        """
        if self._doubtful >= self.seq:
            self._in_flight = None
        lost = self._gaps.with_gap(row, self.seq - self.in_flight).newly_counted()
        self._renew()
        return Outcome("unknown", lost, send_all_again=True)

    def _renew(self) -> None:
        """Be another writer from here on, with what is in flight as the first batch."""
        self.id = self._new_id()
        self.seq = int(self.in_flight)
        self.row = self._sent = self._doubtful = self._answered_us = 0
        self._left = {}
        self.log.forget(0)
        self._gaps = Gaps()
        self._known = self._ended = False
