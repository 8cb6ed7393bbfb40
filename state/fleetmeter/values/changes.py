"""What changed in this process since its last batch: the next batch is made of it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fleetmeter.values.batch import Batch

if TYPE_CHECKING:
    from fleetmeter.schema.definition import Definition
    from fleetmeter.values.cell import Cell


@dataclass(slots=True)
class Changes:
    """Cells that changed, and whatever else the next batch must say. Change it only under the accumulator's lock.

    `undefined` and `born` are families and cells to be made known. Cells in `dirty` hold records of the application,
    those in `quiet` records of the machinery. `removals` and `unset` take series and gauges from the fleet.
    """

    undefined: "dict[Definition, None]" = field(default_factory=dict)
    born: "dict[Cell, None]" = field(default_factory=dict)
    dirty: "dict[Cell, None]" = field(default_factory=dict)
    quiet: "dict[Cell, None]" = field(default_factory=dict)
    removals: "dict[tuple[Definition, tuple[str | None, ...]], None]" = field(default_factory=dict)
    unset: "dict[tuple[Definition, tuple[str, ...]], None]" = field(default_factory=dict)

    @property
    def has_records(self) -> bool:
        """Whether the application recorded or removed something."""
        return bool(self.dirty or self.removals)

    @property
    def has_news(self) -> bool:
        """Whether there is something to make known, or a gauge to take away."""
        return bool(self.born or self.undefined or self.unset)

    def forget(self, cell: "Cell") -> None:
        """Let go of a cell."""
        for cells in (self.dirty, self.quiet, self.born):
            cells.pop(cell, None)

    def take(self) -> "tuple[list[tuple[Cell, Any]], list[Cell]]":
        """Take what is pending out of the cells, under the lock: each cell with its amount, and cells that failed."""
        taken, broken = [], []
        changed = self.born
        changed.update(self.dirty)
        changed.update(self.quiet)
        for cell in changed:
            cell.dirty = False
            try:
                taken.append((cell, cell.take()))
            except (ArithmeticError, TypeError, ValueError):  # no single number may block a writer
                cell.drop()
                broken.append(cell)
        return taken, broken

    def batch(self, taken: "list[tuple[Cell, Any]]") -> Batch:
        """The batch of these changes and of what was taken."""
        batch = Batch()
        for definition in self.undefined:
            batch.define(definition)
        for definition, pattern in self.removals:
            batch.remove(definition, pattern)
        for definition, labelvalues in self.unset:
            batch.unset_gauge(definition, labelvalues)
        for cell, amount in taken:
            cell.put(batch, amount)
        return batch
