"""What the accumulator asks of a cell, whichever kind of number it holds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from fleetmeter.schema.definition import Definition
    from fleetmeter.values.batch import Batch


class Cell(Protocol):
    """One value of one metric in this process."""

    definition: "Definition"
    labelvalues: Sequence[str]
    dirty: bool
    quiet: bool

    def take(self) -> Any:
        """What is pending, which is then pending no more; called under the lock."""

    def drop(self) -> None:
        """Drop what is pending and cannot be taken."""

    def put(self, batch: "Batch", taken: Any) -> None:
        """Put what was taken into a batch; called without the lock."""

    def forget(self) -> None:
        """Start from nothing, as a forked child does."""

    def forget_parent(self) -> None:
        """Drop what the parent recorded; called for a cell that was clean at the fork."""
