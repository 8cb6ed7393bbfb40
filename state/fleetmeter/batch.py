"""One batch of a writer: what it adds and sets, and how that stands on the wire (see lua/apply.lua)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fleetmeter.definition import Definition, compact_json
from fleetmeter.keys import Keys
from fleetmeter.scale import number_text


@dataclass
class Batch:
    """Deltas that belong together: they are applied in one script call, or not at all.

    `definitions` and `adds` are keyed by the family's field in `families`, `gauges` by family, layout and label
    values in the order of sorted names; a gauge holds the monotonic time at which it was set (None: never), and its
    text.
    """

    definitions: dict[str, str] = field(default_factory=dict)
    gauges: dict[tuple[str, str, Sequence[str]], tuple[float | None, str]] = field(default_factory=dict)
    adds: dict[str, dict[str, float]] = field(default_factory=dict)

    def define(self, definition: Definition) -> None:
        """Send a family's definition."""
        self.definitions[definition.field] = definition.to_json()

    def add(self, family: str, number: str, amount: float) -> None:
        """Add stored units to one number; equal series add up, whichever object recorded them."""
        numbers = self.adds.setdefault(family, {})
        numbers[number] = numbers.get(number, 0) + amount

    def set_gauge(self, definition: Definition, labelvalues: Sequence[str], set_at: float | None, text: str) -> None:
        """Set this writer's value of a gauge; of equal series the one that was set last stands."""
        name = (definition.name, definition.layout, tuple(labelvalues[i] for i in definition.sorted_positions))
        old = self.gauges.get(name)
        if old is None or (set_at or 0.0) >= (old[0] or 0.0):
            self.gauges[name] = (set_at, text)

    def __bool__(self) -> bool:
        return bool(self.definitions or self.gauges or self.adds)


@dataclass(frozen=True)
class Body:
    """A batch as it is sent, again and again if need be: the same content every time.

    `keys` follow the two fixed keys of `apply`; `arguments` are the sections, whose key indexes count from 1 over all.
    """

    keys: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Characters held, about the bytes on the wire."""
        return sum(map(len, self.arguments))


FIXED_KEYS = 2
"""`writers` and `retired` come before the keys of the body."""


def encode(batch: Batch, keys: Keys, store_now_us: int, monotonic_now: float) -> Body:
    """The body of a batch.

    The time at which a gauge was set is told by the store's clock, which reads `store_now_us` when this process'
    monotonic clock reads `monotonic_now`, so that a copy that arrives late still tells the same time.
    """
    names: list[str] = []
    arguments: list[str] = []

    def section(operation: str, key: str, count: int) -> None:
        names.append(key)
        arguments.extend((operation, str(FIXED_KEYS + len(names)), str(count)))

    if batch.definitions:
        section("define", keys.families, len(batch.definitions))
        for name, text in batch.definitions.items():
            arguments += (name, text)
    if batch.gauges:
        section("gauge", keys.gauges, len(batch.gauges))
        for (family, layout, values), (set_at, text) in batch.gauges.items():
            age_us = 0 if set_at is None else int((monotonic_now - set_at) * 1e6)
            set_us = 0 if set_at is None else max(1, store_now_us - age_us)
            arguments += (compact_json([family, layout, values]), f"{set_us} {text}")
    for family_name, numbers in batch.adds.items():
        section("add", keys.family(family_name), len(numbers))
        for name, amount in numbers.items():
            arguments += (name, number_text(amount))
    return Body(tuple(names), tuple(arguments))
