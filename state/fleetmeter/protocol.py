"""A writer's side of the conversation with the store, without any I/O: what to say next, and what an answer means.

The rules and the schedules behind them stand in ARCHITECTURE.md. Two calls exist, `Hello` and `Apply`; at most one
batch is in flight, and it is sent with the same content until its outcome is known.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from fleetmeter.batch import Body


def random_id() -> str:
    """An id that no other process life has: 64 random bits as 16 hexadecimal digits."""
    return secrets.token_hex(8)


@dataclass(frozen=True)
class Hello:
    """Make `writer` known; `epoch` is used where the namespace has none."""

    writer: str
    epoch: str


@dataclass(frozen=True)
class Apply:
    """Apply `body`, the sum of the writer's batches after `prev` up to `seq`; without a body it is a heartbeat."""

    epoch: str
    writer: str
    prev: int
    seq: int
    given_up: int
    body: Body = field(default_factory=Body)


Call = Hello | Apply


@dataclass(frozen=True)
class Answer:
    """The store's answer: `row` is the writer's last applied number, `refused` the numbers that could not be added."""

    status: str
    row: int
    epoch: str
    store_now_us: int
    refused: tuple[str, ...] = ()
    refused_count: int = 0


@dataclass(frozen=True)
class Outcome:
    """What an answer meant: `trouble` is None or the reason to count, `lost` the batches that are gone."""

    trouble: str | None = None
    lost: int = 0
    send_all_again: bool = False


class Writer:
    """One writer's place in the protocol.

    `seq` is the highest number given to a batch, `acknowledged` the highest that the store is known to hold,
    `given_up` the batches that the store lost and this writer could not send again.
    """

    def __init__(self, new_id: Callable[[], str] = random_id) -> None:
        self._new_id = new_id
        self.id = new_id()
        self.epoch: str | None = None
        self.seq = 0
        self.acknowledged = 0
        self.given_up = 0
        self._held: list[tuple[int, int]] = []  # runs of numbers of batches that the store is known to hold
        self._known = False
        self._in_flight: Apply | None = None
        self._sent_before = False

    @property
    def in_flight(self) -> bool:
        """Whether a batch waits for its acknowledgement."""
        return self._in_flight is not None

    @property
    def must_greet(self) -> bool:
        """Whether the next call is a hello."""
        return not self._known

    def greet(self) -> Hello:
        """The hello to send."""
        return Hello(self.id, self._new_id())

    def submit(self, body: Body) -> None:
        """Give the next number to a batch; it is in flight from here on."""
        if self._in_flight is not None:
            raise RuntimeError("a batch is in flight already")
        self.seq += 1
        self._in_flight = Apply("", self.id, self.acknowledged, self.seq, self.given_up, body)
        self._sent_before = False

    def next_apply(self) -> Apply:
        """The batch in flight, or a heartbeat where there is none."""
        if self.epoch is None:
            raise RuntimeError("hello comes first")
        if self._in_flight is None:
            return Apply(self.epoch, self.id, self.acknowledged, self.acknowledged, self.given_up)
        return replace(
            self._in_flight, epoch=self.epoch, writer=self.id, prev=self.acknowledged, given_up=self.given_up
        )

    def receive(self, call: Call, answer: Answer) -> Outcome:
        """Take in the answer to a call."""
        if isinstance(call, Hello):
            return self._greeted(answer)
        first_try, self._sent_before = not self._sent_before, True
        match answer.status:
            case "applied":
                return self._acknowledge(call.seq)
            case "already" if answer.row > self.seq or (first_try and call.body.arguments):
                return self._leave_id()
            case "already":
                return self._acknowledge(call.seq)
            case "behind":
                return self._rolled_back_to(answer.row)
            case "unknown":
                self._known = False
                return Outcome("unknown", send_all_again=True)
            case "epoch":
                self._known = False
                return Outcome("epoch", send_all_again=True)
        raise ValueError(f"the store answered apply with {answer.status!r}")

    def unanswered(self) -> None:
        """Note that a call may have reached the store though no answer came."""
        self._sent_before = True

    def _greeted(self, answer: Answer) -> Outcome:
        if answer.status == "format":
            return Outcome("format")
        if answer.status != "hello":
            raise ValueError(f"the store answered hello with {answer.status!r}")
        new_epoch = self.epoch is not None and self.epoch != answer.epoch
        self.epoch = answer.epoch
        if answer.row > self.seq:
            return self._leave_id()
        self._known = True
        if self._in_flight is not None and answer.row == self.seq:
            return self._acknowledge(self.seq)
        if new_epoch:
            self.acknowledged, lost = answer.row, self._forget_above(0)
            return Outcome(lost=lost, send_all_again=True)
        return self._rolled_back_to(answer.row)

    def _acknowledge(self, seq: int) -> Outcome:
        if seq > self.acknowledged:
            last = self._held[-1] if self._held else (seq, seq - 1)
            if last[1] == seq - 1:
                self._held[-1:] = [(last[0], seq)]
            else:  # numbers between were lost
                self._held.append((seq, seq))
        self.acknowledged = seq
        self._in_flight = None
        return Outcome()

    def _rolled_back_to(self, row: int) -> Outcome:
        if row > self.seq:
            return self._leave_id()
        if row > self.acknowledged:  # a late copy of a batch of ours, which the store had lost, came in after all
            self._held.append((row, row))
            self.acknowledged = row
            return Outcome("behind", send_all_again=True)
        behind = row < self.acknowledged
        self.acknowledged, lost = row, self._forget_above(row)
        return Outcome("behind" if behind else None, lost, send_all_again=behind)

    def _forget_above(self, row: int) -> int:
        """How many batches above a number the store was known to hold, and holds no longer."""
        before = sum(last - first + 1 for first, last in self._held)
        self._held = [(first, min(last, row)) for first, last in self._held if first <= row]
        lost = before - sum(last - first + 1 for first, last in self._held)
        self.given_up += lost
        return lost

    def _leave_id(self) -> Outcome:
        """Take a new id: another process uses this one. What is in flight is sent again, under the new id."""
        self.id = self._new_id()
        self.acknowledged = 0
        self._held = []
        self.seq = 1 if self._in_flight is not None else 0
        if self._in_flight is not None:
            self._in_flight = replace(self._in_flight, seq=self.seq)
        self._known = False
        self._sent_before = False
        return Outcome("foreign", send_all_again=True)
