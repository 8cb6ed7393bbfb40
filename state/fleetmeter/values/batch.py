"""One batch of a writer while it is being collected from the cells."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fleetmeter.schema.definition import Definition, compact_json
from fleetmeter.schema.packing import shape_of
from fleetmeter.values.delta import Delta, Removal

GaugeName = tuple[str, str, tuple[str, ...]]
"""Family, layout and label values in the order of sorted names."""


@dataclass
class Batch:
    """Deltas that belong together: they are applied in one script call, or not at all.

    `definitions` and `adds` are keyed by the family's field in `families`. A gauge has the monotonic time at which it
    was set (None: never) and its text. An exemplar has its Unix time and its text. `packed` has the definitions of the
    packed layouts in `adds`, by the bounds in which they differ.
    """

    definitions: dict[str, str] = field(default_factory=dict)
    removals: list[Removal] = field(default_factory=list)
    unset: dict[GaugeName, None] = field(default_factory=dict)
    gauges: dict[GaugeName, tuple[float | None, str]] = field(default_factory=dict)
    exemplars: dict[str, tuple[float, str]] = field(default_factory=dict)
    adds: dict[str, dict[str, float]] = field(default_factory=dict)
    has_parts: set[str] = field(default_factory=set)
    packed: dict[str, dict[tuple[str, ...], Definition]] = field(default_factory=dict)

    def define(self, definition: Definition) -> None:
        """Send a family's definition."""
        self.definitions[definition.field] = definition.to_json()

    def add(self, definition: Definition, number: str, amount: float) -> None:
        """Add stored units to one number. If two objects recorded the same series, their amounts are added up."""
        numbers = self.adds.setdefault(definition.field, {})
        numbers[number] = numbers.get(number, 0) + amount
        if definition.has_parts:
            self.has_parts.add(definition.field)
        if definition.packed:
            self.packed.setdefault(definition.field, {}).setdefault(definition.bounds, definition)

    def remove(self, definition: Definition, pattern: Sequence[str | None]) -> None:
        """Remove the fleet's series whose label values, in display order, fit the pattern; None fits any value.

        The removal takes effect before everything that this batch adds.
        """
        by_name = [pattern[position] for position in definition.sorted_positions]
        twin = definition.twin
        self.removals.append(
            Removal(
                definition.field,
                compact_json(by_name),
                definition.has_parts,
                definition.packed,
                twin.field if twin is not None else "",
            )
        )

    def set_gauge(self, definition: Definition, labelvalues: Sequence[str], set_at: float | None, text: str) -> None:
        """Set this writer's value of a gauge. If two objects set the same series, the later one counts."""
        name = _gauge_name(definition, labelvalues)
        old = self.gauges.get(name)
        if old is None or (set_at or 0.0) >= (old[0] or 0.0):
            self.gauges[name] = (set_at, text)

    def unset_gauge(self, definition: Definition, labelvalues: Sequence[str]) -> None:
        """Take this writer's value of a gauge away, before what this batch sets."""
        self.unset[_gauge_name(definition, labelvalues)] = None

    def set_exemplar(self, definition: Definition, number: str, at: float, text: str) -> None:
        """Set the newest exemplar of a bucket or a counter: `at` is its Unix time in seconds, `text` its JSON."""
        name = f"{definition.field} {number}"
        old = self.exemplars.get(name)
        if old is None or at >= old[0]:
            self.exemplars[name] = (at, text)

    def freeze(self, store_now_us: int, monotonic_now: float) -> Delta:
        """The content to send, which never changes from now on.

        The time at which a gauge was set is converted to the store's clock, which shows `store_now_us` when this
        process' monotonic clock shows `monotonic_now`. A gauge set 2 s ago gets the store's time minus 2 s, even in a
        late copy.
        """

        def stamped(set_at: float | None, text: str) -> str:
            age_us = 0 if set_at is None else int((monotonic_now - set_at) * 1e6)
            return f"{0 if set_at is None else max(1, store_now_us - age_us)} {text}"

        return Delta(
            adds=self.adds,
            has_parts=frozenset(self.has_parts),
            shapes={
                name: tuple(shape_of(one, bounds) for bounds, one in every.items())
                for name, every in self.packed.items()
            },
            definitions=self.definitions,
            removals=tuple(self.removals),
            unset=tuple(compact_json(name) for name in self.unset),
            gauges={compact_json(name): stamped(*value) for name, value in self.gauges.items()},
            exemplars={name: f"{int(at * 1e6)} {text}" for name, (at, text) in self.exemplars.items()},
        )

    def __bool__(self) -> bool:
        return bool(self.definitions or self.removals or self.unset or self.gauges or self.exemplars or self.adds)


def _gauge_name(definition: Definition, labelvalues: Sequence[str]) -> GaugeName:
    return definition.name, definition.layout, tuple(labelvalues[at] for at in definition.sorted_positions)
