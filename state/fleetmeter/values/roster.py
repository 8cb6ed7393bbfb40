"""What exists in this process, whether it changed or not: families, and the cells of their series."""

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from fleetmeter.values.changes import Changes

if TYPE_CHECKING:
    from fleetmeter.schema.definition import Definition
    from fleetmeter.values.cell import Cell


class Roster:
    """Families and cells. It keeps no cell that nobody else holds. Change it only under the accumulator's lock.

    `functions` are the cells whose values come from functions.
    """

    def __init__(self) -> None:
        self.definitions: dict[Definition, None] = {}
        self.cells: WeakSet[Any] = WeakSet()
        self.functions: WeakSet[Any] = WeakSet()

    def has_cell_of(self, definition: "Definition") -> bool:
        """Whether a family has a cell."""
        return any(cell.definition == definition for cell in list(self.cells))

    def discard(self, cell: "Cell") -> None:
        """Let go of a cell."""
        self.cells.discard(cell)
        self.functions.discard(cell)

    def announce(self, changes: Changes) -> None:
        """Let the batch of these changes make everything known: each family, and each series at 0."""
        changes.undefined = dict(self.definitions)
        changes.born = dict.fromkeys(self.cells)
