"""The cells of gauges, infos and state sets: values that are replaced, not added up."""

from collections.abc import Callable, Sequence
from math import isnan
from time import monotonic
from typing import TYPE_CHECKING, Any

from fleetmeter.schema.definition import OWN_PREFIX, compact_json
from fleetmeter.schema.scale import float_of, number_text

if TYPE_CHECKING:
    from fleetmeter.schema.definition import Definition
    from fleetmeter.values.accumulator import Accumulator
    from fleetmeter.values.batch import Batch


class Level:
    """A gauge: the newest value of this process, and when it was set.

    If a function supplies the value, nothing else changes it. Until the function has returned for the first time, the
    fleet does not see the gauge: a 0 that nobody set would be wrong.
    """

    __slots__ = (
        "__weakref__",
        "accumulator",
        "definition",
        "dirty",
        "function",
        "hidden",
        "labelvalues",
        "quiet",
        "set_at",
        "value",
    )

    def __init__(self, accumulator: "Accumulator", definition: "Definition", labelvalues: Sequence[str]) -> None:
        self.accumulator = accumulator
        self.definition = definition
        self.labelvalues = labelvalues
        self.value: Any = definition.states[0] if definition.states else 0.0
        self.set_at: float | None = None
        self.dirty = False
        self.hidden = False
        self.function: Callable[[], float] | None = None
        self.quiet = definition.name.startswith(OWN_PREFIX)
        accumulator.adopt(self)

    def inc(self, amount: float) -> None:
        """Change the value by an amount."""
        # what is no number fails here, as the caller's error, and not at a block's end
        self._record(self.change, amount + 0.0 if type(amount) is float or type(amount) is int else float_of(amount))

    def set(self, value: Any, timestamp: float | None = None) -> None:  # noqa: ARG002  the client names it
        """Replace the value; NaN and infinities are values like any other."""
        self._record(self.replace, value)

    def _record(self, apply: Any, amount: Any) -> None:
        accumulator = self.accumulator
        if accumulator.open_blocks and accumulator.defer(apply, amount):
            return
        with accumulator.lock:
            wake = apply(amount)
        if wake:
            accumulator.wake()

    def change(self, amount: float) -> bool:
        """Change the value under the lock."""
        self._notice_fork()  # the parent's value is no beginning
        return self.replace(self.value + amount)

    def replace(self, value: Any) -> bool:
        """Replace the value under the lock; whether `wake()` must be called."""
        return self.function is None and self._become(value)

    def follow(self, function: Callable[[], float]) -> None:
        """Let a function supply the value from now on. This process calls it now and then, without the lock."""
        with self.accumulator.lock:
            self.function = function
            self.hidden = True
        self.accumulator.follow(self)

    def take_in(self, function: Callable[[], float], value: float) -> None:
        """Take in what a function returned, unless the gauge got another function meanwhile."""
        accumulator = self.accumulator
        with accumulator.lock:
            if self.function is not function:
                return
            same = value == self.value or (isnan(value) and isnan(self.value))
            if same and not self.hidden:
                return
            self.hidden = False
            wake = self._become(value)
        if wake:
            accumulator.wake()

    def _notice_fork(self) -> None:
        if not self.dirty:
            self.accumulator.notice_fork()

    def _become(self, value: Any) -> bool:
        self._notice_fork()  # which forgets the value
        self.value = value
        self.set_at = monotonic()
        return not self.dirty and self.accumulator.mark(self)

    def get(self) -> Any:
        """This process's value."""
        with self.accumulator.lock:
            return self.value

    def get_exemplar(self) -> None:
        """Gauges have no exemplars."""

    def take(self) -> tuple[Any, float | None]:
        """The present value, and when it was set (monotonic; None: never)."""
        return self.value, self.set_at

    def put(self, batch: "Batch", taken: tuple[Any, float | None]) -> None:
        """Put a value into a batch."""
        if self.hidden:
            return
        value, set_at = taken
        batch.set_gauge(self.definition, self.labelvalues, set_at, self.text(value))

    def text(self, value: Any) -> str:
        """A value as it is stored."""
        return number_text(float(value))

    def drop(self) -> None:
        """Keep the value: it is the present state, not something pending."""

    def forget(self) -> None:
        """Start from nothing."""
        self.value = 0.0
        self.set_at = None
        self.dirty = False
        self.hidden = self.function is not None

    def forget_parent(self) -> None:
        """Start from nothing: a value is replaced only after the fork was noticed."""
        self.forget()


class InfoLevel(Level):
    """The label values of an Info metric; nothing is shown until they are set."""

    __slots__ = ()

    def put(self, batch: "Batch", taken: tuple[Any, float | None]) -> None:
        """Put the label values into a batch."""
        if taken[1] is not None:
            super().put(batch, taken)

    def text(self, value: Any) -> str:
        """The label values as JSON."""
        return compact_json(value)

    def forget(self) -> None:
        """Keep the facts, which are as true of a forked child."""
        self.dirty = False


class State(Level):
    """The present state of an Enum metric, which is the first one until another is set."""

    __slots__ = ()

    def text(self, value: Any) -> str:
        """The state as JSON."""
        return compact_json(value)

    def forget(self) -> None:
        """Keep the state, which a forked child is in as well."""
        self.dirty = False
