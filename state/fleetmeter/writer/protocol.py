"""A writer's side of the conversation with the store, without any I/O: what to say next, and what an answer means.

The rules and the schedules behind them stand in ARCHITECTURE.md. Two calls exist, `Hello` and `Apply`. At most one
batch is in flight, and until its outcome is known its content is in every call that is made.
"""

from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

from fleetmeter.schema.rows import random_id, random_token
from fleetmeter.values.delta import NOTHING, Delta
from fleetmeter.writer.gaps import Gaps
from fleetmeter.writer.messages import Answer, Apply, Call, Hello, Outcome
from fleetmeter.writer.replay import ReplayLog
from fleetmeter.writer.tokens import Tokens


class Place(NamedTuple):
    """How far the store is in one epoch: its row, and how many batches up to it the row counts as lost.

    `base` is the highest number that the log had forgotten at that time.
    """

    row: int
    given_up: int
    base: int


class Writer:
    """One writer's place in the protocol.

    `seq` is the highest number given to a batch, `row` the number that the store is known to have applied last. If they
    differ, the next call brings the store from one to the other: with row 3 and batch 6, the call says "after 3, up to
    6". `given_up` counts the batches up to `row` that the store lost and this writer could not send again.
    """

    def __init__(
        self,
        new_id: Callable[[], str] = random_id,
        clock: Callable[[], float] = monotonic,
        log: ReplayLog | None = None,
        new_token: Callable[[], int] = random_token,
    ) -> None:
        self._new_id = new_id
        self._new_token = new_token
        self._clock = clock
        self.epoch: str | None = None
        self.log = log or ReplayLog()
        self._renew()

    def _renew(self, in_flight: Delta | None = None) -> None:
        """Be a new writer from here on. The batch in flight becomes its first one."""
        self.id = self._new_id()
        self.seq = self.row = self.given_up = 0
        self._row_token = ""  # the token of the row, if this writer does not keep it any more
        self.log.forget(0)
        self._tokens = Tokens()
        self._gaps = Gaps()
        self._sent = 0  # the highest number of any call that may have reached the store
        self._doubtful = 0  # the highest number of any call but those that met no row: its batch may be in
        self._answered_us = 0  # the store's time of the last answer that renewed this writer's row
        self._left: dict[str, Place] = {}  # epochs that it was in before, and how far they were
        self._known = self._ended = False
        self._in_flight: Delta | None = None
        if in_flight is not None:
            self._number(in_flight)

    @property
    def in_flight(self) -> bool:
        """Whether a batch waits for its acknowledgement."""
        return self._in_flight is not None

    @property
    def behind(self) -> bool:
        """Whether the store lacks what this writer can send: the batch in flight, or batches to be sent again."""
        return self._in_flight is not None or self.row < self.seq

    @property
    def must_greet(self) -> bool:
        """Whether the next call is a hello."""
        return not self._known

    @property
    def ended(self) -> bool:
        """Whether goodbye was said, and nothing was sent since."""
        return self._ended

    @property
    def retained(self) -> int:
        """Bytes that are kept for sending again."""
        return self.log.size + (self._in_flight.size if self._in_flight is not None else 0)

    def greet(self) -> Hello:
        """The hello to send."""
        lives = self._left if self.epoch is None else (*self._left, self.epoch)
        return Hello(self.id, self._new_id(), self._answered_us, tuple(lives))

    def submit(self, delta: Delta) -> None:
        """Give a batch the next number, and a token. It is in flight from here on."""
        if self._in_flight is not None:
            raise RuntimeError("a batch is in flight already")
        if self._ended:
            self._renew()
        self._number(delta)

    def _number(self, delta: Delta) -> None:
        self.seq += 1
        self._tokens.append(self._new_token())
        self._in_flight = delta

    def next_apply(self, *, goodbye: bool = False) -> Apply:
        """The call that brings the store from its row to this writer's newest batch; a heartbeat if it is there.

        A `goodbye` is this writer's last word, and everything must be acknowledged before it. Whatever is recorded
        later goes under a new id, so that a row which was dropped on purpose is never taken for one that was lost.
        """
        if self.epoch is None:
            raise RuntimeError("hello comes first")
        if goodbye and self.behind:
            raise RuntimeError("goodbye comes last")
        self._ended = self._ended or goodbye
        delta = self.log.after(self.row, self._in_flight or NOTHING) if self.behind else NOTHING
        given_up = self.given_up + self._gaps.between(self.row, self.log.base)
        tokens = [self._tokens.of(number) for number in (self.row, self.seq)]
        prev_token, token = (self._row_token if token is None else token for token in tokens)
        return Apply(self.epoch, self.id, self.row, self.seq, given_up, delta, goodbye, prev_token, token)

    def receive(self, call: Call, answer: Answer) -> Outcome:
        """Take in the answer to a call."""
        if isinstance(call, Hello):
            return self._greeted(answer)
        sent, self._sent = self._sent, max(self._sent, call.seq)
        if answer.status != "unknown":
            self._doubtful = max(self._doubtful, call.seq)
        if answer.status == "applied":  # no other answer renews the row, which may be dropped a moment later
            self._answered_us = answer.store_now_us
        if answer.status != "applied":
            self._ended = False  # the store has gone back, and not taken the last word
        match answer.status:
            case "applied":
                return Outcome(lost=self._acknowledge(call.given_up, call.token))
            case "already" | "behind" if not self._is_mine(answer, sent):
                return self._leave_id(answer.row)
            case "already":
                return Outcome(lost=self._acknowledge(answer.given_up, answer.token))
            case "behind":
                return Outcome("behind", self._stand_at(answer.row, answer.given_up, answer.token), send_all_again=True)
            case "unknown":
                self._known = False
                return Outcome("unknown", send_all_again=True)
            case "epoch":
                self._known = False
                return Outcome("epoch", send_all_again=True)
        raise ValueError(f"the store answered apply with {answer.status!r}")

    def unanswered(self, call: Call) -> None:
        """Note that a call may have reached the store although no answer came."""
        if isinstance(call, Apply):
            self._sent = max(self._sent, call.seq)
            self._doubtful = max(self._doubtful, call.seq)

    def _greeted(self, answer: Answer) -> Outcome:
        if answer.status == "format":
            return Outcome("format")
        if answer.status not in ("hello", "dropped"):
            raise ValueError(f"the store answered hello with {answer.status!r}")
        greeted_before, here = self.epoch is not None, Place(self.row, self.given_up, self.log.base)
        same_epoch = self.epoch in (None, answer.epoch)
        if self.epoch is not None and not same_epoch:  # what was acknowledged belonged to another life of the namespace
            self.log.forget(self.seq - self.in_flight)
            if answer.deliberate:
                self._gaps.excuse(self.log.base)
            self._left[self.epoch], here = here, Place(0, 0, self.log.base)
        self.epoch, here = answer.epoch, self._left.pop(answer.epoch, here)
        self.row, self.given_up = here.row, here.given_up
        if answer.status == "dropped":
            return self._dropped()
        if not self._is_mine(answer, self._sent):
            return self._leave_id(answer.row)
        self._known = True
        self._answered_us = answer.store_now_us
        behind = same_epoch and answer.row < self.row
        lost = self._stand_at(answer.row, answer.given_up, answer.token, here.base)
        if self._in_flight is not None and self.row == self.seq:
            self._keep()
        # a new id, as after a goodbye, cannot know what became of the definitions that the old one sent
        return Outcome("behind" if behind else None, lost, send_all_again=greeted_before)

    def _is_mine(self, answer: Answer, sent: int) -> bool:
        """Whether this writer left the row. The other case is another process with the same id.

        Their tokens differ: 32 random bits per batch, so two processes that both sent a batch 7 have two tokens for it.
        A row without a token is known by its number, which is in no call above `sent`. If the row is so old that its
        token is not kept any more, it is taken for this writer's own: whatever this writer can send came later, and is
        not in.
        """
        if not answer.token:
            return answer.row <= sent
        return answer.row <= self.seq and self._tokens.of(answer.row) in (answer.token, None)

    def _stand_at(self, row: int, given_up: int, token: str, base: int | None = None) -> int:
        """Note how far the store is. Returns the batches that are now known to be lost.

        If the row is above the known one, calls without an answer have reached the store. What the row counts as lost
        beyond the known figure was given up in these calls, and ends at the `base` of the log.
        """
        last = self.log.base if base is None else base
        more = given_up - self.given_up if row > self.row else 0
        self.row, self.given_up, self._row_token = row, given_up, token
        return self._gaps.count(last - more, last) if more > 0 else 0

    def _acknowledge(self, given_up: int, token: str) -> int:
        """Note that the store holds every batch except those given up. Returns the batches now known to be lost."""
        lost = self._stand_at(self.seq, given_up, token)
        self._keep()
        return lost

    def _keep(self) -> None:
        if self._in_flight is not None:
            self.log.append(self._in_flight, self._clock())
            self._in_flight = None

    def _leave_id(self, row: int) -> Outcome:
        """Take a new id: another process uses this one, and its batch stands at `row`.

        Of this writer's batches, those from that number on are not in the store: what is kept of them, and what is in
        flight, is sent again under the new id. Below that number, the store lacked some batches; the other process may
        have sent them, if they are from before the two became two. They are given up.
        """
        acknowledged = self.seq - self.in_flight
        first = max(row, self.log.base + 1)
        if first <= acknowledged:
            in_flight: Delta | None = self.log.after(first - 1, self._in_flight or NOTHING)
        else:
            in_flight = self._in_flight
        lost = self._gaps.count(min(self.row, row - 1), min(acknowledged, first - 1))
        self._renew(in_flight)
        return Outcome("foreign", lost, send_all_again=True)

    def _dropped(self) -> Outcome:
        """Take a new id: the row was dropped on purpose, so the numbers acknowledged up to it are counted.

        What was sent after that may be counted too. Nobody can tell any more, so it is given up.
        """
        in_flight = None if self._doubtful >= self.seq else self._in_flight
        lost = self._gaps.count(self.row, self.seq - (in_flight is not None))
        self._renew(in_flight)
        return Outcome("unknown", lost, send_all_again=True)
