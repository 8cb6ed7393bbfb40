"""What a replica and its store say to each other, call by call: batches, heartbeats, the goodbye, the sweep."""

import threading
from collections.abc import Callable
from time import monotonic

from fleetmeter.errors import StoreError, StoreRefused
from fleetmeter.schema.rows import HEARTBEAT
from fleetmeter.values.accumulator import Accumulator
from fleetmeter.values.delta import NOTHING
from fleetmeter.writer.bounds import GaugeBound
from fleetmeter.writer.conversion import Converter
from fleetmeter.writer.housekeeping import Housekeeper
from fleetmeter.writer.messages import Answer, Apply, Hello
from fleetmeter.writer.protocol import Writer
from fleetmeter.writer.store import Store
from fleetmeter.writer.telemetry import Telemetry

REPLICATION = 0.5
"""Seconds to wait for the store's replicas in one call; meanwhile nothing else is sent."""

ROUNDS = 4
"""Times that one hand-over may send everything again: the store may lose it each time."""

LAST_CALLS = 4
"""Calls that a goodbye may take: if the store went back meanwhile, it is brought up to date first."""


class Exchange:
    """Hands the accumulator's content to the store. Every method raises `StoreError`; call none under its lock.

    `identity` is what hello says of this process; `clock` returns seconds and never goes back.
    """

    def __init__(
        self,
        accumulator: Accumulator,
        writer: Writer,
        store: Store,
        telemetry: Telemetry,
        identity: dict[str, str],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._accumulator = accumulator
        self._writer = writer
        self._store = store
        self._telemetry = telemetry
        self._identity = identity
        self._clock = clock
        self._housekeeper = Housekeeper(store, clock)
        self._converter = Converter(store, clock)
        self._gauges = GaugeBound(store.max_series)
        self._found_loss = False
        self._sending = threading.Lock()
        self._store_now_us = 0
        self._answered_at = self._drained_at = self._clock()
        self.duration = 0.0
        """Seconds that the last call took."""
        self.calling = False
        """Whether a call is under way; read by signal handlers."""

    @property
    def has_work(self) -> bool:
        """Whether something was recorded that the store has not acknowledged, or has lost again."""
        return self._writer.behind or self._accumulator.has_work

    @property
    def living(self) -> bool:
        """Whether this process has recorded something, and has not said goodbye since."""
        return self._accumulator.awake and not self._writer.ended

    def hand_over(self) -> None:
        """Send the batch in flight, then everything recorded before this call; a heartbeat if it is time for one.

        If the store has lost something, definitions, zeroes and gauges go out too before this returns. What was handed
        over can therefore be read afterwards.
        """
        with self._sending:  # a thread that was stopped may still be in its last call
            work = self.has_work or self._news_is_overdue
            drained = not (work or self._silent)
            rounds_left = ROUNDS
            while self._writer.behind or not drained:
                drained = drained or not (self._writer.behind or self._writer.must_greet)
                self._found_loss = False
                self._call(drain=work)  # our own metrics alone make no batch, or each would make the next
                if self._found_loss and rounds_left:
                    rounds_left -= 1
                    work, drained = True, False
            self._keep_house(self._housekeeper.look)
            self._convert()

    def beat(self) -> None:
        """Send a heartbeat if it is time for one; with it goes only news that somebody would act on."""
        with self._sending:
            if self._silent and not (self._writer.behind or self._writer.must_greet):
                self._call(drain=self._news_is_overdue)
            self._keep_house(self._housekeeper.look)
            self._convert()

    def say_goodbye(self) -> None:
        """Tell the store that this process ends and is no replica any more. News of the machinery is sent first.

        If the store has gone back since the last call, it is given everything again, definitions included, before that.
        """
        with self._sending:
            if self._has_news:
                self._call(drain=True)
            for _ in range(LAST_CALLS):
                if self._writer.ended or not self._accumulator.awake:
                    return
                lost, self._found_loss = self._found_loss, False
                last_word = not (lost or self._writer.behind or self._writer.must_greet)
                self._call(drain=lost, goodbye=last_word)
                if last_word:
                    self._keep_house(self._housekeeper.look_once)

    def replicate(self, replicas: int) -> int:
        """Wait until that many store replicas have what was handed over; returns how many have it.

        A sign of life is sent and waited for: a store replica that has it has everything that was written before.
        Raises `StoreError` (`replicas`) if fewer had it in time.
        """
        with self._sending:
            reached, done = replicas, self._writer.ended or not self._accumulator.awake
            while not done:
                last = not (self._writer.behind or self._writer.must_greet)
                reached = self._call(drain=False, replicas=replicas if last else 0)
                done = last and not (self._writer.behind or self._writer.must_greet)
            if reached < replicas:
                raise StoreError("replicas", f"{reached} of {replicas} store replicas have what was handed over")
            return reached

    def _keep_house(self, look: Callable[[str, int], None]) -> None:
        if self._writer.epoch is not None and not self._writer.must_greet and self._accumulator.awake:
            try:
                look(self._writer.epoch, self._store_now_us)
            except StoreError as error:  # what was recorded is handed over all the same; the next sweep tries again
                self._telemetry.failed(error.reason, f"what ended writers and removed series left stays: {error}")

    def _convert(self) -> None:
        """Move some of what old writers left to packed numbers, if it is time."""
        writer = self._writer
        if writer.epoch is not None and not writer.must_greet and self.living:
            try:
                self._converter.look(writer.epoch, writer.id, self._store_now_us)
            except StoreError as error:  # the next look goes on
                self._telemetry.failed(error.reason, f"numbers of hashes could not be packed: {error}")

    @property
    def _has_news(self) -> bool:
        """Whether a living writer has news of the machinery to send."""
        return self._telemetry.has_news and self._accumulator.awake and not self._writer.ended

    @property
    def _news_is_overdue(self) -> bool:
        return self._has_news and self._clock() - self._drained_at >= HEARTBEAT

    @property
    def _silent(self) -> bool:
        """Whether a living writer has sent nothing for so long that a heartbeat is due."""
        return self._clock() - self._answered_at >= HEARTBEAT and self._accumulator.awake and not self._writer.ended

    def _call(self, *, drain: bool, goodbye: bool = False, replicas: int = 0) -> int:
        """One call and its answer; with `replicas`, also how many store replicas have it."""
        writer = self._writer
        if drain and not (writer.in_flight or writer.must_greet):
            self._submit()  # which makes it another writer, if it had said goodbye
        call: Hello | Apply = writer.greet() if writer.must_greet else writer.next_apply(goodbye=goodbye)
        started = self._clock()
        self.calling = True
        try:
            reached = 0
            if isinstance(call, Hello):
                answer = self._store.hello(call, self._identity)
            elif replicas:
                answer, reached = self._store.apply_and_wait(call, replicas, REPLICATION)
            else:
                answer = self._store.apply(call)
        except BaseException:  # whatever cut it off: the store may have it
            writer.unanswered(call)
            raise
        finally:
            self.calling = False
        self.duration = self._clock() - started
        self._receive(call, answer)
        return reached

    def _submit(self) -> None:
        self._telemetry.has_news, self._drained_at = False, self._clock()
        batch = self._accumulator.drain()
        for family, values in self._gauges.hold(batch).items():
            self._telemetry.dropped(family, values)
        if batch:
            now = self._clock()
            self._writer.submit(batch.freeze(self._store_now_us + int((now - self._answered_at) * 1e6), now))

    def _receive(self, call: Hello | Apply, answer: Answer) -> None:
        self._answered_at = self._clock()
        self._store_now_us = answer.store_now_us
        outcome = self._writer.receive(call, answer)
        if outcome.send_all_again or answer.undefined:  # the latter for a family that was forgotten, or evicted
            self._found_loss = True
            self._accumulator.send_all_again()
        if outcome.trouble == "format":
            raise StoreRefused(
                "format",
                f"the namespace {self._store.keys.namespace!r} has another state format than this version's",
            )
        self._telemetry.answered(outcome, call.writer)
        self._telemetry.noted(answer, call.delta if isinstance(call, Apply) else NOTHING)
        if isinstance(call, Apply) and answer.status == "applied" and call.delta:
            self._telemetry.flushed(self.duration)
        self._telemetry.retain(self._writer.retained)
